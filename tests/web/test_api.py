import json
from pathlib import Path

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis.config import SchemathesisConfig

from tests.fakes.store import FakeStore
from tests.web.conftest import MakeApp, bearer
from voicebot.settings import ApiKey

WHOLE = bearer("whole")


def ask(client: TestClient, path: str, key: str = "whole", **question: object) -> tuple[int, dict[str, object]]:
    answer = client.post(f"/api/v1/{path}", json=question, headers=bearer(key))
    return answer.status_code, answer.json()


def test_balance_is_told_with_the_number_masked(client: TestClient) -> None:
    status, balance = ask(client, "balance", identifier="300000000001")
    assert status == 200 and balance["identifier"] == "••••••••••01"
    assert balance["owed"] == {"amount": "45.30", "currency": "EUR"}
    assert (balance["nearest_due"], balance["cut_off"]) == ("2026-12-03", "2026-12-13")


def test_history_asks_for_the_code_and_may_be_of_one_year(client: TestClient) -> None:
    status, history = ask(client, "history", identifier="1000001", code="demo01", year=2004)
    assert status == 200 and history["payments"]
    assert {invoice["issued"][:4] for invoice in history["invoices"]} == {"2004"}  # type: ignore[index,attr-defined]
    assert ask(client, "history", identifier="1000001", code="DEMO02") == ask(
        client, "history", identifier="1999999", code="DEMO01"
    )


def test_known_numbers_are_told_to_bots(client: TestClient) -> None:
    assert ask(client, "known", identifiers=["1000001", "1999999"]) == (200, {"known": ["1000001"]})


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eDp5"}, bearer("stolen"), bearer("")])
def test_without_a_key_nothing_is_told(client: TestClient, headers: dict[str, str]) -> None:
    answer = client.post("/api/v1/balance", json={"identifier": "1000001"}, headers=headers)
    assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"


def test_key_opens_its_scopes_alone(client: TestClient) -> None:
    assert ask(client, "balance", "balance", identifier="1000001")[0] == 200
    for path, question in (("history", {"identifier": "1000001", "code": "DEMO01"}), ("known", {"identifiers": []})):
        status, problem = ask(client, path, "balance", **question)
        assert status == 403 and path in str(problem["detail"])


def test_key_has_its_limit(client: TestClient, monkeypatch: pytest.MonkeyPatch, make_app: MakeApp) -> None:
    from tests.web import conftest

    monkeypatch.setattr(conftest, "ApiKey", lambda **key: ApiKey(**key | {"per_hour": 2}))
    limited = TestClient(make_app())
    answers = [limited.post("/api/v1/balance", json={"identifier": "1000001"}, headers=WHOLE) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429] and int(answers[2].headers["retry-after"]) > 0


def test_failing_store_is_told_without_its_place(make_app: MakeApp) -> None:
    client = TestClient(make_app(FakeStore(failing=True)))
    status, problem = ask(client, "balance", identifier="1000001")
    assert status == 503 and "store" not in str(problem)
    assert client.get("/api/v1/status", headers=WHOLE).status_code == 503


def test_disclosures_name_the_key_by_its_hash(client: TestClient, records: Path) -> None:
    ask(client, "balance", identifier="1000001")
    [line] = map(json.loads, records.read_text().splitlines())
    assert line["channel"] == "api" and line["found"] and "whole" not in json.dumps(line)


def test_schemathesis_finds_nothing(make_app: MakeApp) -> None:
    """Every operation, with good and bad questions, keeps to the description that the application gives of itself."""
    app = make_app()
    config = SchemathesisConfig.from_dict({"generation": {"max-examples": 60}})
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, config=config)
    tried = set()

    for operation in schema.get_all_operations():
        case_strategy = operation.ok().as_strategy()

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=case_strategy)
        def check(case: schemathesis.Case) -> None:
            tried.add(case.operation.label)
            case.call_and_validate(headers=WHOLE)

        check()
    assert len(tried) == 4
