"""Alembic's migrations of the billing store, and the commands that run them."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from voicebot.billing import connection
from voicebot.billing.store import StoreUnavailable

_HERE = Path(__file__).parent


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    return config


HEAD: str = ScriptDirectory.from_config(_config()).get_current_head() or ""
"""The version that this program reads and writes."""


def version(store: Connection) -> str | None:
    """The version of a store's tables; None where no migration has run."""
    return MigrationContext.configure(store).get_current_revision()


def migrate(store: Connection) -> None:
    """Bring a store's tables to `HEAD`, or make them, within the transaction of `store`."""
    config = _config()
    config.attributes["connection"] = store
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreUnavailable(
            "The billing store was made by a later version of this program: install that, or set store.url."
        ) from error


def migrate_at(store: str | Path) -> str:
    """Bring the tables of a store, named as for `SqlStore`, to `HEAD`, or make them; returns the version.

    Raises `StoreUnavailable`; then nothing has changed.
    """
    url = connection.store_url(store)
    with connection.explained(url), connection.writing_engine(url).begin() as target:
        migrate(target)
    return HEAD
