import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.billing.conftest import query
from tests.billing.exports import bulgarian, content, export, iso
from voicebot.billing import importing
from voicebot.billing.audit import audit
from voicebot.billing.csv_lines import UnreadableExport
from voicebot.billing.identifier import DEFAULT_SCHEMES, IdentifierScheme, IdentifierSchemes
from voicebot.billing.importing import Imported, NotImportable, import_files
from voicebot.billing.sql import SqlStore
from voicebot.billing.store import StoreUnavailable

CUSTOMERS = "customer_number,kind,authorisation_code\n300000000001,household,A1B2C3\n300000000002,business,D4E5F6\n"
POINTS = "itn,customer_number\n1000001,300000000001\n1000002,300000000002\n"
INVOICES = (
    "invoice_number,customer_number,itn,period_start,period_end,day_kwh,day_amount,vat,total,currency,issued,due\n"
)
PAYMENTS = "payment_number,customer_number,invoice_number,received,amount,currency,channel,reverses\n"


def invoice(
    number: str, total: str = "12.00", customer: int = 1, currency: str = "EUR", issued: str = "2026-03-01"
) -> str:
    vat = "2.00" if float(total) > 2 else "0.00"
    energy = f"{float(total) - float(vat):.2f}"
    who = f"30000000000{customer},100000{customer}"
    return f"{number},{who},2026-01-01,2026-01-31,100,{energy},{vat},{total},{currency},{issued},2026-03-15\n"


def payment(
    number: str, paid: str, invoice: str = "F1", customer: int = 1, currency: str = "EUR", back: str = ""
) -> str:
    return f"{number},30000000000{customer},{invoice},2026-03-10,{paid},{currency},bank,{back}\n"


def written(folder: Path, **files: str) -> list[Path]:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return [folder / f"{name}.csv" for name in files]


def bring(place: str, folder: Path, **files: str) -> list[Imported]:
    return import_files(place, written(folder, **files), DEFAULT_SCHEMES)


def reasons(of: Imported) -> list[str]:
    assert of.rejects is not None
    return [line.split(",")[1] for line in of.rejects.read_text(encoding="utf-8").splitlines()[1:]]


@pytest.mark.parametrize(
    ("form", "encoding", "delimiter"),
    [(iso, "utf-8", ","), (iso, "utf-8-sig", ";"), (bulgarian, "windows-1251", ";"), (bulgarian, "utf-8", ",")],
)
def test_every_form_of_the_same_export_makes_the_same_books(
    demonstration: Path, place: str, tmp_path: Path, form: object, encoding: str, delimiter: str
) -> None:
    files = export(demonstration, tmp_path / "csv", form=form, encoding=encoding, delimiter=delimiter)  # type: ignore[arg-type]
    done = import_files(place, files, DEFAULT_SCHEMES, as_of=datetime(2026, 11, 22, 18, tzinfo=UTC))
    assert [file.rejected for file in done] == [0, 0, 0, 0]
    assert content(place) == content(demonstration)
    assert audit(place) == audit(demonstration)


def test_same_file_again_changes_nothing(place: str, tmp_path: Path) -> None:
    files = {"customers": CUSTOMERS, "points": POINTS, "invoices": INVOICES + invoice("F1") + "bad\n"}
    first = bring(place, tmp_path, **files)
    before = content(place), query(place, "SELECT * FROM books")
    again = bring(place, tmp_path, **files)
    assert (content(place), query(place, "SELECT * FROM books")) == before
    assert [file.already for file in again] == [True] * 3
    assert (
        [(f.accepted, f.rejected) for f in again]
        == [(f.accepted, f.rejected) for f in first]
        == [(2, 0), (2, 0), (1, 1)]
    )


def test_order_of_files_does_not_matter_and_later_imports_build_on_earlier_ones(place: str, tmp_path: Path) -> None:
    bring(place, tmp_path, invoices=INVOICES + invoice("F1"), points=POINTS, customers=CUSTOMERS)
    bring(place, tmp_path, payments=PAYMENTS + payment("P1", "5.00"))
    assert query(place, "SELECT outstanding_cents FROM invoice") == [(700,)]
    bring(place, tmp_path, more=PAYMENTS + payment("P2", "7.00") + payment("R1", "5.00", back="P1"))
    assert query(place, "SELECT outstanding_cents FROM invoice") == [(500,)]
    assert audit(place).faults == ()


def test_corrected_invoice_replaces_the_old_one_and_keeps_its_payments(place: str, tmp_path: Path) -> None:
    bring(place, tmp_path, c=CUSTOMERS, p=POINTS, i=INVOICES + invoice("F1"), pay=PAYMENTS + payment("P1", "5.00"))
    bring(place, tmp_path, corrected=INVOICES + invoice("F1", "9.00"))
    assert query(place, "SELECT total_cents, outstanding_cents FROM invoice") == [(900, 400)]
    refused = bring(place, tmp_path, too_small=INVOICES + invoice("F1", "4.00"))[0]
    assert reasons(refused) == ["more was paid on it than its total"]
    assert query(place, "SELECT total_cents, outstanding_cents FROM invoice") == [(900, 400)]


