"""What was staged becomes the books, in one transaction: it fits them, or is rejected; then balances are set.

Works in the database with set operations alone, the same in SQLite and PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Index,
    Select,
    Table,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from voicebot.billing.schema import (
    CUSTOMER_NUMBER,
    ITN,
    STAGED,
    Base,
    Books,
    CustomerRow,
    IdentifierRow,
    InvoiceRow,
    MeteringPointRow,
    PaymentRow,
    StagedReject,
)

_CUSTOMER, _POINT, _IDENTIFIER, _INVOICE, _PAYMENT = (
    STAGED[row] for row in (CustomerRow, MeteringPointRow, IdentifierRow, InvoiceRow, PaymentRow)
)
_KEYS = (
    _CUSTOMER.c.number,
    _POINT.c.itn,
    _IDENTIFIER.c.value,
    _INVOICE.c.number,
    _PAYMENT.c.number,
    _PAYMENT.c.invoice_number,
    _PAYMENT.c.reverses,
)
"""What staged rows are looked for by."""


def publish(books: Connection, as_of: datetime) -> int:
    """Merge what is staged into the books, within the transaction of `books`; rejects go to `staged_reject`.

    Returns how many rows are new or other than before.
    """
    with _indexed(books):
        return _publish(books, as_of)


@contextmanager
def _indexed(books: Connection) -> Iterator[None]:
    """Let SQLite find staged rows by their numbers; PostgreSQL makes hash tables of its own."""
    indexes = [] if books.dialect.name == "postgresql" else [Index(f"ix_{c.table.name}_{c.name}", c) for c in _KEYS]
    try:
        for index in indexes:
            index.create(books)
        yield
        for index in indexes:
            index.drop(books)
    finally:
        for index in indexes:
            index.table.indexes.discard(index)  # type: ignore[union-attr]


def _publish(books: Connection, as_of: datetime) -> int:
    _reject_repeats(books)
    _reject_strangers(books)
    _reject_what_does_not_add_up(books)
    changed = sum(_merge(books, row) for row in (CustomerRow, MeteringPointRow))
    _number_customers_and_points(books)
    changed += sum(_merge(books, row) for row in (IdentifierRow, PaymentRow))
    changed += _merge(books, InvoiceRow, outstanding_cents=_outstanding(_INVOICE))
    _settle_invoices_that_were_there(books)
    _date_the_books(books, as_of)
    return changed


def _reject(books: Connection, staged: Table, where: ColumnElement[bool], reason: str) -> None:
    """Move staged lines to the rejects. A line that is rejected already keeps its first reason."""
    known = exists().where(StagedReject.file_id == staged.c.file_id, StagedReject.line == staged.c.line)
    found = select(staged.c.file_id, staged.c.line, literal(reason)).where(where, ~known).distinct()
    if not books.execute(insert(StagedReject).from_select(["file_id", "line", "reason"], found)).rowcount:
        return
    for table in STAGED.values():
        gone = exists().where(StagedReject.file_id == table.c.file_id, StagedReject.line == table.c.line)
        if table is staged or table is _IDENTIFIER:
            books.execute(delete(table).where(gone))


def _reject_repeats(books: Connection) -> None:
    """Of lines with one number the first is taken; others are rejected, but for those that say the same."""
    for row, staged in STAGED.items():
        key = [c.name for c in row.__table__.primary_key]
        rest = [c.name for c in staged.c if c.name not in ("file_id", "line", *key)]
        if not books.scalar(select(exists().select_from(staged))) or not _has_repeats(books, staged, key):
            continue
        earlier = staged.alias("earlier")
        same_key = and_(*(earlier.c[name] == staged.c[name] for name in key))
        before = or_(
            earlier.c.file_id < staged.c.file_id,
            and_(earlier.c.file_id == staged.c.file_id, earlier.c.line < staged.c.line),
        )
        other = or_(*(earlier.c[name].is_distinct_from(staged.c[name]) for name in rest))
        _reject(
            books, staged, exists().where(same_key, before, other), "an earlier line gives this number other content"
        )
        books.execute(delete(staged).where(exists().where(same_key, before)))


def _has_repeats(books: Connection, staged: Table, key: list[str]) -> bool:
    columns = [staged.c[name] for name in key]
    repeated = select(literal(1)).select_from(staged).group_by(*columns).having(func.count() > 1).limit(1)
    return books.scalar(repeated) is not None


def _reject_strangers(books: Connection) -> None:
    """Reject lines that refer to what is neither in the books nor in this import."""
    for staged in (_POINT, _IDENTIFIER, _INVOICE, _PAYMENT):
        unknown = _unknown(CustomerRow, "number", staged.c.customer_number)
        _reject(books, staged, unknown, "its customer is unknown")
    _reject(
        books,
        _IDENTIFIER,
        and_(_IDENTIFIER.c.itn.is_not(None), _unknown(MeteringPointRow, "itn", _IDENTIFIER.c.itn)),
        "its metering point is unknown",
    )
    _reject(books, _INVOICE, _unknown(MeteringPointRow, "itn", _INVOICE.c.itn), "its metering point is unknown")
    _reject_moved_invoices(books)
    _reject_stray_payments(books)


def _reject_moved_invoices(books: Connection) -> None:
    """An invoice keeps its customer and currency, because payments refer to both."""
    moved = exists().where(
        InvoiceRow.number == _INVOICE.c.number,
        or_(
            InvoiceRow.customer_number != _INVOICE.c.customer_number,
            InvoiceRow.currency != _INVOICE.c.currency,
        ),
    )
    _reject(books, _INVOICE, moved, "the books have its number with another customer or currency")


def _reject_stray_payments(books: Connection) -> None:
    payment = _PAYMENT.c
    differs = exists().where(
        PaymentRow.number == payment.number,
        or_(
            PaymentRow.customer_number != payment.customer_number,
            PaymentRow.currency != payment.currency,
            PaymentRow.invoice_number.is_distinct_from(payment.invoice_number),
            PaymentRow.paid_cents != payment.paid_cents,
            PaymentRow.reverses.is_distinct_from(payment.reverses),
        ),
    )
    _reject(books, _PAYMENT, differs, "the books have its number with another sum, invoice or customer")
    paid = payment.invoice_number.is_not(None)
    _reject(
        books, _PAYMENT, and_(paid, _unknown(InvoiceRow, "number", payment.invoice_number)), "its invoice is unknown"
    )
    fits = [
        exists().where(
            invoice.number == payment.invoice_number,
            invoice.customer_number == payment.customer_number,
            invoice.currency == payment.currency,
        )
        for invoice in (InvoiceRow.__table__.c, _INVOICE.c)
    ]
    _reject(books, _PAYMENT, and_(paid, *(~fit for fit in fits)), "its invoice has another customer or currency")
    original, other = _PAYMENT.alias("original"), _PAYMENT.alias("other")
    fits = [
        exists().where(
            table.number == payment.reverses,
            table.reverses.is_(None),
            table.paid_cents == payment.paid_cents,
            table.currency == payment.currency,
            table.customer_number == payment.customer_number,
            table.invoice_number.is_not_distinct_from(payment.invoice_number),
        )
        for table in (PaymentRow.__table__.c, original.c)
    ]
    reversal = payment.reverses.is_not(None)
    _reject(
        books,
        _PAYMENT,
        and_(reversal, *(~fit for fit in fits)),
        "it takes back a payment that is unknown or not its like",
    )
    again = or_(
        exists().where(PaymentRow.reverses == payment.reverses, PaymentRow.number != payment.number),
        exists().where(other.c.reverses == payment.reverses, other.c.number < payment.number),
    )
    _reject(books, _PAYMENT, and_(reversal, again), "it takes back a payment that is taken back already")


def _reject_what_does_not_add_up(books: Connection) -> None:
    """No invoice is paid more than whole or less than not at all: else its lines of this import are rejected."""
    wrong = books.scalars(_invoices_that_would_not_add_up()).all()
    for few in _in_parts(wrong):
        reason = "its invoice would be paid more than whole: book the excess without an invoice"
        _reject(books, _PAYMENT, _PAYMENT.c.invoice_number.in_(few), reason)
        _reject(books, _INVOICE, _INVOICE.c.number.in_(few), "more was paid on it than its total")
    if wrong:
        _reject_stray_payments(books)


def _invoices_that_would_not_add_up() -> Select[str]:
    """Those touched by this import whose payments, in the books and in it, make less than 0 or more than the total."""
    live, invoice = PaymentRow.__table__, InvoiceRow.__table__
    touched = (
        select(_PAYMENT.c.invoice_number.label("number"))
        .where(_PAYMENT.c.invoice_number.is_not(None))
        .union(select(_INVOICE.c.number))
        .subquery()
    )
    # Only an invoice that is in the books can have payments there.
    there = select(touched.c.number).join(invoice, invoice.c.number == touched.c.number).cte()
    in_the_books = select(live.c.invoice_number, _effect(live)).join(there, there.c.number == live.c.invoice_number)
    new = select(_PAYMENT.c.invoice_number, _effect(_PAYMENT)).where(
        _PAYMENT.c.invoice_number.is_not(None), ~exists().where(live.c.number == _PAYMENT.c.number)
    )
    payments = in_the_books.union_all(new).subquery()
    paid = (
        select(payments.c.invoice_number, func.sum(payments.c.effect).label("paid"))
        .group_by(payments.c.invoice_number)
        .subquery()
    )
    total = func.coalesce(_INVOICE.c.total_cents, invoice.c.total_cents)
    return (
        select(paid.c.invoice_number)
        .outerjoin(_INVOICE, _INVOICE.c.number == paid.c.invoice_number)
        .outerjoin(invoice, invoice.c.number == paid.c.invoice_number)
        .where(~paid.c.paid.between(0, total))
    )


def _in_parts(numbers: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    return (numbers[begin : begin + size] for begin in range(0, len(numbers), size))


def _unknown(row: type[Base], name: str, number: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether neither the books nor this import have it."""
    return and_(*(~exists().where(table.c[name] == number) for table in (row.__table__, STAGED[row])))


