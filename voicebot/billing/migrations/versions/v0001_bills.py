"""The tables of the store: customers, metering points, invoices, payments, and what an import needs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    # What waits to be published need not survive a crash: the import then reads its files anew.
    unlogged = ["UNLOGGED"] if op.get_bind().dialect.name == "postgresql" else []
    op.create_table(
        "books",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("reference_date", sa.Date(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_books_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_books")),
    )
    op.create_table(
        "customer",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("code", sa.String(length=6), nullable=False),
        sa.CheckConstraint("kind IN ('household', 'business')", name=op.f("ck_customer_known_kind")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_customer")),
    )
    op.create_table(
        "imported_file",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("published", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_imported_file")),
    )
    op.create_table(
        "staged_customer",
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("code", sa.String(length=6), nullable=False),
        prefixes=unlogged,
    )
    op.create_table(
        "staged_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staged_file")),
        prefixes=unlogged,
    )
    op.create_table(
        "staged_identifier",
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("scheme", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=40), nullable=False),
        sa.Column("customer_number", sa.String(length=40), nullable=False),
        sa.Column("itn", sa.String(length=40), nullable=True),
        prefixes=unlogged,
    )
    op.create_table(
        "staged_invoice",
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("customer_number", sa.String(length=40), nullable=False),
        sa.Column("itn", sa.String(length=40), nullable=False),
        sa.Column("period_start", sa.Date(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("day_kwh", sa.Integer(), nullable=False),
        sa.Column("night_kwh", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("day_cents", sa.BigInteger(), nullable=False),
        sa.Column("night_cents", sa.BigInteger(), nullable=False),
        sa.Column("other_cents", sa.BigInteger(), nullable=False),
        sa.Column("vat_cents", sa.BigInteger(), nullable=False),
        sa.Column("interest_cents", sa.BigInteger(), nullable=False),
        sa.Column("total_cents", sa.BigInteger(), nullable=False),
        sa.Column("issued", sa.Date(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("cut_off", sa.Date(), nullable=True),
        sa.Column("cancelled", sa.Date(), nullable=True),
        prefixes=unlogged,
    )
    op.create_table(
        "staged_metering_point",
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("itn", sa.String(length=40), nullable=False),
        sa.Column("customer_number", sa.String(length=40), nullable=False),
        prefixes=unlogged,
    )
    op.create_table(
        "staged_payment",
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("customer_number", sa.String(length=40), nullable=False),
        sa.Column("invoice_number", sa.String(length=20), nullable=True),
        sa.Column("received", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("paid_cents", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("reverses", sa.String(length=40), nullable=True),
        prefixes=unlogged,
    )
    op.create_table(
        "staged_reject",
        sa.Column("file_id", sa.Integer(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("file_id", "line", name=op.f("pk_staged_reject")),
        prefixes=unlogged,
    )
    op.create_table(
        "metering_point",
        sa.Column("itn", sa.String(length=40), nullable=False),
        sa.Column("customer_number", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_number"],
            ["customer.number"],
            name=op.f("fk_metering_point_customer_number"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("itn", name=op.f("pk_metering_point")),
    )
    op.create_index("ix_metering_point_customer_number", "metering_point", ["customer_number"], unique=False)
    op.create_table(
        "rejected_line",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["imported_file.digest"], name=op.f("fk_rejected_line_digest")),
        sa.PrimaryKeyConstraint("digest", "line", name=op.f("pk_rejected_line")),
    )
    op.create_table(
        "identifier",
        sa.Column("scheme", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=40), nullable=False),
        sa.Column("customer_number", sa.String(length=40), nullable=False),
        sa.Column("itn", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_number"],
            ["customer.number"],
            name=op.f("fk_identifier_customer_number"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["itn"], ["metering_point.itn"], name=op.f("fk_identifier_itn"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("scheme", "value", name=op.f("pk_identifier")),
    )
    op.create_index("ix_identifier_customer_number", "identifier", ["customer_number"], unique=False)
    op.create_index("ix_identifier_itn", "identifier", ["itn"], unique=False)
    op.create_table(
        "invoice",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("customer_number", sa.String(length=40), nullable=False),
        sa.Column("itn", sa.String(length=40), nullable=False),
        sa.Column("period_start", sa.Date(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("day_kwh", sa.Integer(), nullable=False),
        sa.Column("night_kwh", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("day_cents", sa.BigInteger(), nullable=False),
        sa.Column("night_cents", sa.BigInteger(), nullable=False),
        sa.Column("other_cents", sa.BigInteger(), nullable=False),
        sa.Column("vat_cents", sa.BigInteger(), nullable=False),
        sa.Column("interest_cents", sa.BigInteger(), nullable=False),
        sa.Column("total_cents", sa.BigInteger(), nullable=False),
        sa.Column("outstanding_cents", sa.BigInteger(), nullable=False),
        sa.Column("issued", sa.Date(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("cut_off", sa.Date(), nullable=True),
        sa.Column("cancelled", sa.Date(), nullable=True),
        sa.CheckConstraint("currency IN ('EUR', 'BGN')", name=op.f("ck_invoice_known_currency")),
        sa.CheckConstraint(
            "cancelled IS NULL OR outstanding_cents = 0", name=op.f("ck_invoice_nothing_owed_when_cancelled")
        ),
        sa.CheckConstraint(
            "day_cents + night_cents + other_cents + vat_cents + interest_cents = total_cents",
            name=op.f("ck_invoice_lines_make_total"),
        ),
        sa.CheckConstraint(
            "outstanding_cents BETWEEN 0 AND total_cents", name=op.f("ck_invoice_outstanding_within_total")
        ),
        sa.CheckConstraint("period_start <= period_end AND issued <= due", name=op.f("ck_invoice_dates_in_order")),
        sa.ForeignKeyConstraint(
            ["customer_number"],
            ["customer.number"],
            name=op.f("fk_invoice_customer_number"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["itn"], ["metering_point.itn"], name=op.f("fk_invoice_itn"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_invoice")),
    )
    op.create_index(
        "ix_invoice_cancelled",
        "invoice",
        ["customer_number"],
        unique=False,
        sqlite_where=sa.text("cancelled IS NOT NULL"),
        postgresql_where=sa.text("cancelled IS NOT NULL"),
    )
    op.create_index("ix_invoice_customer_number", "invoice", ["customer_number"], unique=False)
    op.create_index(
        "ix_invoice_unpaid",
        "invoice",
        ["customer_number"],
        unique=False,
        sqlite_where=sa.text("outstanding_cents > 0"),
        postgresql_where=sa.text("outstanding_cents > 0"),
    )
    op.create_table(
        "payment",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("customer_number", sa.String(length=40), nullable=False),
        sa.Column("invoice_number", sa.String(length=20), nullable=True),
        sa.Column("received", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("paid_cents", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("reverses", sa.String(length=40), nullable=True),
        sa.CheckConstraint("currency IN ('EUR', 'BGN')", name=op.f("ck_payment_known_currency")),
        sa.CheckConstraint("paid_cents > 0", name=op.f("ck_payment_something_paid")),
        sa.ForeignKeyConstraint(
            ["customer_number"],
            ["customer.number"],
            name=op.f("fk_payment_customer_number"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["invoice_number"],
            ["invoice.number"],
            name=op.f("fk_payment_invoice_number"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["reverses"], ["payment.number"], name=op.f("fk_payment_reverses"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_payment")),
    )
    op.create_index("ix_payment_customer_number", "payment", ["customer_number"], unique=False)
    op.create_index("ix_payment_invoice_number", "payment", ["invoice_number"], unique=False)
    op.create_index(
        "ix_payment_on_account",
        "payment",
        ["customer_number"],
        unique=False,
        sqlite_where=sa.text("invoice_number IS NULL"),
        postgresql_where=sa.text("invoice_number IS NULL"),
    )
    op.create_index(
        "ix_payment_reverses",
        "payment",
        ["reverses"],
        unique=True,
        sqlite_where=sa.text("reverses IS NOT NULL"),
        postgresql_where=sa.text("reverses IS NOT NULL"),
    )


def downgrade() -> None:
    """Remove the tables."""
    for table in (
        "payment",
        "invoice",
        "identifier",
        "rejected_line",
        "metering_point",
        "staged_reject",
        "staged_payment",
        "staged_metering_point",
        "staged_invoice",
        "staged_identifier",
        "staged_file",
        "staged_customer",
        "imported_file",
        "customer",
        "books",
    ):
        op.drop_table(table)
