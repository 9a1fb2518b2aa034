import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from aiortc.rtp import is_rtcp

from tests.fakes.sound import speechlike
from voicebot.audio.sound import FRAME_SAMPLES, Sound
from voicebot.legs.leg import Caption, Frame, HungUp, KeyPress, Media, PlaybackEnded
from voicebot.legs.webrtc import PLAYED_RATE_HZ, BotVoice, Dejitter, InvalidOffer, WebRtcLeg
from voicebot.scenarios.visitor import Visitor


@asynccontextmanager
async def connected(*utterances: Sound) -> AsyncIterator[tuple[WebRtcLeg, Visitor]]:
    leg, visitor = WebRtcLeg(), Visitor(utterances)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(leg.carry()), tasks.create_task(visitor.listen())]
        try:
            await visitor.accept(await leg.answer(await visitor.offer()))
            yield leg, visitor
        finally:
            await asyncio.gather(leg.close(), visitor.close())
            for task in running:
                task.cancel()


async def until(leg: WebRtcLeg, kind: type[Media], limit: int = 2000) -> tuple[Media, list[Media]]:
    """The next media of `kind`, and what came before it."""
    before: list[Media] = []
    async with asyncio.timeout(30):
        while len(before) < limit:
            media = await leg.receive()
            if isinstance(media, kind):
                return media, before
            before.append(media)
    raise AssertionError(f"no {kind.__name__} came")


def said(leg: WebRtcLeg, sound: Sound) -> None:
    playback = leg.play()
    playback.feed(sound)
    playback.end()


def loudness(samples: np.ndarray) -> float:
    return float(np.sqrt((samples.astype(float) ** 2).mean()))


async def test_sound_goes_both_ways_on_one_clock() -> None:
    async with connected(speechlike(1000)) as (leg, visitor):
        said(leg, speechlike(1000))
        ended, before = await until(leg, PlaybackEnded)
        assert all(frame.bot_speaking for frame in before if isinstance(frame, Frame))
        frames = [await leg.receive() for _ in range(150)]
        heard = np.concatenate([frame.samples for frame in frames if isinstance(frame, Frame)])
        at_ms = [frame.at_ms for frame in [*before, *frames] if isinstance(frame, Frame)]
        assert at_ms == list(range(20, 20 * len(at_ms) + 20, 20)), "a frame for each 20 ms"
        assert not any(frame.bot_speaking for frame in frames if isinstance(frame, Frame))
        assert loudness(heard) > 0.3 * loudness(speechlike(1000).samples) * (1000 / 3000) ** 0.5
        assert loudness(visitor.heard.samples) > 100
        assert isinstance(ended, PlaybackEnded) and ended.playback.heard_ms == 1000


async def test_a_lost_packet_does_not_leave_the_ears_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    hear, heard, sent = Dejitter.put, 0, 0

    def put(dejitter: Dejitter, frame: np.ndarray) -> None:
        nonlocal heard
        heard += 1
        hear(dejitter, frame)

    monkeypatch.setattr(Dejitter, "put", put)
    async with connected(speechlike(3000)) as (leg, visitor):
        transport = visitor._peer.getSenders()[0].transport  # loss is made on the wire
        send = transport._send_rtp

        async def lossy(packet: bytes) -> None:
            nonlocal sent
            sent += not is_rtcp(packet)
            if is_rtcp(packet) or sent % 40:
                await send(packet)

        heard = 0
        monkeypatch.setattr(transport, "_send_rtp", lossy)
        async with asyncio.timeout(30):
            while sent < 110:
                await leg.receive()
        assert 0 <= sent - heard <= 6, "in packets of 20 ms"


