"""The REST adapter against the API that it is written for: a real application, with failures put in between."""

import asyncio
import hashlib

import httpx2
import pytest
from fastapi import FastAPI

from tests.billing.conftest import TODAY
from voicebot.billing.demonstration import create_demonstration
from voicebot.billing.disclosure import Disclosures
from voicebot.billing.identifier import DEFAULT_SCHEMES, Identifier
from voicebot.billing.inquiry import Inquiries, InquiryLimits
from voicebot.billing.opening import open_store
from voicebot.billing.rest import RestStore
from voicebot.billing.sql import SqlStore
from voicebot.billing.store import BillingStore, StoreUnavailable
from voicebot.settings import ApiKey
from voicebot.web.api import create_api

FIRST = Identifier("300000000001", "customer_number")
KEY = ApiKey(
    name="bot",
    sha256=hashlib.sha256(b"secret").hexdigest(),
    scopes=frozenset({"balance", "history", "known"}),
    per_hour=1_000_000,
)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    folder = tmp_path_factory.mktemp("rest")
    create_demonstration(folder / "bills.sqlite", TODAY)
    limits = InquiryLimits(answer_ms=1, most_delay_s=0)
    return create_api(
        Inquiries(SqlStore(folder / "bills.sqlite"), Disclosures(folder / "audit"), limits), DEFAULT_SCHEMES, [KEY]
    )


class Line(httpx2.AsyncBaseTransport):
    """A line to the API that fails as often as it is told to."""

    def __init__(self, api: FastAPI, *failures: int | Exception) -> None:
        self._api = httpx2.ASGITransport(app=api)
        self._failures = list(failures)
        self.asked = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        failure = self._failures.pop(0) if self._failures else None
        if isinstance(failure, Exception):
            raise failure
        if failure is not None:
            return httpx2.Response(failure, text="<html>")
        return await self._api.handle_async_request(request)


def store(line: Line, token: str = "secret", **options: float) -> RestStore:
    return RestStore("http://bills.example", token, transport=line, timeout_s=0.2, **options)  # type: ignore[arg-type]


async def test_it_tells_what_the_database_tells(api: FastAPI, demonstration: object) -> None:
    here: BillingStore = store(Line(api))
    there = SqlStore(str(demonstration))
    await here.check()
    assert await here.find(FIRST) == await there.find(FIRST)
    assert await here.history(FIRST, "DEMO01") == await there.history(FIRST, "DEMO01")
    assert await here.history(FIRST, "DEMO02") is None
    stranger = Identifier("1999999", "itn")
    assert await here.find(stranger) is None and await here.known([FIRST, stranger]) == {FIRST}
    assert await here.known([]) == frozenset()
    await here.close()


@pytest.mark.parametrize("failure", [503, 502, httpx2.ConnectError("gone"), httpx2.ReadTimeout("slow")])
async def test_passing_failure_is_not_noticed(api: FastAPI, failure: int | Exception) -> None:
    line = Line(api, failure)
    assert await store(line).find(FIRST) is not None and line.asked == 2


@pytest.mark.parametrize(
    ("failures", "reason"),
    [
        ([500], "answers with status 500"),
        ([503] * 9, "answers with status 503"),
        ([httpx2.ConnectError("gone")] * 9, "does not answer"),
        ([200], "something else than bills"),
    ],
)
async def test_lasting_failure_is_told(api: FastAPI, failures: list[int | Exception], reason: str) -> None:
    with pytest.raises(StoreUnavailable, match=reason) as refused:
        await store(Line(api, *failures)).find(FIRST)
    assert FIRST.reveal() not in str(refused.value)


async def test_wrong_key_is_told(api: FastAPI) -> None:
    with pytest.raises(StoreUnavailable, match=r"set store\.token"):
        await store(Line(api), token="stolen").find(FIRST)


async def test_sick_server_is_left_alone_and_tried_again_later(api: FastAPI) -> None:
    line = Line(api, *[500] * 3)
    tried = store(line, failures=3, recovery_s=0.3)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="status 500"):
            await tried.find(FIRST)
    for _ in range(5):
        with pytest.raises(StoreUnavailable, match="left alone"):
            await tried.find(FIRST)
    assert line.asked == 3
    await asyncio.sleep(0.4)
    assert await tried.find(FIRST) is not None


async def test_a_server_that_is_not_there_is_told() -> None:
    missing = open_store("http://127.0.0.1:9/api", timeout_s=0.2)
    with pytest.raises(StoreUnavailable, match="does not answer"):
        await missing.check()
    await missing.close()
