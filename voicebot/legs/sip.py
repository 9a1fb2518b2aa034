"""Calls by telephone: a SIP endpoint on baresip, and the leg of each of its calls.

baresip's own threads speak SIP and RTP; here its events become media, and one metronome for all calls hands out and
fetches 20 ms of sound at a time. Who may speak to the endpoint is the business of `sip_screen`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal

import baresip
import numpy as np
import soxr
import structlog
from baresip import Event, StackEvent

from voicebot.audio.sound import FRAME_MS, FRAME_SAMPLES, TELEPHONE_RATE_HZ, Samples
from voicebot.audio.tones import KEYS
from voicebot.errors import VoicebotError
from voicebot.legs.caller import CallerId, mask_addresses
from voicebot.legs.key_presses import KeyPresses
from voicebot.legs.leg import CallLeg, Frame, HungUp, KeyPress, Media, PlaybackEnded
from voicebot.legs.playback import Playback, Playout
from voicebot.legs.sip_screen import Screen, TokenBucket

if TYPE_CHECKING:
    from voicebot.settings import Sip, SipAccount

log = structlog.get_logger()

Admit = Callable[[], AbstractContextManager[Callable[[CallLeg], Awaitable[object]]]]
"""Gives a line for a call that rings, or raises; what it gives holds the call once it is answered."""

LEAD_FRAMES = 3
"""Frames that are handed to the stack ahead of time, so that a late metronome is not heard."""
MOST_OWED_FRAMES = 10
"""Frames of the caller that may be late, on top of the stack's own jitter buffer, before they count as lost."""
MOST_UNHEARD = 500
"""Media that may wait for the conductor: 10 s."""
_BEAT_S = FRAME_MS / 1000
_STALL_S = 1.0
"""A metronome that is later than this (a machine that slept) does not catch up."""
_ANSWER_TIMEOUT_S = 40.0
"""Longer than an ACK may take (64 times T1, RFC 3261, section 13.3.1.4)."""
_FRAME_BYTES = 2 * FRAME_SAMPLES

_CODECS = {"PCMA": "PCMA", "PCMU": "PCMU", "G722": "G722/16000/1", "opus": "opus/48000/1"}
"""Names of codecs in baresip's words."""


class TelephoneFailed(VoicebotError):
    """The SIP endpoint cannot be opened."""


