"""What was staged becomes the books, in one transaction: it fits them, or is rejected; then balances are set.

Works in the database with set operations alone, the same in SQLite and PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Index,
    MetaData,
    Select,
    String,
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
_PAID = Table(
    "paid", MetaData(), Column("invoice_number", String), Column("paid_cents", BigInteger), prefixes=["TEMPORARY"]
)
"""What is paid on each invoice that this import touches, by the payments in the books and by its new ones."""


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
    _mark_known(books, CustomerRow, MeteringPointRow, InvoiceRow, PaymentRow)
    _reject_strangers(books)
    _PAID.create(books)
    _reject_what_does_not_add_up(books)
    changed = sum(_merge(books, row) for row in (CustomerRow, MeteringPointRow))
    _number_customers_and_points(books)
    changed += sum(_merge(books, row) for row in (IdentifierRow, InvoiceRow))
    _settle_invoices_that_were_there(books)
    changed += _merge(books, PaymentRow)
    _PAID.drop(books)
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
        rest = [c.name for c in staged.c if c.name not in ("file_id", "line", "known", *key)]
        if not _any(books, staged) or not _has_repeats(books, staged, key):
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


def _any(books: Connection, staged: Table, *where: ColumnElement[bool]) -> bool:
    return bool(books.scalar(select(exists(select(staged.c.line).where(*where)))))


def _has_repeats(books: Connection, staged: Table, key: list[str]) -> bool:
    columns = [staged.c[name] for name in key]
    repeated = select(literal(1)).select_from(staged).group_by(*columns).having(func.count() > 1).limit(1)
    return books.scalar(repeated) is not None


def _mark_known(books: Connection, *rows: type[Base]) -> None:
    """Find the numbers that the books have already, once for all that follows: of most exports there is none."""
    for row in rows:
        live: Table = row.__table__  # type: ignore[assignment]
        staged = STAGED[row]
        there = exists().where(*(key == staged.c[key.name] for key in live.primary_key))
        books.execute(update(staged).where(there).values(known=true()))


def _reject_strangers(books: Connection) -> None:
    """Reject lines that refer to what is neither in the books nor in this import."""
    for staged in (_POINT, _IDENTIFIER):
        unknown = _unknown(CustomerRow, "number", staged.c.customer_number)
        _reject(books, staged, unknown, "its customer is unknown")
    _reject(
        books,
        _IDENTIFIER,
        and_(_IDENTIFIER.c.itn.is_not(None), _unknown(MeteringPointRow, "itn", _IDENTIFIER.c.itn)),
        "its metering point is unknown",
    )
    _reject_stray_invoices(books)
    _reject_stray_payments(books)


def _reject_stray_invoices(books: Connection) -> None:
    # A point's customer is there: of an invoice for whoever is supplied at its point nothing else is asked.
    points = MeteringPointRow.__table__.c, _POINT.c
    supplied = [
        exists().where(point.itn == _INVOICE.c.itn, point.customer_number == _INVOICE.c.customer_number)
        for point in points
    ]
    other = and_(*(~each for each in supplied))
    if _any(books, _INVOICE, other):
        stranger = _unknown(CustomerRow, "number", _INVOICE.c.customer_number)
        _reject(books, _INVOICE, and_(other, stranger), "its customer is unknown")
        unknown = _unknown(MeteringPointRow, "itn", _INVOICE.c.itn)
        _reject(books, _INVOICE, and_(other, unknown), "its metering point is unknown")
    # It keeps its customer and currency, because payments refer to both.
    moved = exists().where(
        InvoiceRow.number == _INVOICE.c.number,
        or_(
            InvoiceRow.customer_number != _INVOICE.c.customer_number,
            InvoiceRow.currency != _INVOICE.c.currency,
        ),
    )
    _reject(
        books, _INVOICE, and_(_INVOICE.c.known, moved), "the books have its number with another customer or currency"
    )


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
    reason = "the books have its number with another sum, invoice or customer"
    _reject(books, _PAYMENT, and_(payment.known, differs), reason)
    # An invoice's customer is there: of a payment that fits its invoice nothing else is asked.
    stranger = _unknown(CustomerRow, "number", payment.customer_number)
    _reject(books, _PAYMENT, and_(payment.invoice_number.is_(None), stranger), "its customer is unknown")
    fits = [
        exists().where(
            invoice.number == payment.invoice_number,
            invoice.customer_number == payment.customer_number,
            invoice.currency == payment.currency,
        )
        for invoice in (InvoiceRow.__table__.c, _INVOICE.c)
    ]
    misfit = and_(payment.invoice_number.is_not(None), *(~fit for fit in fits))
    if _any(books, _PAYMENT, misfit):
        unknown = _unknown(InvoiceRow, "number", payment.invoice_number)
        _reject(books, _PAYMENT, and_(misfit, stranger), "its customer is unknown")
        _reject(books, _PAYMENT, and_(misfit, unknown), "its invoice is unknown")
        _reject(books, _PAYMENT, misfit, "its invoice has another customer or currency")
    if _any(books, _PAYMENT, payment.reverses.is_not(None)):
        _reject_stray_reversals(books)


def _reject_stray_reversals(books: Connection) -> None:
    payment, other = _PAYMENT.c, _PAYMENT.alias("other").c
    fits = [
        exists().where(
            original.number == payment.reverses,
            original.reverses.is_(None),
            original.paid_cents == payment.paid_cents,
            original.currency == payment.currency,
            original.customer_number == payment.customer_number,
            original.invoice_number.is_not_distinct_from(payment.invoice_number),
        )
        for original in (PaymentRow.__table__.c, other)
    ]
    misfit = and_(payment.reverses.is_not(None), *(~fit for fit in fits))
    _reject(books, _PAYMENT, misfit, "it takes back a payment that is unknown or not its like")
    for again in (
        exists().where(PaymentRow.reverses == payment.reverses, PaymentRow.number != payment.number),
        exists().where(other.reverses == payment.reverses, other.number < payment.number),
    ):
        _reject(books, _PAYMENT, again, "it takes back a payment that is taken back already")


def _reject_what_does_not_add_up(books: Connection) -> None:
    """No invoice is paid more than whole or less than not at all: else its lines of this import are rejected."""
    _add_up(books)
    wrong = books.scalars(_invoices_that_would_not_add_up()).all()
    for few in _in_parts(wrong):
        reason = "its invoice would be paid more than whole: book the excess without an invoice"
        _reject(books, _PAYMENT, _PAYMENT.c.invoice_number.in_(few), reason)
        _reject(books, _INVOICE, _INVOICE.c.number.in_(few), "more was paid on it than its total")
    if wrong:
        _reject_stray_payments(books)
        _add_up(books)


def _invoices_that_would_not_add_up() -> Select[str]:
    """Those on which less than 0 or more than the total would be paid."""
    paid, invoice = _PAID.c, InvoiceRow.__table__.c
    total_there = select(invoice.total_cents).where(invoice.number == paid.invoice_number).scalar_subquery()
    return (
        select(paid.invoice_number)
        .outerjoin(_INVOICE, _INVOICE.c.number == paid.invoice_number)
        .where(~paid.paid_cents.between(0, func.coalesce(_INVOICE.c.total_cents, total_there)))
    )


def _add_up(books: Connection) -> None:
    live = PaymentRow.__table__
    new = select(_PAYMENT.c.invoice_number, _effect(_PAYMENT)).where(
        _PAYMENT.c.invoice_number.is_not(None), ~_PAYMENT.c.known
    )
    # Only an invoice that is in the books can have payments there.
    paid_there = new.with_only_columns(_PAYMENT.c.invoice_number).except_(select(_INVOICE.c.number)).subquery()
    corrected = select(_INVOICE.c.number).where(_INVOICE.c.known)
    there = select(paid_there.c.invoice_number).union(corrected).subquery()
    in_the_books = select(live.c.invoice_number, _effect(live)).join(
        there, there.c.invoice_number == live.c.invoice_number
    )
    effects = in_the_books.union_all(new).subquery()
    sums = select(effects.c.invoice_number, func.sum(effects.c.effect)).group_by(effects.c.invoice_number)
    books.execute(delete(_PAID))
    books.execute(insert(_PAID).from_select(["invoice_number", "paid_cents"], sums))


def _in_parts(numbers: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    return (numbers[begin : begin + size] for begin in range(0, len(numbers), size))


def _unknown(row: type[Base], name: str, number: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether neither the books nor this import have it."""
    return and_(*(~exists().where(table.c[name] == number) for table in (row.__table__, STAGED[row])))