def _effect(payments: FromClause) -> ColumnElement[int]:
    """What a payment takes off a debt."""
    taken = case((payments.c.reverses.is_(None), payments.c.paid_cents), else_=-payments.c.paid_cents)
    return taken.label("effect")


def _outstanding(invoice: Table) -> ColumnElement[int]:
    """What is left of an invoice by the payments in the books."""
    live = PaymentRow.__table__
    paid = select(func.sum(_effect(live))).where(live.c.invoice_number == invoice.c.number).scalar_subquery()
    return case((invoice.c.cancelled.is_(None), invoice.c.total_cents - func.coalesce(paid, 0)), else_=0)


def _merge(books: Connection, row: type[Base], **computed: ColumnElement[int]) -> int:
    """Add what is new and change what is other; says how many rows that were."""
    live: Table = row.__table__  # type: ignore[assignment]
    staged = STAGED[row]
    key = [c.name for c in live.primary_key]
    names = [c.name for c in live.c]
    source = select(*(computed[name] if name in computed else staged.c[name] for name in names)).where(true())
    make = postgresql.insert if books.dialect.name == "postgresql" else sqlite.insert
    adding = make(live).from_select(names, source)
    rest = [name for name in names if name not in key]
    other = or_(*(live.c[name].is_distinct_from(adding.excluded[name]) for name in rest))
    return books.execute(
        adding.on_conflict_do_update(
            index_elements=key, set_={name: adding.excluded[name] for name in rest}, where=other
        )
    ).rowcount


