import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from voicebot.billing import connection
from voicebot.billing.store import StoreUnavailable


def test_reading_engine_cannot_write(demonstration: Path) -> None:
    with connection.reading_engine(connection.store_url(demonstration)).connect() as reader:
        with pytest.raises(OperationalError, match="readonly"):
            reader.execute(text("DELETE FROM payment"))


def test_reader_sees_one_state_of_the_books_until_it_is_done(demonstration: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(demonstration, tmp_path))
    writer = sqlite3.connect(path, timeout=0, isolation_level=None)
    with connection.reading_engine(connection.store_url(path)).connect() as reader:
        reader.execute(text("SELECT * FROM books")).all()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            writer.execute("DELETE FROM payment")
    writer.execute("DELETE FROM payment")
    writer.close()


def test_store_in_write_ahead_mode_is_read_while_it_is_written(demonstration: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(demonstration, tmp_path))
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM customer")
    with connection.reading_engine(connection.store_url(path)).connect() as reader:
        assert reader.scalar(text("SELECT COUNT(*) FROM customer"))
    writer.close()


@pytest.mark.parametrize(
    ("store", "described"),
    [
        ("/var/lib/bills.sqlite", "/var/lib/bills.sqlite"),
        ("sqlite:////var/lib/bills.sqlite", "/var/lib/bills.sqlite"),
        ("postgresql://bills:secret@db/bills", "postgresql+psycopg://bills:***@db/bills"),
    ],
)
def test_store_is_described_by_its_place_and_without_its_password(store: str, described: str) -> None:
    assert connection.describe(connection.store_url(store)) == described


def test_relative_path_is_described_from_the_root() -> None:
    assert connection.describe(connection.store_url("bills.sqlite")) == str(Path.cwd() / "bills.sqlite")


def test_failure_of_another_database_says_where_to_look() -> None:
    url = connection.store_url("postgresql://bills:secret@db/bills")
    with pytest.raises(StoreUnavailable, match="see that the database runs") as refused, connection.explained(url):
        raise ConnectionRefusedError
    assert "secret" not in str(refused.value)


def test_missing_driver_is_named() -> None:
    url = connection.store_url("postgresql://bills@db/bills")
    with pytest.raises(StoreUnavailable, match="needs the Python package 'psycopg'"), connection.explained(url):
        raise ModuleNotFoundError(name="psycopg")
