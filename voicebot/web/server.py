"""The running bot: its doors are opened, and closed again when it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any

import structlog
import uvicorn

from voicebot.errors import VoicebotError
from voicebot.legs.sip import Telephone
from voicebot.rehearsal import rehearse
from voicebot.settings import Settings
from voicebot.switchboard import Switchboard, open_services
from voicebot.web.app import create_app

log = structlog.get_logger()


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then running calls may finish.

    Raises:
        VoicebotError: an address is taken, or something that calls need is missing.
    """
    door = _listen(settings.web.listen)
    async with open_services(settings) as services:
        switchboard = Switchboard(services, settings.calls.most, settings.recordings.folder)
        app = create_app(switchboard, settings.web, settings.webrtc, settings.api_keys)
        proxies = _proxies(settings.web.trusted_proxies)
        server = _Server(uvicorn.Config(app, log_config=None, access_log=False, **proxies))
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        async with (
            rehearse(services) if settings.voice.rehearse else nullcontext(),
            _telephone(settings, switchboard) as telephone,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(server.serve(sockets=[door]))
            gc.freeze()  # what stands here stands to the end: collections took a fifth of the event loop's time with it
            log.info("ready", web=f"http://{settings.web.listen}/", sip=telephone.address if telephone else None)
            await stop.wait()
            log.info("draining", calls=switchboard.live)
            if telephone:
                tasks.create_task(telephone.drain(settings.calls.drain_s))
            await switchboard.drain(settings.calls.drain_s)
            server.should_exit = True
    log.info("stopped")


@asynccontextmanager
async def _telephone(settings: Settings, switchboard: Switchboard) -> AsyncIterator[Telephone | None]:
    """The SIP endpoint, where settings want one."""
    if not settings.sip.listen:
        yield None
        return
    async with Telephone.open(settings.sip, switchboard.admit) as telephone:
        yield telephone


class _Server(uvicorn.Server):
    """Leaves the signals to `run`, which drains the switchboard first."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


def _proxies(trusted: str) -> dict[str, Any]:
    """Whoever asks could else pass for anybody, and escape every limit."""
    return {"proxy_headers": bool(trusted), "forwarded_allow_ips": trusted or None}


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host.strip("[]"), int(port)))
    except OSError as error:
        door.close()
        raise VoicebotError(
            f"The web address {address} cannot be used ({error.strerror or error}): "
            "stop what uses it or set web.listen to another."
        ) from None
    return door