async def test_cancelled_invoice_is_owed_no_more_and_its_payments_are_credit(place: str, tmp_path: Path) -> None:
    bring(place, tmp_path, c=CUSTOMERS, p=POINTS, i=INVOICES + invoice("F1"), pay=PAYMENTS + payment("P1", "5.00"))
    cancelled = INVOICES.replace("due", "due,cancelled") + invoice("F1").replace("\n", ",2026-04-01\n")
    bring(place, tmp_path, cancelled=cancelled)
    store = SqlStore(place)
    account = await store.find(DEFAULT_SCHEMES.parse("1000001"))
    await store.close()
    assert account is not None and (str(account.owed), str(account.credit)) == ("0.00 EUR", "5.00 EUR")


async def test_further_numbers_lead_to_the_same_bills(place: str, tmp_path: Path) -> None:
    schemes = IdentifierSchemes([*DEFAULT_SCHEMES.schemes, IdentifierScheme("subscriber_number", 10)])
    points = "itn;customer_number;subscriber_number\n1000001;300000000001;5000000001\n1000002;300000000002;\n"
    files = written(tmp_path, customers=CUSTOMERS, points=points, invoices=INVOICES + invoice("F1"))
    assert sum(file.rejected for file in import_files(place, files, schemes)) == 0
    store = SqlStore(place)
    account = await store.find(schemes.parse("5000000001"))
    assert account is not None and str(account.owed) == "12.00 EUR"
    moved = written(tmp_path, moved="itn,customer_number\n1000001,300000000002\n")
    import_files(place, moved, schemes)
    account = await store.find(schemes.parse("5000000001"))
    await store.close()
    assert account is not None and account.kind == "business" and str(account.owed) == "0.00 EUR"
    assert audit(place).faults == ()


GOOD = invoice("F1").strip().split(",")
NASTY = {
    "too few": ("F2,300000000001", "2 columns in place of 12"),
    "too many": (",".join([*GOOD, "x"]), "13 columns in place of 12"),
    "nulls": (",".join(["F\0", *GOOD[1:]]), "invoice_number is not a number"),
    "only nulls": ("\0" * 50, "1 columns"),
    "empty fields": ("," * 11, "is not a sum"),
    "an open quote": ('"' + ",".join(GOOD), "quotation marks"),
    "a quote inside": ('F"2,' + ",".join(GOOD[1:]), "invoice_number is not a number"),
    "SQL": (",".join(["F1'; DROP TABLE invoice; --", *GOOD[1:]]), "invoice_number is not a number"),
    "a huge sum": (",".join([*GOOD[:8], "9" * 15, *GOOD[9:]]), "more than anybody pays"),
    "a huger sum": (",".join([*GOOD[:8], "9" * 400, *GOOD[9:]]), "is not a sum"),
    "a negative sum": (",".join([*GOOD[:8], "-12.00", *GOOD[9:]]), "is not a sum"),
    "an infinite sum": (",".join([*GOOD[:8], "inf", *GOOD[9:]]), "is not a sum"),
    "an exponent": (",".join([*GOOD[:8], "1e3", *GOOD[9:]]), "is not a sum"),
    "a thousand or one": (",".join([*GOOD[:8], "1.234", *GOOD[9:]]), "is not a sum"),
    "Arabic digits": (",".join([*GOOD[:5], "١٠٠", *GOOD[6:]]), "kilowatt hours"),
    "huge energy": (",".join([*GOOD[:5], "99999999999", *GOOD[6:]]), "kilowatt hours"),
    "no leap day": (",".join([*GOOD[:10], "2026-02-29", GOOD[11]]), "is not a date"),
    "the year 0": (",".join([*GOOD[:10], "0000-01-01", GOOD[11]]), "is not a date"),
    "an American date": (",".join([*GOOD[:10], "03/01/2026", GOOD[11]]), "is not a date"),
    "due before issue": (",".join([*GOOD[:10], "2026-04-01", GOOD[11]]), "out of order"),
    "wrong total": (",".join([*GOOD[:8], "12.01", *GOOD[9:]]), "do not make its total"),
    "dollars": (",".join([*GOOD[:9], "USD", *GOOD[10:]]), "currency is none of"),
    "a short number": (",".join([GOOD[0], "30000000001", *GOOD[2:]]), "does not follow its scheme"),
    "a stranger": (",".join(["F9", "300000000009", *GOOD[2:]]), "its customer is unknown"),
    "a strange point": (",".join(["F8", GOOD[1], "1999999", *GOOD[3:]]), "its metering point is unknown"),
    "the same number again": (",".join([*GOOD[:5], "101", *GOOD[6:]]), "an earlier line"),
    "a monster": ("x" * 50_000, "longer than"),
}


