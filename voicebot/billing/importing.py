"""Importing files that a utility exports: staged in batches, so that it can go on where it was, then published at once.

Until the publishing transaction is through, the books are as they were; a second import of a file changes nothing.
What a file holds is `csv_lines`' matter, how it is merged `publishing`'s.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from sqlalchemy import URL, Connection, Table, delete, func, insert, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from voicebot.billing import connection, migrations
from voicebot.billing.csv_lines import MOST_LINE_BYTES, BadLine, Export, UnreadableExport, open_export
from voicebot.billing.identifier import IdentifierSchemes
from voicebot.billing.publishing import publish
from voicebot.billing.schema import STAGED, Base, Books, ImportedFile, RejectedLine, StagedFile, StagedReject
from voicebot.billing.store import StoreUnavailable
from voicebot.errors import VoicebotError

BATCH_LINES = 20_000
"""Lines between two points from which an import can go on."""
LOCK_WAIT_S = 60
"""How long to wait for another import: one that was killed takes a while to let go."""
_LOCK = 2_004_010_1
"""PostgreSQL's advisory lock of the one import that may run."""

Progress = Callable[[Path, int, int], None]
"""Called with a file, bytes read and bytes in all."""


class NotImportable(VoicebotError):
    """An import that cannot begin."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one file."""

    path: Path
    kind: str
    accepted: int
    """Lines that are in the store."""
    rejected: int
    """Lines that are not; they are in `rejects` with their reasons."""
    rejects: Path | None
    already: bool
    """Whether it had been imported before."""


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    digest: str
    size: int
    export: Export


def import_files(
    store: str | Path,
    paths: Sequence[Path],
    schemes: IdentifierSchemes,
    *,
    as_of: datetime | None = None,
    encoding: str | None = None,
    rejects: Path | None = None,
    progress: Progress = lambda *_: None,
) -> list[Imported]:
    """Import files together: callers see all of them or none.

    Args:
        store: as for `SqlStore`; its tables are made or brought to this version.
        paths: CSV files of any kinds in any order.
        schemes: which customers' numbers there are.
        as_of: the moment of the utility's books that they show (aware); the newest file's time where None.
        encoding: "utf-8" or "windows-1251", told from each file where None.
        rejects: folder for files of rejected lines; beside each file where None.
        progress: told of bytes read.

    Raises:
        UnreadableExport: a file is not what it should be; nothing was imported.
        NotImportable: the store holds demonstration bills, or another import runs.
        StoreUnavailable: the store failed; the same call goes on where it was.
    """
    url = connection.store_url(store)
    files = {file.digest: file for file in (_look_at(path, schemes, encoding) for path in paths)}
    if as_of is None:
        as_of = datetime.fromtimestamp(max(file.path.stat().st_mtime for file in files.values()), UTC)
    with connection.explained(url), _alone(url), _quick(connection.writing_engine(url)) as engine:
        with engine.begin() as books:
            migrations.migrate(books)
            if books.scalar(select(Books.origin)) == "demonstration":
                raise NotImportable(
                    f"The store {connection.describe(url)} holds demonstration bills: remove it or name another with"
                    " --store."
                )
            done = set(books.scalars(select(ImportedFile.digest).where(ImportedFile.digest.in_(list(files)))))
            pending = [file for digest, file in files.items() if digest not in done]
            _prepare_staging(books, pending)
        for number, file in enumerate(pending):
            _stage(engine, number, file, progress)
        if pending:
            with engine.begin() as books:
                _analyze(books)
                publish(books, as_of)
                _conclude(books, pending)
        with engine.begin() as books:
            return [_report(books, file, file.digest in done, rejects) for file in files.values()]


def _look_at(path: Path, schemes: IdentifierSchemes, encoding: str | None) -> _File:
    export = open_export(path, schemes, encoding)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return _File(path, digest, file.tell(), export)


