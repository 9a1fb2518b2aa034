"""Calls over HTTP and WebRTC, with fakes behind the ports and a visitor without a browser."""

import asyncio
import gc
import os
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import jwt
import pytest
import uvicorn
from fastapi import FastAPI

from tests.fakes.sound import speechlike
from voicebot.call import Services
from voicebot.scenarios.visitor import Visitor
from voicebot.settings import IceServer, WebRtc
from voicebot.switchboard import Switchboard
from voicebot.web.app import create_app

SECRET = "a secret of at least thirty-two characters"
CHOSEN = WebRtc.model_validate({"token_secret": SECRET, "allowed_origins": ["https://www.example.org"]})


@asynccontextmanager
async def served(
    services: Services, chosen: WebRtc = CHOSEN, most_calls: int = 10
) -> AsyncIterator[tuple[httpx2.AsyncClient, FastAPI, Switchboard]]:
    switchboard = Switchboard(services, most_calls)
    app = create_app(switchboard, webrtc=chosen)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            yield http, app, switchboard
        server.should_exit = True


@asynccontextmanager
async def calling(http: httpx2.AsyncClient, visitor: Visitor) -> AsyncIterator[str]:
    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(visitor.listen())
        try:
            yield await visitor.ring(http)
        finally:
            listening.cancel()
            await visitor.close()


async def idle(app: FastAPI, switchboard: Switchboard) -> None:
    async with asyncio.timeout(20):
        while app.state.door.calls.live or switchboard.live:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def token(**claims: object) -> str:
    return jwt.encode({"aud": "voicebot", "exp": int(time.time()) + 60} | claims, SECRET, "HS256")


