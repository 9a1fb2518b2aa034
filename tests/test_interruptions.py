"""A caller who types ahead and interrupts, on the leg of recordings: with the voice and the ears that ship."""

import asyncio
import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from tests.fakes.sound import cough
from tests.heard import BILL, prompts_heard
from voicebot.audio.sound import FRAME_SAMPLES, TELEPHONE_RATE_HZ, Samples, Sound
from voicebot.audio.wav import read_wav
from voicebot.call import BotTurn, Call, CallRecord
from voicebot.dialog.actions import Outcome
from voicebot.legs.wav import WavLeg
from voicebot.observation import Observation
from voicebot.settings import Settings, Store, Voice
from voicebot.switchboard import open_services

FIXTURES = Path(__file__).parent / "fixtures"
SUM = "четиридесет и пет евро"
REPEAT, END = (read_wav(FIXTURES / f"{name}.wav").resampled(TELEPHONE_RATE_HZ) for name in ("repeat", "end"))


class RestlessCaller(WavLeg):
    """Hears his bill again and again: cuts some tellings off with "repeat", coughs into others and lets them finish."""

    def __init__(self, plan: list[tuple[str, int]]) -> None:
        super().__init__(keys="300000000001#")
        self.plan = plan
        self.observation = Observation()
        self.call: Call
        self._told, self._wants_telling = 0, True
        self._telling, self._since_ms, self._waiting = 0, 0, False

    def _caller_frame(self, now_ms: int) -> Samples:
        told = sum(isinstance(turn, BotTurn) and SUM in turn.text for turn in self.call.record.turns)
        if told != self._told and self._wants_telling:
            self._telling, self._since_ms, self._waiting = self._telling + 1, now_ms, True
            self._wants_telling = False
        self._told = told
        if self._telling and not self._speaking:
            does, after_ms = self.plan[self._telling - 1] if self._telling <= len(self.plan) else ("end", 0)
            if does != "end" and self._waiting and now_ms - self._since_ms >= after_ms:
                self._waiting = False
                self._say(REPEAT if does == "interrupt" else cough(after_ms))
            elif does != "interrupt" and self._asked(now_ms):
                self._bot_finished_ms = None
                self._say(END if does == "end" else REPEAT)
        return self._speaking.popleft() if self._speaking else np.zeros(FRAME_SAMPLES, np.int16)

    def _say(self, sound: Sound) -> None:
        self._wants_telling = self._wants_telling or sound is REPEAT
        self._speaking.extend(sound.frames())


async def hold(leg: RestlessCaller, env: dict[str, str]) -> CallRecord:
    settings = Settings(
        store=Store(url=env["VOICEBOT_STORE__URL"]),
        voice=Voice(cache=Path(env["VOICEBOT_VOICE__CACHE"])),
        audit={"folder": env["VOICEBOT_AUDIT__FOLDER"]},  # type: ignore[arg-type]
    )
    async with open_services(settings) as services:
        watched = replace(services, conversation=leg.observation.watch(services.conversation))
        leg.call = Call(leg, watched)
        return await asyncio.wait_for(leg.call.run(), 300)


async def test_ten_interruptions_at_random_moments_behind_keys_typed_ahead_all_go_right(env: dict[str, str]) -> None:
    rng = random.Random(7)
    plan = [("interrupt", rng.randrange(600, 6000)) for _ in range(10)]
    record = await hold(RestlessCaller(plan), env)
    bot = [turn for turn in record.turns if isinstance(turn, BotTurn)]
    assert record.outcome is Outcome.INFORMED
    assert bot[0].interrupted and bot[0].prompts_begun == 1, "the first key stops the greeting"
    tellings = [turns for turns in pairwise(bot) if SUM in turns[0].text]
    assert len(tellings) == len(plan) + 1
    for told, details in tellings[:-1]:
        assert details.interrupted and details.prompts_begun < 4, "what was not heard is not counted"
        assert told.prompts_begun == 1 - (told.began_ms == told.ended_ms)
    assert not any(turn.interrupted for turn in tellings[-1])


async def test_ten_coughs_at_random_moments_of_the_bill_leave_it_told_whole(env: dict[str, str]) -> None:
    rng = random.Random(8)
    caller = RestlessCaller([("cough", rng.randrange(600, 6000)) for _ in range(10)])
    record = await hold(caller, env)
    heard = prompts_heard(caller.observation, record)
    assert record.outcome is Outcome.INFORMED
    assert heard[heard.index(BILL[0]) :] == BILL * 11 + ["goodbye"]
