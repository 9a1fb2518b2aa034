"""The leg of a telephone call on a stack of the test: what it does with time, sound, keys and hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import baresip
import numpy as np
import pytest
from baresip import Event, StackEvent

from voicebot.audio.sound import FRAME_SAMPLES, Sound
from voicebot.legs.leg import Frame, HungUp, KeyPress, Media, PlaybackEnded
from voicebot.legs.sip import LEAD_FRAMES, MOST_OWED_FRAMES, MOST_UNHEARD, SipLeg

FRAME = np.full(FRAME_SAMPLES, 7, np.int16).tobytes()


@dataclass
class FakeInfo:
    tx_ready: bool
    rx_ready: bool
    tx_buffered: int
    rx_buffered: int
    rx_sample_rate: int = 8000
    rx_channels: int = 1


class FakeAudio:
    """The buffers of a call; `play` is what the stack's own thread does every 20 ms."""

    def __init__(self) -> None:
        self.sent, self.received, self.played = b"", b"", b""
        self.active = True

    def info(self) -> FakeInfo:
        if not self.active:
            raise baresip.AudioNotActive("no audio")
        return FakeInfo(True, True, len(self.sent), len(self.received))

    def write(self, pcm: bytes) -> int:
        self.sent += pcm
        return len(pcm)

    def read(self, size: int) -> bytes:
        taken, self.received = self.received[:size], self.received[size:]
        return taken

    def flush_tx(self) -> None:
        self.sent = b""

    def play(self) -> None:
        self.played += self.sent[: len(FRAME)].ljust(len(FRAME), b"\0")
        self.sent = self.sent[len(FRAME) :]


class FakeCall:
    def __init__(self) -> None:
        self.audio = FakeAudio()
        self.remote_on_hold = False
        self.refuses = False
        self.hung_up = False
        self._listeners: list[Callable[[StackEvent], None]] = []

    def on(self, listener: Callable[[StackEvent], None]) -> None:
        self._listeners.append(listener)

    def tell(self, event: Event, text: str | None = None) -> None:
        for listener in self._listeners:
            listener(StackEvent(event, text=text))

    async def answer(self) -> None:
        self.tell(Event.CALL_ESTABLISHED)

    async def transfer(self, _: str, *, timeout: float) -> None:  # noqa: ASYNC109
        if self.refuses:
            raise baresip.TransferFailed("486 Busy Here")

    async def hangup(self) -> None:
        self.hung_up = True


@pytest.fixture
def call() -> FakeCall:
    return FakeCall()


@pytest.fixture
def leg(call: FakeCall) -> SipLeg:
    return SipLeg(call, hold_limit_s=1.0)  # type: ignore[arg-type]


async def heard(leg: SipLeg) -> list[Media]:
    return [await leg.receive() for _ in range(leg._ready.qsize())]


async def pass_frames(leg: SipLeg, call: FakeCall, count: int, said: bytes = FRAME) -> list[Media]:
    for _ in range(count):
        call.audio.received += said
        leg.beat()
        call.audio.play()
    return await heard(leg)


async def test_what_is_said_is_sent_whole_with_a_lead_and_ends_when_it_was_sent(leg: SipLeg, call: FakeCall) -> None:
    playback = leg.play()
    playback.feed(Sound(np.full(10 * FRAME_SAMPLES, 9, np.int16), 8000))
    playback.end()
    media = await pass_frames(leg, call, 10 + LEAD_FRAMES)
    said = np.frombuffer(call.audio.played, np.int16)
    assert (said == 9).sum() == 10 * FRAME_SAMPLES and not said[: (LEAD_FRAMES - 1) * FRAME_SAMPLES].any()
    assert [item.playback for item in media if isinstance(item, PlaybackEnded)] == [playback]
    assert leg.late_frames == 0


