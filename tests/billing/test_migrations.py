from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tests.billing.conftest import change, query
from tests.billing.exports import content
from voicebot.billing import connection, migrations
from voicebot.billing.audit import audit
from voicebot.billing.schema import STAGED, Base
from voicebot.billing.store import StoreUnavailable


def test_migrations_make_the_tables_that_the_program_reads(place: str) -> None:
    assert migrations.migrate_at(place) == migrations.HEAD
    with connection.reading_engine(connection.store_url(place)).connect() as store:
        context = MigrationContext.configure(store, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_again_changes_nothing(books: str) -> None:
    before = query(books, "SELECT COUNT(*), SUM(total_cents) FROM invoice")
    assert migrations.migrate_at(books) == migrations.HEAD
    assert query(books, "SELECT COUNT(*), SUM(total_cents) FROM invoice") == before


def test_migrations_can_be_taken_back_and_made_again(place: str) -> None:
    from alembic import command

    migrations.migrate_at(place)
    with connection.writing_engine(connection.store_url(place)).begin() as store:
        config = migrations._config()
        config.attributes["connection"] = store
        command.downgrade(config, "base")
    assert migrations.migrate_at(place) == migrations.HEAD


def test_bills_outlive_a_migration_there_and_back(books: str) -> None:
    from alembic import command

    before = content(books)
    with connection.writing_engine(connection.store_url(books)).begin() as store:
        config = migrations._config()
        config.attributes["connection"] = store
        command.downgrade(config, "0001")
    assert content(books) == before
    assert migrations.migrate_at(books) == migrations.HEAD
    assert content(books) == before and audit(books).faults == ()


def test_store_of_a_later_version_is_refused_and_left_alone(books: str) -> None:
    change(books, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreUnavailable, match="later version"):
        migrations.migrate_at(books)
    assert query(books, "SELECT version_num FROM alembic_version") == [("9999",)]


def test_place_that_cannot_hold_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        migrations.migrate_at(tmp_path / "none" / "bills.sqlite")


def test_what_is_staged_is_forgotten_in_a_crash_of_postgresql_together_with_how_far_it_was_read(place: str) -> None:
    migrations.migrate_at(place)
    if place.startswith("postgresql"):
        rows = query(
            place, "SELECT relname, relpersistence::text FROM pg_class WHERE relkind = 'r' AND relname LIKE 'staged_%'"
        )
        assert dict(rows) == dict.fromkeys([t.name for t in STAGED.values()] + ["staged_file", "staged_reject"], "u")
