import csv
import io
import json
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.fakes.store import FakeStore
from tests.web.conftest import MakeApp

FIRST = {"identifier": "300000000001", "code": "demo01"}


def opened(client: TestClient, **who: str) -> TestClient:
    answer = client.post("/bg/bills", data=FIRST | who, follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"] == "/bg/bills/invoices"
    return client


@pytest.mark.parametrize("number", ["300000000001", "1000001", "300 000-000 001"])
def test_either_number_tells_sum_and_dates_and_nothing_else(client: TestClient, number: str) -> None:
    text = client.post("/bg/bills", data={"identifier": number}).text
    for told in ("45,30\xa0€", "3 декември 2026", "13 декември 2026", "22 ноември 2026"):
        assert told in text
    assert "4000000" not in text and "DEMO01" not in text and "kWh" not in text


def test_nothing_owed_and_cut_off_passed_are_told(client: TestClient) -> None:
    assert "Nothing is owed" in client.post("/en/bills", data={"identifier": "1000002"}).text
    late = client.post("/en/bills", data={"identifier": "1000003"}).text
    assert "€1,256.01" in late and "supply may be cut off" in late and "The due date has passed" in late


def test_pages_are_in_two_languages_and_the_browser_chooses(client: TestClient) -> None:
    def chosen(accept: str) -> str:
        return client.get("/bills", headers={"Accept-Language": accept}, follow_redirects=False).headers["location"]

    assert (chosen("en-GB,en;q=0.9"), chosen("fr,bg;q=0.5"), chosen("fr")) == ("/en/bills", "/bg/bills", "/bg/bills")
    assert '<html lang="en">' in client.get("/en/bills").text and client.get("/fr/bills").status_code == 422


def test_code_opens_invoices_one_invoice_and_payments_since_2004(client: TestClient) -> None:
    opened(client)
    every = client.get("/bg/bills/invoices").text
    assert "2004" in every and "<svg" in every and "частично" not in every
    number = re.findall(r"/bg/bills/invoices/(\d+)", every)[0]
    one = client.get(f"/bg/bills/invoices/{number}").text
    for told in ("17,50\xa0€", "121 kWh", "9 декември 2026", "19 декември 2026", "ДДС", "неплатена"):
        assert told in one
    of_2004 = client.get("/bg/bills/payments?year=2004").text
    assert ".2004" in of_2004 and ".2005" not in of_2004 and "лв." in of_2004
    assert "няма нищо" in client.get("/bg/bills/payments?year=1999").text.lower()


def test_invoice_in_levs_is_told_in_euro_too(client: TestClient) -> None:
    opened(client)
    of_2004 = client.get("/bg/bills/invoices?year=2004").text
    number = re.findall(r"/bg/bills/invoices/(\d+)", of_2004)[0]
    assert re.search(r"\d,\d\d\xa0лв\. \(\d+,\d\d\xa0€\)", client.get(f"/bg/bills/invoices/{number}").text)


@pytest.mark.parametrize(("lang", "delimiter", "point"), [("bg", ";", ","), ("en", ",", ".")])
def test_csv_adds_up_and_is_what_spreadsheets_of_the_country_read(
    client: TestClient, lang: str, delimiter: str, point: str
) -> None:
    opened(client)
    answer = client.get(f"/{lang}/bills/invoices.csv")
    assert answer.content.startswith("\ufeff".encode()) and "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=delimiter))
    cents = [{k: round(float(row[k].replace(point, ".")) * 100) for k in ("total", "outstanding")} for row in rows]
    assert sum(row["outstanding"] for row in cents) == 4530
    payments = client.get(f"/{lang}/bills/payments.csv").content.decode("utf-8-sig")
    paid = [row["amount"] for row in csv.DictReader(io.StringIO(payments), delimiter=delimiter)]
    assert sum(row["total"] for row in cents) - 4530 == sum(round(float(p.replace(point, ".")) * 100) for p in paid)
    assert len(client.get(f"/{lang}/bills/payments.csv?year=2004").content.decode().splitlines()) > 10


def test_itn_opens_the_same_bills(client: TestClient) -> None:
    assert "4000000" in opened(client, identifier="1000001").get("/bg/bills/invoices").text


def test_without_the_code_there_is_no_way_in(client: TestClient) -> None:
    for page in ("invoices", "payments", "invoices.csv", "payments.csv", "invoices/4000000275"):
        answer = client.get(f"/bg/bills/{page}", headers={"Cookie": "bills=nonsense"})
        assert answer.status_code == 401 and "Времето за преглед изтече" in answer.text


def test_cookie_of_another_cannot_be_made_and_ends_with_logging_out(client: TestClient) -> None:
    opened(client)
    cookie = client.cookies["bills"]
    assert "300000000001" not in cookie
    header = client.post("/bg/bills", data=FIRST, follow_redirects=False).headers["set-cookie"]
    assert "HttpOnly" in header and "SameSite=strict" in header
    client.post("/bg/bills/close")
    assert client.get("/bg/bills/invoices").status_code == 401


def test_another_customers_invoice_is_no_page(client: TestClient) -> None:
    answer = opened(client, identifier="1000002", code="DEMO02").get("/bg/bills/invoices/4000000275")
    assert answer.status_code == 404 and "Няма такава страница" in answer.text


def test_no_such_number_and_a_wrong_code_get_the_same_answer(make_app: MakeApp) -> None:
    client = TestClient(make_app(free_misses=100))
    asked = [
        {"identifier": "300000000001", "code": "DEMO09"},
        {"identifier": "300999999999", "code": "DEMO01"},
        {"identifier": "300999999999"},
    ]
    answers = [client.post("/bg/bills", data=who) for who in asked]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1


@pytest.mark.parametrize("number", ["", "12", "30000000000x", "<script>", "'; DROP TABLE invoice; --", "\0", "9" * 40])
def test_what_is_no_number_is_told_kindly_and_not_repeated(client: TestClient, number: str) -> None:
    answer = client.post("/bg/bills", data={"identifier": number})
    assert answer.status_code == 400 and "Това не е номер на клиент" in answer.text
    assert "<script>" not in answer.text and "DROP" not in answer.text


def test_address_has_its_limit(make_app: MakeApp) -> None:
    client = TestClient(make_app(per_hour=3))
    answers = [client.post("/bg/bills", data={"identifier": "1000001"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert "Твърде много справки" in answers[3].text and 0 < int(answers[3].headers["retry-after"]) <= 3600


def test_viewing_ones_own_bills_is_not_limited(make_app: MakeApp) -> None:
    client = opened(TestClient(make_app(per_hour=1)))
    assert {client.get("/bg/bills/invoices").status_code for _ in range(5)} == {200}


def test_store_that_fails_is_told_without_its_address(make_app: MakeApp) -> None:
    answer = TestClient(make_app(FakeStore(failing=True))).post("/en/bills", data={"identifier": "1000001"})
    assert answer.status_code == 503 and "cannot be read right now" in answer.text and "store" not in answer.text


def test_every_disclosure_is_recorded_by_a_keyed_hash(client: TestClient, records: Path) -> None:
    opened(client).get("/bg/bills/payments?year=2004")
    client.post("/bg/bills", data={"identifier": "1000002"})
    client.post("/bg/bills", data={"identifier": "1999999"})
    text = records.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["what"], line["found"]) for line in lines] == [
        ("history", True),
        ("payments", True),
        ("balance", True),
        ("balance", False),
    ]
    assert lines[0]["identifier"] == lines[1]["identifier"] != lines[2]["identifier"]
    assert {line["channel"] for line in lines} == {"web"}
    assert not any(number in text for number in ("300000000001", "1000002", "1999999", "testclient"))


def test_what_cannot_be_recorded_is_not_told(client: TestClient, records: Path) -> None:
    records.parent.write_text("a file where the folder should be")
    answer = client.post("/bg/bills", data={"identifier": "1000001"})
    assert answer.status_code == 503 and "45,30" not in answer.text


def test_pages_forbid_what_they_do_not_need(client: TestClient) -> None:
    for answer in (
        client.get("/bg/bills"),
        opened(client).get("/bg/bills/invoices"),
        client.get("/bg/bills/invoices.csv"),
    ):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store" and answer.headers["referrer-policy"] == "same-origin"
        assert "style=" not in answer.text and "<style" not in answer.text
    assert client.get("/bills/assets/bills.css").status_code == 200
