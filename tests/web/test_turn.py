"""Calls through a TURN server (RFC 8656): Debian's coturn, with credentials for each visitor."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiortc import RTCConfiguration, RTCIceServer, RTCIceTransportPolicy

from tests.web.test_signalling import CHOSEN, bearer, calling, idle, served, token
from voicebot.call import Services
from voicebot.scenarios.visitor import Visitor
from voicebot.settings import IceServer

SECRET = "what the bot and coturn share"


@pytest.fixture
async def turn(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a TURN server on loopback."""
    if not shutil.which("turnserver"):
        pytest.skip("coturn is missing: install it as root with sh deploy/test-packages.sh")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    local = ["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--allow-loopback-peers", f"--listening-port={port}"]
    quiet = ["--no-tls", "--no-dtls", "--no-cli", f"--log-file={tmp_path / 'log'}", f"--pidfile={tmp_path / 'pid'}"]
    login = ["--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=voicebot", f"--userdb={tmp_path / 'db'}"]
    process = await asyncio.create_subprocess_exec(
        "turnserver", "-n", *local, *quiet, *login, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                except ConnectionError:
                    await asyncio.sleep(0.1)
        yield f"turn:127.0.0.1:{port}?transport=udp"
    finally:
        process.terminate()
        await process.wait()


async def test_a_visitor_who_reaches_nothing_but_the_turn_server_is_heard(services: Services, turn: str) -> None:
    chosen = CHOSEN.model_copy(update={"ice_servers": (IceServer.model_validate({"urls": [turn], "secret": SECRET}),)})
    async with served(services, chosen) as (http, app, switchboard):
        (relay,) = (await http.get("/webrtc/ice", headers=bearer(token()))).json()["iceServers"]
        servers = [RTCIceServer(relay["urls"], relay["username"], relay["credential"])]
        visitor = Visitor([], RTCConfiguration(servers, iceTransportPolicy=RTCIceTransportPolicy.RELAY))
        offer = await visitor.offer()
        assert "typ relay" in offer and "typ host" not in offer
        async with calling(http, visitor):
            await visitor.until(lambda: visitor.state == "speaking")
            visitor.press("300000000001#")
            await visitor.until(lambda: "45,30 евро" in " ".join(visitor.captions("bot")))
        await idle(app, switchboard)