def test_nasty_lines_are_rejected_one_by_one_and_the_others_taken(place: str, tmp_path: Path) -> None:
    path = tmp_path / "nasty.csv"
    lines = [INVOICES.encode(), invoice("F1").encode()]
    for n, (line, _) in enumerate(NASTY.values()):
        lines += [line.encode() + b"\r\n", invoice(f"G{n}").encode(), b"\n"]
    lines += ["фактура".encode("windows-1251") + b"," * 11 + b"\n", b"\xff\xfe" + invoice("F5").encode()]
    path.write_bytes(b"".join(lines))
    bring(place, tmp_path, customers=CUSTOMERS, points=POINTS)
    [done] = import_files(place, [path], DEFAULT_SCHEMES, encoding="utf-8")
    assert done.rejects is not None and stat.S_IMODE(done.rejects.stat().st_mode) == 0o600
    rejected = {}
    for line in done.rejects.read_text(encoding="utf-8").split("\n")[1:]:
        number, _, rest = line.partition(",")
        if number.isdigit():
            rejected[int(number)] = rest
    assert list(rejected) == [*range(3, 3 + 3 * len(NASTY), 3), 3 + 3 * len(NASTY), 4 + 3 * len(NASTY)]
    for (line, reason), told in zip(NASTY.values(), rejected.values(), strict=False):
        assert reason in told, line
    assert "not utf-8" in rejected[3 + 3 * len(NASTY)]
    assert done.accepted == 1 + len(NASTY)
    assert query(place, "SELECT COUNT(*) FROM invoice") == [(1 + len(NASTY),)]
    assert not any("30000000000" in reason.rpartition(",F")[0].split('"')[0] for reason in rejected.values())


PAID = {
    "more than whole": (
        [payment("P1", "12.01")],
        ["its invoice would be paid more than whole: book the excess without an invoice"],
    ),
    "more than whole in parts": ([payment("P1", "12.00"), payment("P2", "0.01")], 2),
    "nothing": ([payment("P1", "0.00")], ["nothing was paid"]),
    "another's": ([payment("P1", "1.00", customer=2)], ["its invoice has another customer or currency"]),
    "in levs": ([payment("P1", "1.00", currency="BGN")], ["its invoice has another customer or currency"]),
    "no invoice": ([payment("P1", "1.00", "F9")], ["its invoice is unknown"]),
    "back what never came": ([payment("P1", "1.00", back="P9")], 1),
    "back in part": ([payment("P1", "2.00"), payment("P2", "1.00", back="P1")], 1),
    "back twice": ([payment("P1", "2.00"), payment("P2", "2.00", back="P1"), payment("P3", "2.00", back="P1")], 1),
    "back what was taken back": (
        [payment("P1", "2.00"), payment("P2", "2.00", back="P1"), payment("P3", "2.00", back="P2")],
        1,
    ),
    "once and otherwise": (
        [payment("P1", "2.00"), payment("P1", "3.00")],
        ["an earlier line gives this number other content"],
    ),
    "once and again": ([payment("P1", "2.00"), payment("P1", "2.00")], []),
}


@pytest.mark.parametrize("how", PAID)
def test_payments_that_do_not_add_up_are_rejected(place: str, tmp_path: Path, how: str) -> None:
    lines, expected = PAID[how]
    bring(place, tmp_path, customers=CUSTOMERS, points=POINTS, invoices=INVOICES + invoice("F1"))
    [done] = bring(place, tmp_path, payments=PAYMENTS + "".join(lines))
    if isinstance(expected, int):
        assert done.rejected == expected
    else:
        assert done.rejected == len(expected) and (not expected or reasons(done) == expected)
    assert audit(place).faults == ()


def test_payment_once_booked_is_changed_by_a_reversal_alone(place: str, tmp_path: Path) -> None:
    bring(place, tmp_path, c=CUSTOMERS, p=POINTS, i=INVOICES + invoice("F1"), pay=PAYMENTS + payment("P1", "5.00"))
    [done] = bring(place, tmp_path, again=PAYMENTS + payment("P1", "6.00"))
    assert reasons(done) == ["the books have its number with another sum"] or done.rejected == 1
    assert query(place, "SELECT paid_cents FROM payment") == [(500,)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no known kind"),
        ("a,b\n1,2\n", "no known kind"),
        (CUSTOMERS.replace("kind", "kind,name", 1), 'column "name", which is unknown'),
        (POINTS.replace("itn,", "itn,itn,", 1), "a column twice"),
    ],
)
def test_file_of_no_known_kind_is_refused_before_anything_is_read(tmp_path: Path, text: str, reason: str) -> None:
    store = tmp_path / "bills.sqlite"
    with pytest.raises(UnreadableExport, match=reason):
        bring(str(store), tmp_path, customers=CUSTOMERS, odd=text)
    assert not store.exists()


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableExport, match="cannot be read"):
        import_files(tmp_path / "bills.sqlite", [tmp_path / "none.csv"], DEFAULT_SCHEMES)


