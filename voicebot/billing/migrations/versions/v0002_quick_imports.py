"""Quick imports: references of bills are checked for all lines at once, and staged lines know what the books have."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_REFERENCES = {
    "payment": {"customer_number": "customer.number", "invoice_number": "invoice.number", "reverses": "payment.number"},
    "invoice": {"customer_number": "customer.number", "itn": "metering_point.itn"},
}
_STAGED = ("customer", "metering_point", "identifier", "invoice", "payment")


def upgrade() -> None:
    """Let go of keys and an index that made each row dear."""
    for table in _REFERENCES:
        keys = [str(key["name"]) for key in sa.inspect(op.get_bind()).get_foreign_keys(table)]
        with op.batch_alter_table(table) as batch:
            for key in keys:
                batch.drop_constraint(key, type_="foreignkey")
    op.drop_index("ix_payment_customer_number", "payment")
    for table in _STAGED:
        op.add_column(f"staged_{table}", sa.Column("known", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """Make them again, but for SQLite's keys: it would have to copy its tables, and version 0001 does without."""
    for table in _STAGED:
        op.drop_column(f"staged_{table}", "known")
    op.create_index("ix_payment_customer_number", "payment", ["customer_number"])
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, references in _REFERENCES.items():
        for column, target in references.items():
            there, key = target.split(".")
            name = op.f(f"fk_{table}_{column}")
            op.create_foreign_key(name, table, there, [column], [key], initially="DEFERRED", deferrable=True)
