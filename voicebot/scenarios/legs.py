"""The ways on which a scripted caller reaches the bot: recordings, Debian's baresip by SIP, and aiortc by WebRTC."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path

from voicebot.audio.sound import TELEPHONE_RATE_HZ, Samples, Sound
from voicebot.call import CallRecord, Services
from voicebot.errors import VoicebotError
from voicebot.legs.caller import CallerId
from voicebot.legs.leg import CallLeg, Frame
from voicebot.legs.sip import Telephone
from voicebot.legs.wav import WavLeg
from voicebot.scenarios.baresip import Baresip
from voicebot.scenarios.caller import Caller, HangUp, Press, Speak
from voicebot.scenarios.lines import OpenLine
from voicebot.scenarios.visitor import Visitor
from voicebot.settings import Sip, WebRtc
from voicebot.switchboard import Switchboard
from voicebot.web.browser_calls import BrowserCalls, open_browser_calls

Show = Callable[[Frame], None]
Hold = Callable[[CallLeg, Show | None], Awaitable[object]]
"""Holds the bot's side of a call; each frame is shown while it lasts."""

_PATIENCE_S = 30
"""How long a peer may take to reach the bot."""
_CODECS = {"mu-law": "pcmu", "opus": "opus/48000/2"}
"""What baresip calls a line's codec; all others come to it as A-law."""


class PeerFailed(VoicebotError):
    """A caller's program that does not do its part."""


class ScriptedLeg(WavLeg):
    """A call from recordings whose caller follows a script, and whose line may have an echo."""

    def __init__(self, caller: Caller, line: OpenLine, *, transfer_succeeds: bool) -> None:
        super().__init__(transfer_succeeds=transfer_succeeds)
        self._caller = caller
        self._line = line

    def _key_now(self, now_ms: int) -> str | None:
        match self._caller.tick(now_ms, bot_speaking=self._playout.current is not None):
            case Press(key):
                return key
            case Speak(sound):
                self._speaking = deque(sound.frames())
            case HangUp():
                self._hung_up = True
        return None

    def _caller_frame(self, now_ms: int) -> Samples:
        frame = self._speaking.popleft() if self._speaking else self._line.between()
        return self._line.pass_on(frame, self._reply[-1])


class Reception(Switchboard):
    """A switchboard that hands each call to whoever expects it, by the visitor that its leg names."""

    def __init__(self, services: Services) -> None:
        super().__init__(services, most_calls=1000)
        self._expected: dict[str, Hold] = {}
        self._shown: dict[str, Show] = {}
        self._over: dict[str, asyncio.Future[None]] = {}

    @contextmanager
    def admit(self) -> Iterator[Callable[[CallLeg], Awaitable[CallRecord]]]:
        """See `Switchboard.admit`."""
        with super().admit():
            yield self._hold

    @contextmanager
    def expecting(self, visitor: str, hold: Hold, show: Show) -> Iterator[asyncio.Future[None]]:
        """A call of `visitor` is to be held by `hold`; the future is done when it is over."""
        self._expected[visitor], self._shown[visitor] = hold, show
        self._over[visitor] = asyncio.get_running_loop().create_future()
        try:
            yield self._over[visitor]
        finally:
            self._expected.pop(visitor, None)
            del self._shown[visitor], self._over[visitor]

    async def _hold(self, leg: CallLeg) -> CallRecord:
        """Hold the call that is expected; a second one is that of a telephone which was handed to an operator."""
        visitor = leg.visitor  # type: ignore[attr-defined]
        if (hold := self._expected.pop(visitor, None)) is not None:
            try:
                await hold(leg, self._shown[visitor])
            finally:
                self._over[visitor].set_result(None)
        return CallRecord()


# By telephone