def _number_customers_and_points(books: Connection) -> None:
    """Customers are found by their own number, metering points by theirs."""
    columns = ["file_id", "line", "scheme", "value", "customer_number", "itn"]
    customers = select(
        literal(-1), _CUSTOMER.c.line, literal(CUSTOMER_NUMBER), _CUSTOMER.c.number, _CUSTOMER.c.number, literal(None)
    )
    points = select(literal(-1), _POINT.c.line, literal(ITN), _POINT.c.itn, _POINT.c.customer_number, _POINT.c.itn)
    for found in (customers, points):
        books.execute(insert(_IDENTIFIER).from_select(columns, found))
    if not books.scalar(select(exists().select_from(_POINT))):
        return
    # Further numbers of a point go where the point goes.
    moved = select(MeteringPointRow.customer_number).where(MeteringPointRow.itn == IdentifierRow.itn).scalar_subquery()
    books.execute(
        update(IdentifierRow)
        .where(IdentifierRow.itn.in_(select(_POINT.c.itn)), IdentifierRow.customer_number != moved)
        .values(customer_number=moved)
    )


def _settle_invoices_that_were_there(books: Connection) -> None:
    """Set the balance of invoices that are not in this import and got payments by it."""
    live: Table = InvoiceRow.__table__  # type: ignore[assignment]
    left = _outstanding(live)
    books.execute(
        update(InvoiceRow)
        .where(
            exists().where(_PAYMENT.c.invoice_number == InvoiceRow.number),
            ~exists().where(_INVOICE.c.number == InvoiceRow.number),
            InvoiceRow.outstanding_cents != left,
        )
        .values(outstanding_cents=left)
    )


def _date_the_books(books: Connection, as_of: datetime) -> None:
    """An import of older data does not make the books older."""
    there = books.scalar(select(Books.as_of))
    if there is None:
        books.execute(insert(Books).values(id=1, as_of=as_of, origin="import", reference_date=None))
    elif there < as_of:
        books.execute(update(Books).values(as_of=as_of))