def bearer(good: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {good}", "Content-Type": "application/sdp"}


async def test_a_spoken_call_is_held_and_captioned(services: Services) -> None:
    async with served(services) as (http, app, switchboard):
        visitor = Visitor([speechlike(700)] * 3)
        async with calling(http, visitor):
            await visitor.until(lambda: visitor.told(type="ended", reason="completed"))
        await idle(app, switchboard)
    assert visitor.captions("caller") == ["300 000 000 001", "yes", "end"]
    told = " ".join(visitor.captions("bot"))
    assert "Чух: 300 000 000 001. Правилно ли е?" in told and "на стойност 45,30 евро" in told


async def test_keys_stop_the_greeting_and_its_caption(services: Services) -> None:
    async with served(services) as (http, _, _):
        visitor = Visitor()
        async with calling(http, visitor):
            await visitor.until(lambda: visitor.state == "speaking")
            visitor.press("300000000001#")
            await visitor.until(lambda: "45,30 евро" in " ".join(visitor.captions("bot")))
        assert "Моля, кажете" not in visitor.captions("bot")[0]
        assert visitor.captions("caller") == ["300 000 000 001"]


async def test_a_call_ends_by_delete_and_is_gone_then(services: Services) -> None:
    async with served(services) as (http, app, switchboard):
        visitor = Visitor()
        async with calling(http, visitor) as location:
            await visitor.until(lambda: visitor.state == "speaking")
            assert (await http.delete(location)).status_code == 200
            async with asyncio.timeout(20):
                await visitor.over.wait()
        await idle(app, switchboard)
        assert (await http.delete(location)).status_code == 404


async def test_whoever_goes_away_in_mid_sentence_leaves_nothing_behind(services: Services) -> None:
    async with served(services) as (http, app, switchboard):
        visitor = Visitor([speechlike(5000)])
        async with calling(http, visitor):
            await visitor.until(lambda: visitor.state == "listening")
        await idle(app, switchboard)


async def test_going_down_tells_the_visitor(services: Services) -> None:
    visitor = Visitor()
    async with served(services) as (http, _, _), asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(visitor.listen())
        await visitor.ring(http)
        await visitor.until(lambda: visitor.state == "speaking")
        listening.cancel()
    assert visitor.told(type="ended", reason="going_down")
    await visitor.close()


async def test_limits_for_an_address_and_in_all(services: Services) -> None:
    chosen = CHOSEN.model_copy(update={"most_calls_per_address": 1})
    async with served(services, chosen) as (http, _, _), calling(http, Visitor()):
        second = Visitor()
        refused = await http.post("/webrtc/calls", content=await second.offer(), headers=bearer(token()))
        assert refused.status_code == 429 and refused.headers["retry-after"]
        await second.close()
    async with served(services, most_calls=0) as (http, app, _):
        visitor = Visitor()
        refused = await http.post("/webrtc/calls", content=await visitor.offer(), headers=bearer(token()))
        assert refused.status_code == 503 and refused.json()["title"] == "Service Unavailable"
        assert app.state.door.calls.live == 0
        await visitor.close()


@pytest.mark.parametrize(
    "authorization, reason",
    [
        ("", "no token"),
        ("Bearer junk", "none of this bot"),
        (f"Bearer {token(exp=int(time.time()) - 1)}", "expired"),
        (f"Bearer {token(aud='another', exp=2**33)}", "none of this bot"),
        (f"Bearer {token(origin='https://another.example', exp=2**33)}", "another site"),
        (f"Bearer {jwt.encode({'aud': 'voicebot', 'exp': 2**33}, 'x' * 40, 'HS256')}", "none of this bot"),
        (f"Bearer {jwt.encode({'aud': 'voicebot', 'exp': 2**33}, None, 'none')}", "none of this bot"),
        (f"Bearer {jwt.encode({'aud': 'voicebot'}, SECRET, 'HS256')}", "none of this bot"),
    ],
)
async def test_a_token_that_is_not_good_is_refused(services: Services, authorization: str, reason: str) -> None:
    async with served(services) as (http, _, _):
        headers = {"Authorization": authorization, "Origin": "https://www.example.org"}
        answer = await http.post("/webrtc/calls", content="v=0", headers=headers)
    assert answer.status_code == 401 and reason in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_site_that_is_not_allowed_can_read_why(services: Services) -> None:
    async with served(services) as (http, _, _):
        answer = await http.post("/webrtc/token", headers={"Origin": "https://other.example"})
        assert answer.status_code == 403 and "allowed origins" in answer.json()["detail"]
        assert answer.headers["access-control-allow-origin"] == "*"
        allowed = await http.post("/webrtc/token", headers={"Origin": "https://www.example.org"})
        assert allowed.headers["access-control-allow-origin"] == "https://www.example.org"
        asked = {"Origin": "https://www.example.org", "Access-Control-Request-Method": "DELETE"}
        assert (await http.options("/webrtc/calls/1", headers=asked)).status_code == 200


@pytest.mark.parametrize(
    "body, kind, status", [("v=0", "text/plain", 415), ("junk", "application/sdp", 400), ("x" * 40_000, None, 400)]
)
async def test_what_is_no_offer_is_refused(services: Services, body: str, kind: str | None, status: int) -> None:
    async with served(services) as (http, _, _):
        headers = bearer(token()) | ({"Content-Type": kind} if kind else {})
        answer = await http.post("/webrtc/calls", content=body, headers=headers)
        assert answer.status_code == status and answer.json()["detail"].endswith(".")


async def test_500_junk_offers_leave_nothing_behind(services: Services) -> None:
    visitor = Visitor()
    real = await visitor.offer()
    await visitor.close()
    junk = [
        "junk",
        real[: len(real) // 9],
        real.replace("m=audio", "m=video"),
        re.sub("opus|G722|PCM.", "lost", real),
        real[::-1],
    ]
    chosen = CHOSEN.model_copy(update={"most_requests_per_minute": 480})
    async with served(services, chosen) as (http, app, switchboard):
        await http.post("/webrtc/calls", content="junk", headers=bearer(token()))
        tasks, files = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
        statuses: Counter[int] = Counter()
        for i in range(500):
            answer = await http.post("/webrtc/calls", content=junk[i % len(junk)], headers=bearer(token()))
            statuses[answer.status_code] += 1
        await idle(app, switchboard)
        gc.collect()
        assert set(statuses) == {400, 429} and statuses[429] >= 20
        assert len(asyncio.all_tasks()) <= tasks and len(os.listdir("/proc/self/fd")) <= files


async def test_turn_credentials_are_made_for_each_visitor(services: Services) -> None:
    turn = IceServer.model_validate({"urls": ["turn:turn.example.org"], "secret": "shared"})
    stun = IceServer(urls=("stun:stun.example.org",))
    async with served(services, CHOSEN.model_copy(update={"ice_servers": (turn, stun)})) as (http, _, _):
        relay, plain = (await http.get("/webrtc/ice", headers=bearer(token()))).json()["iceServers"]
        assert (await http.get("/webrtc/ice")).status_code == 401
    assert int(relay["username"]) > time.time() and relay["credential"] not in ("", "shared")
    assert plain == {"urls": ["stun:stun.example.org"]}