class ByPhone:
    """Calls by SIP."""

    def __init__(self, telephone: Telephone, reception: Reception) -> None:
        self._telephone, self._reception = telephone, reception
        self._calls = 0

    @staticmethod
    @asynccontextmanager
    async def open(services: Services) -> AsyncIterator[ByPhone]:
        """A telephone of the bot's at a free port of this machine.

        Raises:
            PeerFailed: baresip is not installed.
        """
        if not os.access("/usr/bin/baresip", os.X_OK):
            raise PeerFailed("Calls by SIP need baresip: install it, apt-get install baresip-core.")
        reception = Reception(services)
        sip = Sip(listen=f"127.0.0.1:{_free_port()}", answer_after_s=0.1, transports=("udp",))
        async with Telephone.open(sip, reception.admit) as telephone:
            yield ByPhone(telephone, reception)

    async def call(self, caller: Caller, hold: Hold, codec: str) -> Sound:
        """Hold one call; gives what the caller heard.

        Raises:
            PeerFailed: baresip did not reach the bot.
        """
        self._calls += 1
        user = f"35988{self._calls:07d}"
        folder = Path(tempfile.mkdtemp(prefix="voicebot-baresip-"))
        peer = Baresip(folder, codec=_CODECS.get(codec, "pcma"), user=user)

        def show(frame: Frame) -> None:
            match caller.tick(frame.at_ms, bot_speaking=frame.bot_speaking):
                case Press(key):
                    peer.type(key)
                case Speak(sound):
                    peer.play(sound)
                case HangUp():
                    peer.type("/hangup\n")

        try:
            with self._reception.expecting(CallerId(f"sip:{user}@127.0.0.1").fingerprint, hold, show) as over:
                try:
                    await _until(lambda: peer.ready)
                    peer.type(f"/dial sip:bot@{self._telephone.address}\n")
                    await _until(lambda: peer.heard_file is not None)
                    await over
                finally:
                    heard = await asyncio.to_thread(peer.hang_up)
            return heard
        finally:
            shutil.rmtree(folder, ignore_errors=True)


async def _until(happened: Callable[[], bool]) -> None:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while not happened():  # noqa: ASYNC110 -- another program's log and files are watched
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise PeerFailed("baresip did not reach the bot in time: see whether the machine is overloaded.") from None


def _free_port() -> int:
    """A port that is free for UDP, and so is the next one."""
    while True:
        with socket.socket(type=socket.SOCK_DGRAM) as door, socket.socket(type=socket.SOCK_DGRAM) as next_door:
            door.bind(("127.0.0.1", 0))
            port = int(door.getsockname()[1])
            with suppress(OSError):
                next_door.bind(("127.0.0.1", port + 1))
                return port


# From a browser


class ByBrowser:
    """Calls by WebRTC."""

    def __init__(self, calls: BrowserCalls, reception: Reception) -> None:
        self._calls, self._reception = calls, reception
        self._count = 0

    @staticmethod
    @asynccontextmanager
    async def open(services: Services) -> AsyncIterator[ByBrowser]:
        """The bot's door for browsers, without the HTTP before it."""
        reception = Reception(services)
        async with open_browser_calls(reception, WebRtc()) as calls:
            yield ByBrowser(calls, reception)

    async def call(self, caller: Caller, hold: Hold, codec: str) -> Sound:
        """Hold one call; gives what the caller heard. Browsers speak Opus, whatever `codec` says."""
        self._count += 1
        name = f"visitor {self._count}"
        visitor = Visitor()
        gone = asyncio.Event()

        def show(frame: Frame) -> None:
            match caller.tick(frame.at_ms, bot_speaking=frame.bot_speaking):
                case Press(key):
                    visitor.press(key)
                case Speak(sound):
                    visitor.microphone.say(sound)
                case HangUp():
                    gone.set()

        async def leave() -> None:
            await gone.wait()
            await visitor.close()

        with self._reception.expecting(name, hold, show) as over:
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(visitor.listen())
                tasks.create_task(leave())
                try:
                    _, answer = await self._calls.take(await visitor.offer(), name)
                    await visitor.accept(answer)
                    await over
                finally:
                    listening.cancel()
                    gone.set()
        return visitor.heard.resampled(TELEPHONE_RATE_HZ)


RealLeg = ByPhone | ByBrowser


def open_leg(name: str, services: Services) -> AbstractAsyncContextManager[RealLeg]:
    """The door for calls by "sip" or "webrtc"."""
    return ByPhone.open(services) if name == "sip" else ByBrowser.open(services)
