import shutil
from collections.abc import Iterator
from datetime import date
from itertools import count
from pathlib import Path

import pytest
from postgres import Cluster, NoPostgres
from sqlalchemy import text

from voicebot.billing import connection
from voicebot.billing.demonstration import create_demonstration

TODAY = date(2026, 11, 23)
DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
_numbers = count()


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of demonstration bills for TODAY; tests that change it work on a copy."""
    path = tmp_path_factory.mktemp("bills") / "demonstration.sqlite"
    create_demonstration(path, TODAY)
    return path


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    try:
        running = Cluster()
    except NoPostgres as missing:
        pytest.fail(str(missing))
    try:
        create_demonstration(running.create("demonstration"), TODAY)
        yield running
    finally:
        running.remove()


@pytest.fixture(params=DATABASES)
def books(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store of demonstration bills that a test may change, once in each database."""
    if request.param == "sqlite":
        copy = shutil.copy(request.getfixturevalue("demonstration"), tmp_path / "bills.sqlite")
        return f"sqlite+aiosqlite:///{copy}"
    return str(request.getfixturevalue("cluster").create(f"copy_{next(_numbers)}", "demonstration"))


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a place without a store, once in each database."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'new.sqlite'}"
    return str(request.getfixturevalue("cluster").create(f"new_{next(_numbers)}"))


def change(store: str | Path, *statements: str) -> None:
    """Do to a store what no program of ours does."""
    with connection.writing_engine(connection.store_url(store)).begin() as target:
        if target.dialect.name == "sqlite":
            target.connection.driver_connection.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            target.execute(text(statement))


def query(store: str | Path, statement: str) -> list[tuple[object, ...]]:
    """The rows of a store."""
    return queries(store, statement)[0]


def queries(store: str | Path, *statements: str) -> list[list[tuple[object, ...]]]:
    """The rows of each statement, all of one moment: a killed import's database may yet be writing its last."""
    with connection.reading_engine(connection.store_url(store)).connect() as books:
        return [[tuple(row) for row in books.execute(text(statement))] for statement in statements]