async def test_keys_come_over_the_channel_and_captions_and_states_go() -> None:
    async with connected() as (leg, visitor):
        await visitor.until(lambda: visitor.state == "listening")
        leg.show(Caption(0, "bot", "Здравейте", final=True))
        said(leg, speechlike(500))
        await visitor.until(lambda: visitor.state == "speaking")
        visitor.press("7#")
        keys = [(await until(leg, KeyPress))[0] for _ in range(2)]
        assert [key.key for key in keys if isinstance(key, KeyPress)] == ["7", "#"]
        assert visitor.captions("bot") == ["Здравейте"]


@pytest.mark.parametrize("message", ["", "[" * 200, "x" * 5000, '{"type": "key", "key": "77"}', '{"type": "dance"}'])
async def test_a_message_that_is_none_is_answered_with_what_to_do(message: str) -> None:
    async with connected() as (leg, visitor):
        await visitor.until(lambda: visitor.state == "listening")
        visitor.tell(message)
        await visitor.until(lambda: visitor.told(type="error"))
        visitor.press("1")
        assert (await until(leg, KeyPress))[0]


async def test_the_call_ends_when_the_visitor_closes() -> None:
    async with connected() as (leg, visitor):
        await until(leg, Frame)
        await visitor.close()
        await until(leg, HungUp)


async def test_a_bot_that_hangs_up_says_so_first() -> None:
    async with connected() as (leg, visitor):
        await visitor.until(lambda: visitor.state == "listening")
        await leg.hang_up("going_down")
        async with asyncio.timeout(10):
            await visitor.over.wait()
        assert visitor.messages[-1] == {"type": "ended", "reason": "going_down"}
        await until(leg, HungUp)


async def test_a_browser_that_never_connects_is_given_up() -> None:
    leg, visitor = WebRtcLeg(connect_s=0.05), Visitor()
    await leg.answer(await visitor.offer())
    await leg.carry()
    assert isinstance(await leg.receive(), HungUp)
    await asyncio.gather(leg.close(), visitor.close())


async def test_nothing_of_a_call_is_left_running() -> None:
    before = asyncio.all_tasks()
    async with connected() as (leg, _):
        await until(leg, Frame)
    left = asyncio.all_tasks() - before
    assert not left or not (await asyncio.wait(left, timeout=10))[1]


@pytest.mark.parametrize(
    "offer", ["", "junk", "v=0", "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", "m=" * 500, "\0" * 99]
)
async def test_an_offer_that_is_no_offer_is_refused(offer: str) -> None:
    leg = WebRtcLeg()
    with pytest.raises(InvalidOffer):
        await leg.answer(offer)
    await leg.close()


def frame(value: int) -> np.ndarray:
    return np.full(FRAME_SAMPLES, value, np.int16)


def values(frames: list[np.ndarray]) -> list[int]:
    return [int(frame[0]) for frame in frames]


def test_late_sound_is_heard_whole() -> None:
    dejitter = Dejitter()
    dejitter.put(frame(1))
    assert values(dejitter.tick()) == [1]
    assert [values(dejitter.tick()) for _ in range(4)] == [[], [], [], []]
    for value in (2, 3, 4):
        dejitter.put(frame(value))
    assert values(dejitter.tick()) == [2, 3, 4]


async def test_of_silence_little_is_sent_and_sound_behind_it_keeps_its_time() -> None:
    silence = Sound.silence(600, PLAYED_RATE_HZ)
    frames = silence.then(speechlike(60).resampled(PLAYED_RATE_HZ)).frames()
    voice = BotVoice(lambda: next(frames))
    sent = [(await voice.recv()).pts for _ in range(14)]
    assert [pts // 960 for pts in sent] == [*range(10), 19, 30, 31, 32]


def test_sound_that_stays_away_is_silence_for_all_of_the_time() -> None:
    dejitter = Dejitter()
    given = [values(dejitter.tick()) for _ in range(15)]
    assert given == [[]] * 10 + [[0] * 11] + [[0]] * 4


def test_sound_cannot_run_far_ahead_of_the_clock() -> None:
    dejitter = Dejitter()
    for value in range(100):
        dejitter.put(frame(value))
    assert values(dejitter.tick()) == list(range(20))