def _effect(payments: FromClause) -> ColumnElement[int]:
    """What a payment takes off a debt."""
    taken = case((payments.c.reverses.is_(None), payments.c.paid_cents), else_=-payments.c.paid_cents)
    return taken.label("effect")


def _outstanding(invoice: FromClause) -> ColumnElement[int]:
    """What is left of an invoice."""
    return case((invoice.c.cancelled.is_(None), invoice.c.total_cents - func.coalesce(_PAID.c.paid_cents, 0)), else_=0)


def _merge(books: Connection, row: type[Base]) -> int:
    """Add what is new and change what is other; says how many rows that were."""
    live: Table = row.__table__  # type: ignore[assignment]
    staged = STAGED[row]
    key = [c.name for c in live.primary_key]
    names = [c.name for c in live.c]
    source = select(*(staged.c[name] if name in staged.c else _outstanding(staged) for name in names))
    if row is InvoiceRow:
        source = source.outerjoin_from(staged, _PAID, _PAID.c.invoice_number == staged.c.number)
    added = books.execute(insert(live).from_select(names, source.where(~staged.c.known))).rowcount
    make = postgresql.insert if books.dialect.name == "postgresql" else sqlite.insert
    changing = make(live).from_select(names, source.where(staged.c.known))
    rest = [name for name in names if name not in key]
    other = or_(*(live.c[name].is_distinct_from(changing.excluded[name]) for name in rest))
    changed = books.execute(
        changing.on_conflict_do_update(
            index_elements=key, set_={name: changing.excluded[name] for name in rest}, where=other
        )
    ).rowcount
    return added + changed