class SipLeg:
    """One call by telephone."""

    channel = "telephone"

    def __init__(
        self,
        call: baresip.Call,
        *,
        visitor: str = "",
        tells_keys: Callable[[], bool] = lambda: False,
        transfer_timeout_s: float = 40.0,
        hold_limit_s: float = 600.0,
    ) -> None:
        """Follow a call that rings.

        Args:
            call: the stack's call.
            visitor: who calls, for limits.
            tells_keys: whether the caller has negotiated telephone-event (RFC 4733).
            transfer_timeout_s: how long an operator may ring.
            hold_limit_s: how long the caller may hold the bot.
        """
        self._call = call
        self.visitor = visitor
        self._tells_keys = tells_keys
        self._transfer_timeout_s = transfer_timeout_s
        self._hold_beats_left = round(hold_limit_s / _BEAT_S)
        self._key_seen = False
        self._presses = KeyPresses()
        self._established = asyncio.Event()
        self._closed = asyncio.Event()
        self._ready: asyncio.Queue[Media] = asyncio.Queue()
        self._playout = Playout(TELEPHONE_RATE_HZ)
        self._leaving: deque[tuple[int, Playback]] = deque()
        self._beats = 0
        self._now_ms = 0
        self._sound = _CallerSound()
        self._started = False
        self._away = False
        self.late_frames = 0
        """Frames that left later than they were due: the caller heard a gap."""
        self.unheard_frames = 0
        """Frames of the caller that were dropped because the conductor came too late for them."""
        self.worst_backlog_ms = 0
        """How far the conductor was behind the line, at worst."""
        call.on(self._follow)

    @property
    def in_band_keys(self) -> bool:
        """True until the caller's telephone is known to tell keys by RFC 4733 or INFO."""
        return not (self._key_seen or self._tells_keys())

    @property
    def lost_frames(self) -> int:
        """Gaps in the sound of the caller."""
        return self._sound.lost

    async def answer(self, after_s: float) -> bool:
        """Let it ring for `after_s`, then answer; False when the caller gave up before he heard anything."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), after_s)
        with suppress(TimeoutError, baresip.BaresipError):
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                await self._call.answer()
                await self._established.wait()
        return self._established.is_set() and not self._closed.is_set()

    @property
    def waiting(self) -> int:
        """What `receive` gives at once."""
        return self._ready.qsize()

    async def receive(self) -> Media:
        """The next thing that happens on the line."""
        return await self._ready.get()

    def play(self) -> Playback:
        """Begin to say something."""
        return self._playout.begin()

    async def transfer(self, target: str) -> bool:
        """Ask the caller's telephone to call `target` (REFER, RFC 3515); False when nobody there answers."""
        self._away = True
        try:
            await self._call.transfer(target, timeout=self._transfer_timeout_s)
        except (baresip.BaresipError, ValueError) as error:
            log.info("transfer failed", reason=mask_addresses(str(error)))
            return False
        finally:
            self._away = False
        return True

    async def hang_up(self) -> None:
        """End the call, or refuse it with 486 when it still rings."""
        if not self._closed.is_set():
            with suppress(baresip.BaresipError):
                await self._call.hangup()

    def beat(self) -> None:
        """Let 20 ms pass: a frame to the caller, one from him. While he holds the bot, the media clock stands still."""
        if self._closed.is_set() or self._away:
            return
        if self._call.remote_on_hold:
            self._hold_beats_left -= 1
            if not self._hold_beats_left:
                self._close()
            return
        self._beats += 1
        bot_speaking = self._playout.current is not None
        frame, ended = self._playout.next_frame()
        for caller in self._exchange(frame, urgent=bot_speaking):
            self._now_ms += FRAME_MS
            self._put(Frame(caller, self._now_ms, bot_speaking))
        self._leaving.extend((self._beats + LEAD_FRAMES, playback) for playback in ended)
        while self._leaving and self._leaving[0][0] <= self._beats:
            self._put(PlaybackEnded(self._leaving.popleft()[1], self._now_ms))

    def _exchange(self, frame: Samples, *, urgent: bool) -> list[Samples]:
        """Hand a frame to the stack, as far ahead as `LEAD_FRAMES`, and fetch what has come from the caller."""
        audio, info = self._call.audio, None
        with suppress(baresip.AudioNotActive, baresip.AudioRestarted):
            info = audio.info()
            if info.tx_ready:
                self._send(audio, frame, info.tx_buffered // _FRAME_BYTES, urgent=urgent)
            return self._sound.fetch(audio, info)
        return self._sound.fetch(audio, None)

    def _send(self, audio: baresip.CallAudio, frame: Samples, waiting: int, *, urgent: bool) -> None:
        if not waiting and self._started:
            self.late_frames += urgent
        if waiting < LEAD_FRAMES - 1:
            audio.write(bytes(_FRAME_BYTES * (LEAD_FRAMES - 1 - waiting)))
        if urgent or waiting <= LEAD_FRAMES:
            audio.write(frame.tobytes())
        self._started = True

    def _put(self, media: Media) -> None:
        self.worst_backlog_ms = max(self.worst_backlog_ms, self._ready.qsize() * FRAME_MS)
        if isinstance(media, Frame) and self._ready.qsize() >= MOST_UNHEARD:
            self.unheard_frames += 1
        else:
            self._ready.put_nowait(media)

    def _follow(self, event: StackEvent) -> None:
        match event.event:
            case Event.CALL_ESTABLISHED:
                self._established.set()
            case Event.CALL_CLOSED:
                self._close()
            case Event.CALL_DTMF_START if event.text and event.text in KEYS:
                self._key_seen = True
                if self._presses.down(event.text, time.monotonic()):
                    self._put(KeyPress(event.text, self._now_ms))
            case Event.CALL_DTMF_END:
                self._presses.up(time.monotonic())

    def _close(self) -> None:
        self._closed.set()
        self._put(HungUp(self._now_ms))


class _CallerSound:
    """The caller's sound out of the stack's buffer, in frames at 8 kHz.

    Hearing may lag behind the line, so sound that comes late is waited for instead of having a hole put into it; only
    after `MOST_OWED_FRAMES` does silence take its place.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._owed = 0
        self._flowing = False
        self._rate_hz = TELEPHONE_RATE_HZ
        self._resampler: soxr.ResampleStream | None = None
        self._rest = np.zeros(0, np.int16)

    def fetch(self, audio: baresip.CallAudio, info: baresip.AudioInfo | None) -> list[Samples]:
        """What has come in the last 20 ms; called so often. What the sender's clock is ahead of ours is dropped."""
        self._owed += 1
        size = info.rx_sample_rate * info.rx_channels * 2 * FRAME_MS // 1000 if info and info.rx_ready else 0
        waiting = info.rx_buffered // size if info and size else 0
        if waiting > self._owed + MOST_OWED_FRAMES:
            audio.read(size * (waiting - self._owed))
        count = min(waiting, self._owed)
        if count:
            self._flowing = True
            self._owed -= count
            return [self._frame(audio.read(size), info) for _ in range(count)]
        if self._owed <= MOST_OWED_FRAMES:
            return []
        self.lost += self._flowing
        self._flowing = False
        self._owed -= 1
        return [np.zeros(FRAME_SAMPLES, np.int16)]

    def _frame(self, pcm: bytes, info: baresip.AudioInfo) -> Samples:
        samples = np.frombuffer(pcm, np.int16)[:: info.rx_channels]
        return samples if info.rx_sample_rate == TELEPHONE_RATE_HZ else self._resampled(samples, info.rx_sample_rate)

    def _resampled(self, samples: Samples, rate_hz: int) -> Samples:
        if self._resampler is None or self._rate_hz != rate_hz:
            self._resampler = soxr.ResampleStream(rate_hz, TELEPHONE_RATE_HZ, 1, dtype="int16", quality="MQ")
            self._rate_hz, self._rest = rate_hz, np.zeros(FRAME_SAMPLES, np.int16)
        self._rest = np.concatenate([self._rest, self._resampler.resample_chunk(np.ascontiguousarray(samples))])
        frame, self._rest = self._rest[:FRAME_SAMPLES], self._rest[FRAME_SAMPLES:]
        return np.pad(frame, (0, FRAME_SAMPLES - len(frame)))


class Telephone:
    """The SIP endpoint of the process; baresip allows one."""

    def __init__(self, sip: Sip, admit: Admit, runtime: baresip.Runtime, trace: _Trace) -> None:
        self._sip = sip
        self._admit = admit
        self._runtime = runtime
        self._trace = trace
        self._tasks: asyncio.TaskGroup
        self._legs: set[SipLeg] = set()
        self.address = ""
        """Where it listens: host:port."""
        self.worst_lateness_ms = 0.0
        """How late the metronome has been, at worst."""

    @staticmethod
    @asynccontextmanager
    async def open(sip: Sip, admit: Admit) -> AsyncIterator[Telephone]:
        """Answer calls until the end of the context; then hang up those that are left.

        Args:
            sip: settings of the endpoint.
            admit: who holds the calls.

        Raises:
            TelephoneFailed: the address is taken or cannot be listened at.
            CannotScreen: peers cannot be kept out.
        """
        host, port = _free_address(sip)
        trace = _Trace(Screen(sip.allow, lambda: TokenBucket(sip.messages_per_s, sip.burst), sip.block_s))
        runtime = baresip.Runtime()
        with trace.attached():
            try:
                await runtime.start(_stack_config(sip, host, port))
            except baresip.BaresipError as error:
                raise TelephoneFailed(f"The SIP stack did not start at {sip.listen}: {error}.") from None
            try:
                trace.screen.attach(host, (port, port + 1))
                telephone = Telephone(sip, admit, runtime, trace)
                telephone.address = _joined(host, port)
                async with asyncio.TaskGroup() as tasks:
                    telephone._tasks = tasks
                    await telephone._open_accounts()
                    metronome = tasks.create_task(telephone._keep_time())
                    try:
                        yield telephone
                    finally:
                        for leg in list(telephone._legs):
                            await leg.hang_up()
                        metronome.cancel()
            finally:
                trace.screen.close()
                await runtime.close()

    async def drain(self, limit_s: float) -> None:
        """Refuse new calls with 486 and wait, at most `limit_s`, until the running ones have ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._runtime.drain()

    async def _open_accounts(self) -> None:
        """For each transport an account for callers who ring by address, and those that settings name."""
        for transport in self._sip.transports:
            await self._open_account(_everybodys_account(self._sip, self.address, transport))
        for named in self._sip.accounts:
            agent = await self._open_account(_account(self._sip, named))
            if named.register_s:
                self._tasks.create_task(self._register(agent, named))

    async def _open_account(self, account: baresip.Account) -> baresip.UserAgent:
        try:
            agent = await baresip.UserAgent.create(self._runtime, account, transfer_policy="reject")
        except baresip.BaresipError as error:
            raise TelephoneFailed(f"The SIP account {account.domain} cannot be used ({error}): mend it.") from None
        agent.on_incoming(self._ring)
        return agent

    async def _register(self, agent: baresip.UserAgent, account: SipAccount) -> None:
        """Register once; the stack refreshes, and tries again after a failure."""
        try:
            await agent.register()
        except baresip.BaresipError as error:
            log.error("not registered", domain=account.domain, reason=mask_addresses(str(error)))
        else:
            log.info("registered", domain=account.domain)

    def _ring(self, call: baresip.Call) -> None:
        call_id, caller = call.call_id or "", CallerId(call.peer or "")
        leg = SipLeg(
            call,
            visitor=caller.fingerprint,
            tells_keys=lambda: self._trace.tells_keys(call_id),
            transfer_timeout_s=self._sip.transfer_timeout_s,
            hold_limit_s=self._sip.hold_limit_s,
        )
        self._tasks.create_task(self._serve(leg, caller))

    async def _serve(self, leg: SipLeg, caller: CallerId) -> None:
        """Answer a call and have it held; whatever goes wrong in it ends this call alone."""
        try:
            with self._admit() as hold:
                if not await leg.answer(self._sip.answer_after_s):
                    log.info("given up", caller=str(caller))
                    return
                self._legs.add(leg)
                log.info("line", caller=str(caller))
                await hold(leg)
        except VoicebotError as error:
            log.warning("call failed", caller=str(caller), reason=str(error))
        except Exception:
            log.exception("call failed", caller=str(caller))
        finally:
            self._legs.discard(leg)
            await leg.hang_up()
            if leg.late_frames or leg.lost_frames or leg.unheard_frames:
                log.info("media", late=leg.late_frames, lost=leg.lost_frames, unheard=leg.unheard_frames)

    async def _keep_time(self) -> None:
        """Beat every 20 ms for all calls, by the clock and not by sleeping for 20 ms, so that nothing drifts."""
        due_s = time.monotonic()
        while True:
            due_s += _BEAT_S
            late_s = time.monotonic() - due_s
            if late_s < 0:
                await asyncio.sleep(-late_s)
                late_s = time.monotonic() - due_s
            elif late_s > _STALL_S:
                due_s += late_s
            self.worst_lateness_ms = max(self.worst_lateness_ms, late_s * 1000)
            for leg in list(self._legs):
                leg.beat()


class _Trace(logging.Handler):
    """Reads the stack's trace of SIP messages, for what its events do not tell: who sends, and what is negotiated.

    It runs on the stack's thread for logs. Warnings of the stack go to the bot's log, masked.
    """

    _MOST_CALLS = 10_000
    _RECEIVED = re.compile(r"RX \S+ \[?([0-9a-fA-F.:]+?)\]?:\d+ -> ")
    _CALL_ID = re.compile(r"^(?:call-id|i)\s*:\s*(\S+)", re.IGNORECASE | re.MULTILINE)

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self.screen = screen
        self._telling_keys: OrderedDict[str, bool] = OrderedDict()

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Take over the stack's loggers for as long as the context lasts."""
        stack, messages = logging.getLogger("baresip"), logging.getLogger("baresip.native.sip")
        stack.setLevel(logging.WARNING)
        messages.setLevel(logging.DEBUG)
        stack.propagate = False
        stack.addHandler(self)
        try:
            yield
        finally:
            stack.removeHandler(self)

    def tells_keys(self, call_id: str) -> bool:
        """Whether the last session description that came in this call has telephone-event in it."""
        return self._telling_keys.get(call_id, False)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one line of the stack's log."""
        text = record.getMessage()
        if record.name == "baresip.native.sip":
            self._read(text)
        elif record.levelno >= logging.WARNING:
            log.warning("sip stack", text=mask_addresses(text))

    def _read(self, text: str) -> None:
        received = self._RECEIVED.match(text)
        if received is None:
            return
        if self.screen.count(received[1], time.monotonic()):
            log.warning("peer blocked", peer=received[1], reason="it sends more than sip.messages_per_s")
        head, _, body = text.partition("\nv=0")
        if body and (call_id := self._CALL_ID.search(head)):
            self._telling_keys[call_id[1]] = "telephone-event/" in body
            self._telling_keys.move_to_end(call_id[1])
            if len(self._telling_keys) > self._MOST_CALLS:
                self._telling_keys.popitem(last=False)


def _stack_config(sip: Sip, host: str, port: int) -> baresip.Config:
    first, last = sip.rtp_ports
    lines = [
        f"sip_listen {_joined(host, port)}",
        f"sip_transports {','.join(sip.transports)}",
        f"rtp_ports {first}-{last}",
        "audio_jitter_buffer_type adaptive",
        "audio_jitter_buffer_ms 20-200",
        f"ausrc_srate {TELEPHONE_RATE_HZ}",
        "opus_stereo no",
        "opus_sprop_stereo no",
        *([f"sip_certificate {sip.certificate}"] if "tls" in sip.transports else []),
    ]
    return baresip.Config(
        net_interface=None if ip_address(host).is_unspecified else host,
        max_concurrent_calls=None,
        sip_trace=True,
        rtp_timeout=sip.rtp_timeout_s,
        extra_config_text="\n".join(lines),
    )


_ALWAYS = ("video_codecs=none", "mediaenc=srtp")
"""Without video, of which the stack would otherwise tell in a re-INVITE; SRTP for whoever offers it."""


def _everybodys_account(sip: Sip, address: str, transport: Literal["udp", "tcp", "tls"]) -> baresip.Account:
    return baresip.Account(
        "voicebot",
        address,
        "",
        reg_interval=0,
        transport=transport,
        audio_codecs=tuple(_CODECS[name] for name in sip.codecs),
        extra_params=(*_ALWAYS, "catchall=yes"),
    )


def _account(sip: Sip, named: SipAccount) -> baresip.Account:
    return baresip.Account(
        named.user,
        named.domain,
        named.password.get_secret_value(),
        registrar=named.proxy,
        reg_interval=named.register_s,
        transport=named.transport,
        audio_codecs=tuple(_CODECS[name] for name in sip.codecs),
        auth_user=named.auth_user,
        extra_params=_ALWAYS,
    )


def _free_address(sip: Sip) -> tuple[str, int]:
    """Address and port of `sip.listen`, with a free port in place of 0.

    Raises:
        TelephoneFailed: they cannot be listened at.
    """
    name, _, port = sip.listen.rpartition(":")
    try:
        family, *_, address = socket.getaddrinfo(name.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
        host = str(address[0])
        with socket.socket(family, socket.SOCK_DGRAM) as door:
            door.bind((host, int(port)))
            free = int(door.getsockname()[1])
            for offset in sorted({0 if kind == "tcp" else 1 for kind in sip.transports if kind != "udp"}):
                with socket.socket(family, socket.SOCK_STREAM) as stream_door:
                    stream_door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    stream_door.bind((host, free + offset))
    except OSError as error:
        raise TelephoneFailed(
            f"The SIP address {sip.listen} cannot be used ({error.strerror or error}): "
            "stop what uses it or set sip.listen to another."
        ) from None
    return host, free


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