def test_demonstration_is_not_mixed_with_real_bills(books: str, tmp_path: Path) -> None:
    with pytest.raises(NotImportable, match="demonstration bills"):
        bring(books, tmp_path, customers=CUSTOMERS)


def test_older_data_do_not_make_the_books_older(place: str, tmp_path: Path) -> None:
    new, old = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    import_files(place, written(tmp_path, customers=CUSTOMERS), DEFAULT_SCHEMES, as_of=new)
    before = query(place, "SELECT as_of FROM books")
    import_files(place, written(tmp_path, points=POINTS), DEFAULT_SCHEMES, as_of=old)
    assert query(place, "SELECT as_of FROM books") == before


def test_one_import_runs_at_a_time(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "LOCK_WAIT_S", 1)
    refused: list[str] = []

    def meanwhile(*_: object) -> None:
        with pytest.raises(NotImportable) as refusal:
            bring(place, tmp_path, points=POINTS)
        refused.append(str(refusal.value))

    import_files(place, written(tmp_path, customers=CUSTOMERS), DEFAULT_SCHEMES, progress=meanwhile)
    assert refused and all("Another import" in each for each in refused)


def test_readers_see_the_old_books_until_all_files_are_in(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(place, tmp_path, customers=CUSTOMERS, points=POINTS, invoices=INVOICES + invoice("F1"))
    before = content(place)
    seen = []
    monkeypatch.setattr(importing, "_conclude", watching(importing._conclude, lambda: seen.append(content(place))))
    more = {"invoices": INVOICES + invoice("F2"), "payments": PAYMENTS + payment("P1", "12.00", "F2")}
    bring(place, tmp_path, **more)
    assert seen == [before] and content(place) != before


def watching(function, also):  # type: ignore[no-untyped-def]
    def both(*arguments: object) -> object:
        also()
        return function(*arguments)

    return both


def test_interrupted_import_goes_on_where_it_was(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH_LINES", 10)
    files = {"c": CUSTOMERS, "p": POINTS, "i": INVOICES + "".join(invoice(f"F{n}") for n in range(100)) + "bad\n"}
    read = []

    def stop(path: Path, done: int, total: int) -> None:
        read.append(done)
        if path.name == "i.csv" and done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_files(place, written(tmp_path, **files), DEFAULT_SCHEMES, progress=stop)
    assert query(place, "SELECT COUNT(*) FROM invoice") == [(0,)]
    begun = []
    done = import_files(place, written(tmp_path, **files), DEFAULT_SCHEMES, progress=lambda *at: begun.append(at[1]))
    assert read[-1] in begun and [file.accepted for file in done] == [2, 2, 100]
    assert query(place, "SELECT COUNT(*) FROM invoice") == [(100,)] and reasons(done[2]) == [
        "it has 1 columns in place of 12"
    ]


def test_another_command_forgets_what_an_interrupted_one_has_read(place: str, tmp_path: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_files(place, written(tmp_path, c=CUSTOMERS), DEFAULT_SCHEMES, progress=stop)
    bring(place, tmp_path, c=CUSTOMERS.replace("A1B2C3", "ZZZZZZ"))
    assert ("ZZZZZZ",) in query(place, "SELECT code FROM customer")


def test_rejects_that_cannot_be_written_lose_nothing(place: str, tmp_path: Path) -> None:
    files = written(tmp_path, customers=CUSTOMERS + "bad\n")
    with pytest.raises(NotImportable, match="--rejects FOLDER"):
        import_files(place, files, DEFAULT_SCHEMES, rejects=tmp_path / "nowhere")
    [done] = import_files(place, files, DEFAULT_SCHEMES, rejects=tmp_path)
    assert done.already and reasons(done) == ["it has 1 columns in place of 3"]


def test_place_that_cannot_hold_a_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="name another place with --store"):
        bring(str(tmp_path / "file" / "bills.sqlite"), tmp_path, customers=CUSTOMERS)


def test_nothing_is_left_beside_an_sqlite_store_but_its_lock(tmp_path: Path) -> None:
    bring(str(tmp_path / "store" / "bills.sqlite"), tmp_path, customers=CUSTOMERS)
    assert sorted(os.listdir(tmp_path / "store")) == [".bills.sqlite.import", "bills.sqlite"]