def _number_customers_and_points(books: Connection) -> None:
    """Customers are found by their own number, metering points by theirs."""
    columns = ["file_id", "line", "scheme", "value", "customer_number", "itn"]
    customers = select(
        literal(-1), _CUSTOMER.c.line, literal(CUSTOMER_NUMBER), _CUSTOMER.c.number, _CUSTOMER.c.number, literal(None)
    )
    points = select(literal(-1), _POINT.c.line, literal(ITN), _POINT.c.itn, _POINT.c.customer_number, _POINT.c.itn)
    for found in (customers, points):
        books.execute(insert(_IDENTIFIER).from_select(columns, found))
    _mark_known(books, IdentifierRow)
    if not _any(books, _POINT):
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
    staged = exists().where(_INVOICE.c.number == _PAID.c.invoice_number)
    books.execute(
        update(InvoiceRow)
        .where(InvoiceRow.number == _PAID.c.invoice_number, ~staged)
        .values(outstanding_cents=_outstanding(InvoiceRow.__table__))
    )


def _date_the_books(books: Connection, as_of: datetime) -> None:
    """An import of older data does not make the books older."""
    there = books.scalar(select(Books.as_of))
    if there is None:
        books.execute(insert(Books).values(id=1, as_of=as_of, origin="import", reference_date=None))
    elif there < as_of:
        books.execute(update(Books).values(as_of=as_of))
