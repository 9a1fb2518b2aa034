"""Which database a store's URL names, how it is opened, and what its errors mean to a person."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, NullPool, create_engine, event, make_url
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, ProgrammingError, SQLAlchemyError

from voicebot.billing.store import StoreUnavailable

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
"""The asynchronous driver of each database whose URL names none."""

# This driver writes every statement with its parameters, which are customers' numbers, to the log.
logging.getLogger("aiosqlite").addFilter(lambda record: record.levelno > logging.DEBUG)

BUSY_TIMEOUT_S = 0.5
"""How long a read waits for SQLite's lock: a caller hears silence meanwhile."""
CONNECT_TIMEOUT_S = 3
"""How long PostgreSQL may take to take a connection."""


def store_url(store: str | Path) -> URL:
    """The URL of a store that is named by a URL or by the path of an SQLite file.

    Raises `StoreUnavailable` for a URL that cannot be understood.
    """
    if isinstance(store, Path) or "://" not in store:
        return URL.create("sqlite+aiosqlite", database=str(store))
    try:
        url = make_url(store)
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise StoreUnavailable(
            "The billing store's URL cannot be understood: set store.url to something like"
            " sqlite+aiosqlite:////var/lib/voicebot/bills.sqlite."
        ) from error
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise StoreUnavailable("The billing store's URL names no file: put its path behind sqlite+aiosqlite:///.")
    return url


def sqlite_path(url: URL) -> Path | None:
    """The absolute path of an SQLite store, None for any other database."""
    return Path(url.database or "").absolute() if url.get_backend_name() == "sqlite" else None


def describe(url: URL) -> str:
    """The store for people: the path, or the URL without its password."""
    return str(sqlite_path(url) or url.render_as_string(hide_password=True))


def reading(url: URL, busy_timeout_s: float) -> tuple[URL, dict[str, Any]]:
    """URL and `connect` arguments that open the store for reading; an SQLite file is neither made nor changed."""
    path = sqlite_path(url)
    if path is None:
        return url, {"connect_timeout": CONNECT_TIMEOUT_S, "options": "-c default_transaction_read_only=on"}
    # The path as a URI, because a plain one has no mode (https://www.sqlite.org/uri.html).
    read_only = url.set(database=path.as_uri(), query={"mode": "ro", "uri": "true"})
    return read_only, {"timeout": busy_timeout_s}


def see_the_file(url: URL) -> None:
    """Raise `StoreUnavailable` where an SQLite store has no file to read.

    aiosqlite's thread prints a traceback when it fails to connect and the event loop ends; so look before. The file is
    not opened for that: to close it would end the locks of this process's other connections
    (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """
    path = sqlite_path(url)
    if path is None:
        return
    if not os.path.exists(path):
        raise StoreUnavailable(
            f"The billing store {path} does not exist: make one with 'voicebot demo' or set store.url."
        )
    if os.path.isdir(path):
        raise StoreUnavailable(f"The billing store {path} is a folder: set store.url to a file in it.")
    if not os.access(path, os.R_OK):
        raise StoreUnavailable(f"The billing store {path} {_SQLITE_SENTENCES['SQLITE_CANTOPEN']}")


def reading_engine(url: URL) -> Engine:
    """A blocking engine that only reads, for commands; other errors than of `see_the_file` are for the caller."""
    see_the_file(url)
    url, arguments = reading(url, BUSY_TIMEOUT_S)
    if url.get_backend_name() == "sqlite":
        url = url.set(drivername="sqlite")
    isolation = {} if url.get_backend_name() == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    engine = create_engine(url, connect_args=arguments, poolclass=NullPool, hide_parameters=True, **isolation)
    read_in_one_snapshot(engine)
    return engine


def read_in_one_snapshot(engine: Engine) -> None:
    """Let every SELECT of a transaction on SQLite see the same data: the driver alone begins none for reading."""
    if engine.dialect.name == "sqlite":
        _begin_by(engine, "BEGIN")


def writing_engine(url: URL) -> Engine:
    """A blocking engine that writes; it makes an SQLite file where there is none, but no folder."""
    if url.get_backend_name() != "sqlite":
        return create_engine(url, poolclass=NullPool, hide_parameters=True)
    engine = create_engine(
        url.set(drivername="sqlite"), connect_args={"timeout": 5}, poolclass=NullPool, hide_parameters=True
    )
    _begin_by(engine, "BEGIN IMMEDIATE")

    @event.listens_for(engine, "connect")
    def keep_references(connection: Any, record: object) -> None:
        connection.execute("PRAGMA foreign_keys = ON")

    return engine


def _begin_by(engine: Engine, statement: str) -> None:
    @event.listens_for(engine, "connect")
    def leave_transactions_to_sqlalchemy(connection: Any, record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Raise errors of the database as `StoreUnavailable` with a sentence that says what to do."""
    try:
        yield
    except (SQLAlchemyError, psycopg.Error, OSError) as error:
        raise StoreUnavailable(_sentence(url, error)) from error
    except ModuleNotFoundError as error:
        raise StoreUnavailable(
            f"The billing store {describe(url)} needs the Python package {error.name!r}: install it or set store.url."
        ) from error


def _sentence(url: URL, error: Exception) -> str:
    store = f"The billing store {describe(url)}"
    # "SQLITE_BUSY_SNAPSHOT" and the like are kinds of their first two words.
    code = "_".join(getattr(getattr(error, "orig", None), "sqlite_errorname", "").split("_")[:2])
    if code in _SQLITE_SENTENCES:
        return f"{store} {_SQLITE_SENTENCES[code]}"
    if getattr(getattr(error, "orig", error), "sqlstate", "") == _DISK_FULL:
        return f"{store} {_SQLITE_SENTENCES['SQLITE_FULL']}"
    if code == "SQLITE_ERROR" or isinstance(error, ProgrammingError):
        return other_layout(url)
    return f"{store} does not answer ({type(error).__name__}): see that the database runs and that store.url is right."


def other_layout(url: URL) -> str:
    """The sentence for tables that are missing or of another version."""
    return (
        f"The billing store {describe(url)} has not the tables that this version reads:"
        " run 'voicebot store migrate', make it anew with 'voicebot demo', or set store.url."
    )


_DISK_FULL = "53100"
"""PostgreSQL's code (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""

_SQLITE_SENTENCES = {
    "SQLITE_BUSY": "is locked by another program: end that program, or wait until it has written, and try again.",
    "SQLITE_LOCKED": "is locked by another program: end that program, or wait until it has written, and try again.",
    "SQLITE_NOTADB": "is not an SQLite database: set store.url to another, or remove it and run 'voicebot demo'.",
    "SQLITE_CORRUPT": "is damaged: bring it back from a backup or import the bills again.",
    "SQLITE_CANTOPEN": "cannot be opened: let this user read the file and its folder.",
    "SQLITE_PERM": "cannot be opened: let this user read the file and its folder.",
    "SQLITE_READONLY": "was left by an import that was killed: run 'voicebot import' again, which mends it.",
    "SQLITE_IOERR": "cannot be read from its disk or written to it: look at the disk and its free space.",
    "SQLITE_FULL": "has no room left on its disk: make room and run the same command again.",
}
"""What SQLite's result codes mean (https://www.sqlite.org/rescode.html)."""