@contextmanager
def _alone(url: URL) -> Iterator[None]:
    """Let no other import run meanwhile. Raises `NotImportable`."""
    busy = NotImportable("Another import into this store runs: wait until it has ended, and run this one again.")
    path = connection.sqlite_path(url)
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = open(path.with_name(f".{path.name}.import"), "w")
        except OSError as error:
            raise StoreUnavailable(
                f"Bills cannot be imported to {path} ({error.strerror}): name another place with --store."
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise busy from None
            yield
        return
    with connection.writing_engine(url).connect() as holder:
        try:
            holder.execute(text(f"SET lock_timeout = '{LOCK_WAIT_S}s'"))
            holder.execute(select(func.pg_advisory_lock(_LOCK)))
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", "") == "55P03":
                raise busy from None
            raise
        holder.commit()
        yield


@contextmanager
def _quick(engine: Engine) -> Iterator[Engine]:
    """Let readers of SQLite go on while it is written, and leave one file behind."""
    if engine.dialect.name != "sqlite":
        yield engine
        return
    _set_journal(engine, "WAL")
    yield engine
    try:
        _set_journal(engine, "DELETE")
    except OperationalError:
        pass  # It is being read: the journal stays as it is, which harms nobody.


def _set_journal(engine: Engine, mode: str) -> None:
    raw = engine.raw_connection()
    try:
        raw.cursor().execute(f"PRAGMA journal_mode = {mode}")
    finally:
        raw.close()


def _prepare_staging(books: Connection, pending: list[_File]) -> None:
    """Keep what the same command has staged before; forget what another has."""
    staged = [tuple(row) for row in books.execute(select(StagedFile.id, StagedFile.digest).order_by(StagedFile.id))]
    wanted = [(number, file.digest) for number, file in enumerate(pending)]
    if staged != wanted:
        _clear_staging(books)
        for number, file in enumerate(pending):
            books.execute(
                insert(StagedFile).values(id=number, digest=file.digest, offset=file.export.offset, line=1, records=0)
            )


def _clear_staging(books: Connection) -> None:
    tables = [cast(Table, table) for table in (*STAGED.values(), StagedReject.__table__, StagedFile.__table__)]
    if books.dialect.name == "postgresql":
        books.execute(text(f"TRUNCATE {', '.join(table.name for table in tables)}"))
        return
    for table in tables:
        books.execute(delete(table))


def _stage(engine: Engine, number: int, file: _File, progress: Progress) -> None:
    with engine.begin() as books:
        staged = books.execute(select(StagedFile.__table__).where(StagedFile.id == number)).one()
    offset, line, records = staged.offset, staged.line, staged.records
    try:
        source = file.path.open("rb")
    except OSError as error:
        raise UnreadableExport(f"{file.path} cannot be read ({error.strerror}): run the command again.") from None
    with source:
        source.seek(offset)
        progress(file.path, offset, file.size)
        while batch := list(islice(_lines(source), BATCH_LINES)):
            rows: dict[type[Base], list[tuple[Any, ...]]] = defaultdict(list)
            bad: list[dict[str, Any]] = []
            for raw in batch:
                line += 1
                if raw.isspace():
                    continue
                records += 1
                try:
                    for row, values in file.export.rows(raw):
                        rows[row].append((number, line, *values))
                except BadLine as reason:
                    bad.append({"file_id": number, "line": line, "reason": str(reason)})
            offset = source.tell()
            with engine.begin() as books:
                for row, values_of_rows in rows.items():
                    _add(books, row, values_of_rows)
                if bad:
                    books.execute(insert(StagedReject), bad)
                books.execute(
                    StagedFile.__table__.update()  # type: ignore[attr-defined]
                    .where(StagedFile.id == number)
                    .values(offset=offset, line=line, records=records)
                )
            progress(file.path, offset, file.size)


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """The lines; of a monstrous one its beginning alone, which is too long as well."""
    while raw := source.readline(MOST_LINE_BYTES + 2):
        rest = raw
        while rest and not rest.endswith(b"\n"):
            rest = source.readline(MOST_LINE_BYTES)
        yield raw


def _add(books: Connection, row: type[Base], rows: list[tuple[Any, ...]]) -> None:
    table = STAGED[row]
    columns = [column for column in table.c if column.name != "known"]
    names = [column.name for column in columns]
    if books.dialect.name == "postgresql":
        raw: Any = books.connection.driver_connection
        statement = f"COPY {table.name} ({', '.join(names)}) FROM STDIN (FORMAT BINARY)"
        with raw.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types([column.type.compile(books.dialect).lower().partition("(")[0] for column in columns])
            for values in rows:
                copy.write_row(values)
    else:
        books.execute(insert(table), [dict(zip(names, values, strict=True)) for values in rows])


def _analyze(books: Connection) -> None:
    """Tell the planner how much there is, and that a few rows of large tables are better not read as a whole."""
    if books.dialect.name == "postgresql":
        books.execute(text("SET LOCAL random_page_cost = 1.1"))
        books.execute(text("SET LOCAL work_mem = '256MB'"))
        books.execute(text("SET LOCAL jit = off"))  # to compile takes longer than to run
        books.execute(text("SET LOCAL default_statistics_target = 10"))
    for table in STAGED.values():
        books.execute(text(f"ANALYZE {table.name}"))


def _conclude(books: Connection, pending: list[_File]) -> None:
    """Note what was imported, in the transaction that publishes it."""
    now = datetime.now(UTC)
    rejected = select(func.count()).where(StagedReject.file_id == StagedFile.id).scalar_subquery()
    for staged in books.execute(select(StagedFile.__table__, rejected.label("rejected"))).all():
        books.execute(
            insert(ImportedFile).values(
                digest=staged.digest,
                kind=pending[staged.id].export.kind,
                accepted=staged.records - staged.rejected,
                published=now,
            )
        )
    lines = select(StagedFile.digest, StagedReject.line, StagedReject.reason).join(
        StagedFile, StagedFile.id == StagedReject.file_id
    )
    books.execute(insert(RejectedLine).from_select(["digest", "line", "reason"], lines))
    _clear_staging(books)


def _report(books: Connection, file: _File, already: bool, folder: Path | None) -> Imported:
    of_file = RejectedLine.digest == file.digest
    rejected = books.scalar(select(func.count()).select_from(RejectedLine).where(of_file)) or 0
    path = (folder or file.path.parent) / f"{file.path.name}.rejects.csv"
    if rejected:
        lines = books.execute(select(RejectedLine.line, RejectedLine.reason).where(of_file).order_by(RejectedLine.line))
        _write_rejects(path, file, ((line, reason) for line, reason in lines))
    return Imported(
        file.path,
        file.export.kind,
        books.scalar(select(ImportedFile.accepted).where(ImportedFile.digest == file.digest)) or 0,
        rejected,
        path if rejected else None,
        already,
    )


def _write_rejects(path: Path, file: _File, rejects: Iterator[tuple[int, str]]) -> None:
    """Line number, reason and the line itself; only this user may read them."""
    new = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8", newline="") as target, file.path.open("rb") as source:
            writer = csv.writer(target)
            writer.writerow(("line", "reason", "content"))
            wanted, reason = next(rejects)
            for line, raw in enumerate(_lines(source), 1):
                if line == wanted:
                    content = (
                        raw.decode(file.export.encoding, "replace")
                        .rstrip("\r\n")
                        .replace("\0", "\N{REPLACEMENT CHARACTER}")
                    )
                    writer.writerow((line, reason, content))
                    wanted, reason = next(rejects, (0, ""))
        os.replace(new, path)
    except OSError as error:
        raise NotImportable(
            f"The bills are imported, but rejected lines cannot be written to {path} ({error.strerror}): run the same"
            " command again with --rejects FOLDER."
        ) from error
