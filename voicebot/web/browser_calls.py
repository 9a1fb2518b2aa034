"""The calls from browsers: each is one peer connection, held by the switchboard; limits for each address."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from voicebot import settings
from voicebot.errors import VoicebotError
from voicebot.legs.webrtc import IceServer, WebRtcLeg, check_offer
from voicebot.settings import WebRtc
from voicebot.switchboard import Switchboard
from voicebot.web.problem import NoSuchCall, TooMany

log = structlog.get_logger()

_CREDENTIALS_S = 3600
"""How long a visitor's TURN credentials are good: longer than any call."""


class BrowserCalls:
    """All calls from browsers; `open_browser_calls` makes it and ends them."""

    def __init__(self, switchboard: Switchboard, chosen: WebRtc, tasks: asyncio.TaskGroup) -> None:
        self._switchboard = switchboard
        self._chosen = chosen
        self._tasks = tasks
        self._legs: dict[str, WebRtcLeg] = {}
        self._by_address: Counter[str] = Counter()

    @property
    def live(self) -> int:
        """How many there are now."""
        return len(self._legs)

    def ice_servers(self) -> list[IceServer]:
        """The STUN and TURN servers, with credentials that are good for an hour."""
        return [_with_credentials(server) for server in self._chosen.ice_servers]

    async def take(self, offer: str, address: str) -> tuple[str, str]:
        """Answer an SDP offer; returns the call's id, which none can guess, and the SDP answer.

        Raises:
            InvalidOffer: it cannot become a call.
            TooMany: there are too many calls from this address.
            Busy: all lines are in use.
        """
        check_offer(offer)
        if self._by_address[address] >= self._chosen.most_calls_per_address:
            raise TooMany("There are too many calls from this address: end one of them first.")
        call_id = uuid.uuid4().hex
        answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tasks.create_task(self._hold(call_id, offer, address, answered))
        return call_id, await answered

    async def end(self, call_id: str) -> None:
        """The visitor ends the call; raises `NoSuchCall`."""
        if call_id not in self._legs:
            raise NoSuchCall("There is no such call: it may have ended.")
        await self._legs[call_id].close()

    async def _hold(self, call_id: str, offer: str, address: str, answered: asyncio.Future[str]) -> None:
        """Hold one call; whatever happens to it, the others go on and nothing of it is left."""
        leg = WebRtcLeg(self.ice_servers(), visitor=address)
        self._legs[call_id] = leg
        self._by_address[address] += 1
        try:
            with self._switchboard.admit() as hold:
                answer = await leg.answer(offer)
                if not answered.cancelled():
                    answered.set_result(answer)
                    async with asyncio.TaskGroup() as tasks:
                        carrying = tasks.create_task(leg.carry())
                        try:
                            await hold(leg)
                        finally:
                            carrying.cancel()
        except* VoicebotError as group:
            self._fail(answered, group.exceptions[0])
        except* Exception as group:
            log.exception("a browser's call broke", exc_info=group)
            self._fail(answered, VoicebotError("The call could not be set up: try again."))
        finally:
            await leg.close()
            del self._legs[call_id]
            self._by_address -= Counter([address])

    @staticmethod
    def _fail(answered: asyncio.Future[str], error: Exception) -> None:
        if answered.done():
            log.error("a browser's call failed", reason=str(error))
        else:
            answered.set_exception(error)

    async def hang_up(self) -> None:
        """End all calls because the bot goes down."""
        async with asyncio.TaskGroup() as tasks:
            for leg in self._legs.values():
                tasks.create_task(leg.hang_up("going_down"))


@asynccontextmanager
async def open_browser_calls(switchboard: Switchboard, chosen: WebRtc) -> AsyncIterator[BrowserCalls]:
    """Take calls from browsers; at the end those that are left are hung up."""
    async with asyncio.TaskGroup() as tasks:
        calls = BrowserCalls(switchboard, chosen, tasks)
        try:
            yield calls
        finally:
            await calls.hang_up()


def _with_credentials(server: settings.IceServer) -> IceServer:
    """Where a secret is shared with coturn, a user name that ends in time and its HMAC (coturn's `use-auth-secret`)."""
    if secret := server.secret.get_secret_value():
        username = str(int(time.time()) + _CREDENTIALS_S)
        digest = hmac.digest(secret.encode(), username.encode(), hashlib.sha1)
        return IceServer(server.urls, username, base64.b64encode(digest).decode())
    if server.username:
        return IceServer(server.urls, server.username, server.credential.get_secret_value())
    return IceServer(server.urls)
