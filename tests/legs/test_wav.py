import asyncio

import numpy as np

from voicebot.audio.sound import Sound
from voicebot.legs.leg import Frame, HungUp, KeyPress, PlaybackEnded
from voicebot.legs.playback import Playback, Playout
from voicebot.legs.wav import WavLeg

LOUD = Sound(np.full(1600, 1000, np.int16), 8000)


def tone(duration_ms: int, value: int = 500) -> Sound:
    return Sound(np.full(8 * duration_ms, value, np.int16), 8000)


def said(playback: Playback, sound: Sound) -> None:
    playback.feed(sound)
    playback.end()


async def until_ended(leg: WavLeg, playback: Playback) -> list[object]:
    seen: list[object] = []
    while True:
        media = await leg.receive()
        seen.append(media)
        if isinstance(media, PlaybackEnded) and media.playback is playback:
            return seen


async def test_the_caller_waits_for_the_question_and_speaks_once() -> None:
    leg = WavLeg([LOUD, LOUD])
    question = leg.play()
    said(question, tone(500))
    seen = await until_ended(leg, question)
    assert not any(isinstance(m, Frame) and m.samples.any() for m in seen)
    frames = [await leg.receive() for _ in range(100)]
    loud = [m.at_ms for m in frames if isinstance(m, Frame) and m.samples.any()]
    assert loud == list(range(800, 1000, 20))
    second = leg.play()
    said(second, tone(100))
    await until_ended(leg, second)
    frames = [await leg.receive() for _ in range(100)]
    assert sum(isinstance(m, Frame) and bool(m.samples.any()) for m in frames) == 10


async def test_the_fast_clock_stands_still_while_the_bot_renders() -> None:
    leg = WavLeg([])
    playback = leg.play()

    async def render() -> None:
        await asyncio.sleep(0.02)
        said(playback, tone(40))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(render())
        seen = await until_ended(leg, playback)
    assert seen[-1].at_ms == 40  # type: ignore[attr-defined]


async def test_a_stopped_playback_ends_at_once_and_tells_how_much_was_heard() -> None:
    leg = WavLeg([])
    playback, behind = leg.play(), leg.play()
    said(playback, tone(1000))
    said(behind, tone(20))
    for _ in range(5):
        await leg.receive()
    assert playback.stop() == 100
    seen = await until_ended(leg, playback)
    assert seen[-1].at_ms == 120  # type: ignore[attr-defined]
    assert playback.stopped and not behind.stopped


async def test_the_reply_holds_what_the_caller_heard() -> None:
    leg = WavLeg([])
    for value in (300, 700):
        said(leg.play(), tone(30, value))
    for _ in range(6):
        await leg.receive()
    heard = leg.reply.samples
    assert (heard[:240] == 300).all() and (heard[240:480] == 700).all() and not heard[480:].any()


async def test_keys_are_typed_ahead_and_a_comma_waits_for_the_question() -> None:
    leg = WavLeg([], keys="12,3")
    seen = [await leg.receive() for _ in range(60)]
    assert [m.key for m in seen if isinstance(m, KeyPress)] == ["1", "2"]
    playback = leg.play()
    said(playback, tone(100))
    await until_ended(leg, playback)
    seen = [await leg.receive() for _ in range(40)]
    assert [m.key for m in seen if isinstance(m, KeyPress)] == ["3"]


async def test_the_caller_hangs_up_when_the_script_says() -> None:
    leg = WavLeg([], hang_up_after_ms=100)
    said(leg.play(), tone(1000))
    seen = [await leg.receive() for _ in range(5)]
    assert isinstance(seen[-1], HungUp) and seen[-1].at_ms == 100


async def test_recordings_of_any_rate_are_heard_at_the_rate_of_the_telephone() -> None:
    leg = WavLeg([Sound(np.full(48_000, 1000, np.int16), 48_000)])
    question = leg.play()
    said(question, tone(20))
    await until_ended(leg, question)
    frames = [await leg.receive() for _ in range(100)]
    assert sum(isinstance(m, Frame) and bool(m.samples.any()) for m in frames) == 50


def test_a_playout_gives_silence_where_nothing_is_rendered_yet() -> None:
    playout = Playout(8000)
    playback = playout.begin()
    frame, ended = playout.next_frame()
    assert len(frame) == 160 and not frame.any() and not ended
    playback.feed(tone(10))
    playback.end()
    frame, ended = playout.next_frame()
    assert (frame[:80] == 500).all() and not frame[80:].any() and ended == [playback]
    assert playout.current is None