async def test_a_stopped_playback_fades_into_silence_within_100_ms(leg: SipLeg, call: FakeCall) -> None:
    playback = leg.play()
    playback.feed(Sound(np.full(100 * FRAME_SAMPLES, 9000, np.int16), 8000))
    await pass_frames(leg, call, 10)
    playback.stop()
    before = len(call.audio.played)
    media = await pass_frames(leg, call, 8)
    assert any(isinstance(item, PlaybackEnded) for item in media)
    said = np.frombuffer(call.audio.played, np.int16).astype(int)[before // 2 - 1 :]
    assert not said[800:].any(), "100 ms"
    assert np.abs(np.diff(said)).max() < 9000 / 30, "no click"
    assert np.count_nonzero(np.frombuffer(call.audio.played, np.int16)) / 8 == pytest.approx(playback.heard_ms, abs=1)


async def test_a_late_metronome_is_unheard_within_the_lead_and_counted_beyond(leg: SipLeg, call: FakeCall) -> None:
    leg.play().feed(Sound(np.full(100 * FRAME_SAMPLES, 9, np.int16), 8000))
    await pass_frames(leg, call, 5)
    call.audio.play()
    await pass_frames(leg, call, 1)
    assert leg.late_frames == 0
    for _ in range(LEAD_FRAMES):
        call.audio.play()
    await pass_frames(leg, call, 1)
    assert leg.late_frames == 1


async def test_sound_that_comes_late_is_waited_for_and_lost_only_after_a_while(leg: SipLeg, call: FakeCall) -> None:
    await pass_frames(leg, call, 5)
    assert not await pass_frames(leg, call, MOST_OWED_FRAMES, b"")
    caught_up = await pass_frames(leg, call, 1, (MOST_OWED_FRAMES + 1) * FRAME)
    assert len(caught_up) == MOST_OWED_FRAMES + 1 and leg.lost_frames == 0
    assert all(isinstance(item, Frame) and item.samples.all() for item in caught_up)
    gap = await pass_frames(leg, call, MOST_OWED_FRAMES + 3, b"")
    assert len(gap) == 3 and leg.lost_frames == 1
    assert not any(item.samples.any() for item in gap if isinstance(item, Frame))


async def test_on_hold_the_clock_and_the_prompt_stand_still_and_go_on(leg: SipLeg, call: FakeCall) -> None:
    playback = leg.play()
    playback.feed(Sound(np.full(100 * FRAME_SAMPLES, 9, np.int16), 8000))
    await pass_frames(leg, call, 5)
    said_ms = playback.heard_ms
    call.remote_on_hold = True
    assert not await pass_frames(leg, call, 20) and playback.heard_ms == said_ms
    call.remote_on_hold = False
    assert await pass_frames(leg, call, 5) and playback.heard_ms == said_ms + 100


async def test_who_holds_the_bot_for_too_long_is_hung_up_on(leg: SipLeg, call: FakeCall) -> None:
    call.remote_on_hold = True
    assert isinstance((await pass_frames(leg, call, 60))[0], HungUp)


async def test_a_key_that_is_told_twice_counts_once(leg: SipLeg, call: FakeCall) -> None:
    down, up = (Event.CALL_DTMF_START, "5"), (Event.CALL_DTMF_END, None)
    assert leg.in_band_keys
    keys = []
    for held, *instant in [(down, down, up, up), (down, up, down, up), (down, up)]:
        call.tell(*held)
        await asyncio.sleep(0.02)
        for event, text in instant:
            call.tell(event, text)
        keys += await pass_frames(leg, call, 4)
        await asyncio.sleep(0.07)
    assert [item.key for item in keys if isinstance(item, KeyPress)] == ["5", "5", "5"]
    assert not leg.in_band_keys


async def test_a_conductor_that_does_not_listen_costs_no_more_than_ten_seconds(leg: SipLeg, call: FakeCall) -> None:
    for _ in range(MOST_UNHEARD + 100):
        call.audio.received += FRAME
        leg.beat()
    call.tell(Event.CALL_CLOSED)
    media = await heard(leg)
    assert leg.unheard_frames == 100 and len(media) == MOST_UNHEARD + 1 and isinstance(media[-1], HungUp)


async def test_an_operator_who_does_not_take_the_caller_is_told(leg: SipLeg, call: FakeCall) -> None:
    assert await leg.transfer("sip:operators@example.org")
    call.refuses = True
    assert not await leg.transfer("sip:operators@example.org")


async def test_a_caller_who_gives_up_is_not_answered(leg: SipLeg, call: FakeCall) -> None:
    call.tell(Event.CALL_CLOSED)
    assert not await leg.answer(5)
    await leg.hang_up()
    assert not call.hung_up


async def test_without_audio_time_goes_on(leg: SipLeg, call: FakeCall) -> None:
    call.audio.active = False
    media: list[Any] = await pass_frames(leg, call, 20, b"")
    assert len(media) == 20 - MOST_OWED_FRAMES and media[-1].at_ms == 20 * (20 - MOST_OWED_FRAMES)
