"""The import, the database and the disk fail at any moment: the store stays whole, the same command finishes."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import Cluster, NoPostgres
from sqlalchemy.exc import OperationalError

from tests.billing.exports import content
from voicebot.billing.audit import audit
from voicebot.billing.connection import explained, store_url
from voicebot.billing.migrations import migrate_at
from voicebot.billing.store import StoreUnavailable

BIN = Path(sys.executable).parent / "voicebot"
ROOT = Path(__file__).parents[2]
CUSTOMERS = 12_000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Customers, points, an invoice and a payment for each, and a line that is rejected."""
    folder = tmp_path_factory.mktemp("exports")
    numbers = range(1, CUSTOMERS + 1)
    texts = {
        "customers": ["customer_number,kind,authorisation_code"]
        + [f"{300_000_000_000 + n},household,A1B2C3" for n in numbers],
        "points": ["itn,customer_number"] + [f"{1_000_000 + n},{300_000_000_000 + n}" for n in numbers],
        "invoices": [
            "invoice_number,customer_number,itn,period_start,period_end,day_kwh,day_amount,vat,total,currency,issued,due"
        ]
        + [
            f"{n},{300_000_000_000 + n},{1_000_000 + n},2026-01-01,2026-01-31,100,10.00,2.00,12.00,EUR,"
            "2026-02-01,2026-02-15"
            for n in numbers
        ]
        + ["bad"],
        "payments": ["payment_number,customer_number,invoice_number,received,amount,currency,channel"]
        + [f"{n},{300_000_000_000 + n},{n},2026-02-{1 + n % 28:02},{1 + n % 11}.00,EUR,bank" for n in numbers],
    }
    for name, lines in texts.items():
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return [folder / f"{name}.csv" for name in texts]


def command(store: str, files: list[Path]) -> list[str]:
    quick = "import voicebot.billing.importing as i; i.BATCH_LINES = 1000; from voicebot.cli import main; main()"
    return [sys.executable, "-c", quick, "import", *map(str, files), "--store", store]


def run(store: str, files: list[Path]) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command(store, files), env=env, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def whole(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], float]:
    """What an undisturbed import makes, and how long it takes."""
    store = tmp_path_factory.mktemp("whole") / "bills.sqlite"
    began = time.monotonic()
    done = run(str(store), files)
    assert done.returncode == 1 and "1 lines were rejected" in done.stderr
    return content(store), time.monotonic() - began


def is_finished_by_the_same_command(store: str, files: list[Path], whole: dict[str, object]) -> None:
    done = run(store, files)
    assert done.returncode == 1 and "1 lines were rejected" in done.stderr, done.stderr
    assert content(store) == whole and audit(store).faults == ()


def is_old_or_new(store: str, whole: dict[str, object]) -> None:
    """Nobody sees half of it.

    An import that dies while SQLite's journal changes its kind leaves one that only a writer may roll back: readers are
    told so, and the next import does it.
    """
    try:
        seen = content(store)
    except OperationalError as error:
        with pytest.raises(StoreUnavailable, match="left by an import that was killed"), explained(store_url(store)):
            raise error
        return
    assert seen == whole or not any(seen.values())
    assert audit(store).faults == ()


@pytest.mark.parametrize("moment", range(2))
def test_import_may_be_killed_at_any_moment(
    place: str, files: list[Path], whole: tuple[dict[str, object], float], moment: int
) -> None:
    migrate_at(place)
    made, took = whole
    rng = random.Random(moment)
    for _ in range(1 + moment):
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command(place, files), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # The program itself takes a part of the time to start, in which there is nothing to interrupt.
        time.sleep(took * rng.uniform(0.3, 1.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        is_old_or_new(place, made)
    is_finished_by_the_same_command(place, files, made)


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    try:
        cluster = Cluster({"min_wal_size": "2MB", "max_wal_size": "4MB"})
    except NoPostgres as missing:
        pytest.fail(str(missing))
    try:
        yield cluster
    finally:
        cluster.remove()


@pytest.mark.postgres
def test_database_may_be_killed_at_any_moment(
    own_cluster: Cluster, files: list[Path], whole: tuple[dict[str, object], float]
) -> None:
    store = own_cluster.create("bills")
    migrate_at(store)
    made, took = whole
    for share in (0.6, 0.95):
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command(store, files), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(took * share)
        own_cluster.stop("immediate")
        _, told = process.communicate(timeout=120)
        own_cluster.start()
        assert process.returncode == 1 and len(told.decode().strip().splitlines()) == 1, told
        is_old_or_new(store, made)
    is_finished_by_the_same_command(store, files, made)


def test_disk_may_be_full(tmp_path: Path, files: list[Path], whole: tuple[dict[str, object], float]) -> None:
    """A limit on the size of a file stands for a disk that is full."""
    store = str(tmp_path / "bills.sqlite")
    migrate_at(store)
    made, _ = whole
    for limit_kb in (300, 3000):
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command(store, files),
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
            preexec_fn=lambda kb=limit_kb: resource.setrlimit(resource.RLIMIT_FSIZE, (kb * 1024, kb * 1024)),
        )
        assert done.returncode == 1 and "disk" in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        is_old_or_new(store, made)
    is_finished_by_the_same_command(store, files, made)


@pytest.mark.postgres
def test_disk_of_the_database_may_be_full(
    own_cluster: Cluster, files: list[Path], whole: tuple[dict[str, object], float]
) -> None:
    store = own_cluster.create("bills")
    migrate_at(store)
    made, _ = whole
    own_cluster.stop()
    own_cluster.start(most_file_bytes=1 << 20)
    done = run(store, files)
    own_cluster.stop("immediate")
    own_cluster.start()
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    is_old_or_new(store, made)
    is_finished_by_the_same_command(store, files, made)
