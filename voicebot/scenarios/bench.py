"""Holds the calls of scenarios with the real bot: its ears, its voice, and demonstration bills that never change."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from functools import partial
from pathlib import Path
from typing import TypeVar

from voicebot.audio.sound import Sound
from voicebot.audio.tones import dtmf
from voicebot.billing.demonstration import create_demonstration
from voicebot.billing.disclosure import Disclosures
from voicebot.billing.inquiry import Inquiries, InquiryLimits
from voicebot.billing.opening import open_store
from voicebot.call import Call, CallRecord, Services
from voicebot.errors import VoicebotError
from voicebot.evaluation.recordings import read_sound
from voicebot.language.numbers import grouped
from voicebot.language.text import spell_figures
from voicebot.legs.leg import CallLeg
from voicebot.observation import Observation, ObservedLeg
from voicebot.scenarios.caller import Caller, Part
from voicebot.scenarios.legs import RealLeg, ScriptedLeg, Show, open_leg
from voicebot.scenarios.lines import (
    Line,
    NamedLine,
    OpenLine,
    at_speech_level,
    levelled,
    line_label,
    named_lines,
    sound_of,
)
from voicebot.scenarios.reading import Case, is_sound_file
from voicebot.scenarios.scenario import CALLER, LegName, Turn
from voicebot.settings import Audit, Settings, Store
from voicebot.switchboard import open_services, open_synthesizer
from voicebot.voice.cache import CachedSynthesizer
from voicebot.voice.synthesizer import Synthesizer
from voicebot.voice.voices import open_voice

T = TypeVar("T")

DEMONSTRATION_DAY = date(2026, 11, 25)
"""The day on which demonstration bills are true, and on which the calls of a run are held."""

CALLER_TEMPO = 0.9
"""At which synthesised callers speak, in parts of their own."""


@dataclass(frozen=True, slots=True)
class Job:
    """A case on one leg and one line."""

    case: Case
    leg: LegName
    line: Line | NamedLine | None

    @property
    def line_label(self) -> str:
        """What reports call the line."""
        return line_label(self.line)


@dataclass(slots=True)
class Held:
    """A call that was held."""

    job: Job
    observation: Observation = field(default_factory=Observation)
    record: CallRecord = field(default_factory=CallRecord)
    bot_sound: Sound = field(default_factory=lambda: Sound.silence(0))
    """What the caller heard, at 8 kHz."""
    error: str = ""
    """Why the call broke off; "" where it did not."""


def jobs(cases: Iterable[Case], legs: Sequence[LegName], lines: Sequence[NamedLine]) -> list[Job]:
    """Every case on each of `legs` that it can be held on, over each of `lines` or, where none is given, its own."""
    return [
        Job(case, leg, line)
        for case in cases
        for leg in legs
        if leg in case.scenario.legs
        for line in lines or (case.scenario.line,)
    ]


class Bench:
    """A bot, and what callers need; `open_bench` makes it."""

    def __init__(self, services: Services, chosen: Settings, folder: Path, *, demonstration: bool) -> None:
        self._services = services
        self._chosen = chosen
        self._folder = folder
        self._demonstration = demonstration
        self._callers: dict[str, CachedSynthesizer] = {}
        self.doors: dict[str, RealLeg] = {}
        """The legs on which calls are real."""

    async def hold(self, job: Job) -> Held:
        """Hold the call of a job; whatever goes wrong in it is told in what comes back."""
        held = Held(job)
        try:
            parts, line = await self._run(partial(self._make_ready, job))
            async with AsyncExitStack() as stack:
                services = await self._services_of(job, held.observation, stack)
                caller = Caller(parts, held.observation)
                if job.leg == "wav":
                    leg = ScriptedLeg(caller, line, transfer_succeeds=job.case.scenario.given.operator == "answers")
                    await self._hold_leg(held, services, leg, None)
                    held.bot_sound = leg.reply
                else:
                    hold = partial(self._hold_leg, held, services)
                    codec = _line(job).codec
                    held.bot_sound = await self.doors[job.leg].call(caller, hold, codec)
        except* VoicebotError as group:
            held.error = str(_first(group))
        return held

    async def _hold_leg(self, held: Held, services: Services, leg: CallLeg, show: Show | None) -> None:
        call = Call(ObservedLeg(leg, held.observation, show), services)
        held.record = call.record
        try:
            await call.run()
        except VoicebotError as error:
            held.error = str(error)

    async def _services_of(self, job: Job, observation: Observation, stack: AsyncExitStack) -> Services:
        """The services in the circumstances of a scenario."""
        given = job.case.scenario.given
        chosen = self._chosen.model_copy(
            update={name: part for name, part in (("dialog", given.dialog), ("timers", given.timers)) if part}
        )
        store = self._services.store
        if given.books == "broken":
            store = open_store(str(self._folder / "no such folder" / "bills.sqlite"))
            stack.push_async_callback(store.close)
        limits = InquiryLimits(**chosen.inquiry.model_dump())
        if given.inquiries_per_call is not None:
            limits = replace(limits, per_call=given.inquiries_per_call)
        inquiries = Inquiries(store, Disclosures(chosen.audit.folder), limits, timeout_s=chosen.store.timeout_s)
        if not given.speech:
            recognition = chosen.recognition.model_copy(update={"speech": False})
            chosen = chosen.model_copy(update={"recognition": recognition})
        target = "" if given.operator == "nobody" else chosen.dialog.operator
        return replace(
            self._services,
            recognizer=self._services.recognizer if given.speech else None,
            catalogue=chosen.catalogue,
            store=store,
            conversation=observation.watch(chosen.conversation),
            timers=chosen.listener_timers,
            operator=lambda: target,
            inquiries=inquiries,
            now=lambda: datetime.combine(DEMONSTRATION_DAY, time(given.hour)),
            today=(lambda: DEMONSTRATION_DAY) if self._demonstration else date.today,
        )

    def _make_ready(self, job: Job) -> tuple[list[Part], OpenLine]:
        """Blocking; the caller's sounds, rendered and sent over the line."""
        scenario = job.case.scenario
        sounds = [self._sound(job.case, turn) for turn in scenario.turns]
        speech = [sound for turn, sound in zip(scenario.turns, sounds, strict=True) if turn.say is not None and sound]
        line = OpenLine(_line(job), job.case.name, speech)
        parts = [
            Part(turn, None if sound is None else line.carry(sound))
            for turn, sound in zip(scenario.turns, sounds, strict=True)
        ]
        return parts, line

    def _sound(self, case: Case, turn: Turn) -> Sound | None:
        sound: Sound | None = None
        if turn.say is not None and is_sound_file(turn.say):
            sound = read_sound(case.sounds / turn.say)
        elif turn.say is not None:
            voice = self._caller(turn.voice or case.scenario.voice or CALLER)
            sound = at_speech_level(voice.synthesize(_words(turn.say)))
        elif turn.noise is not None:
            sound = sound_of(turn.noise, turn.for_ms, f"{turn.noise} {case.name}")
        elif turn.keys is not None and turn.as_tones:
            sound = dtmf(turn.keys)
        return levelled(sound, turn.level_db) if sound is not None and turn.level_db else sound

    def _caller(self, name: str) -> CachedSynthesizer:
        if name not in self._callers:
            voice = open_voice(name, folder=self._chosen.voice.folder, speed=CALLER_TEMPO)
            self._callers[name] = CachedSynthesizer(
                voice, self._chosen.voice.cache, max_bytes=self._chosen.voice.cache_bytes
            )
        return self._callers[name]

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._services.executor, work)


@asynccontextmanager
async def open_bench(
    chosen: Settings, legs: Iterable[LegName], *, store: str | None = None, voice: Synthesizer | None = None
) -> AsyncIterator[Bench]:
    """A bench for calls on `legs`.

    Args:
        chosen: the settings of the bot.
        legs: on which calls will come.
        store: the bills; demonstration bills in a folder of its own when None, and what is told is recorded there.
        voice: the bot's; that of the settings when None, and no other where that one fails.

    Raises:
        VoicebotError: something is missing; the sentence says how to get it.
    """
    with tempfile.TemporaryDirectory(prefix="voicebot-bench-") as name:
        folder = Path(name)
        update: dict[str, object] = {"store": chosen.store.model_copy(update={"url": store})}
        if store is None:
            await asyncio.to_thread(create_demonstration, folder / "bills.sqlite", DEMONSTRATION_DAY)
            update = {"store": Store(url=str(folder / "bills.sqlite")), "audit": Audit(folder=folder / "audit")}
        chosen = chosen.model_copy(update=update)
        synthesizer = voice or open_synthesizer(chosen)
        async with open_services(chosen) as services, AsyncExitStack() as stack:
            services = replace(services, synthesizer=synthesizer)
            await services.store.check()
            bench = Bench(services, chosen, folder, demonstration=store is None)
            for leg in dict.fromkeys(legs):
                if leg != "wav":
                    bench.doors[leg] = await stack.enter_async_context(open_leg(leg, services))
            yield bench


async def hold_all(bench: Bench, todo: Sequence[Job], at_once: int, done: Callable[[Held], None]) -> None:
    """Hold all calls, `at_once` of them at a time; `done` is told of each that is over."""
    waiting = iter(todo)

    async def work() -> None:
        for job in waiting:
            done(await bench.hold(job))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(at_once):
            tasks.create_task(work())


def _line(job: Job) -> Line:
    return named_lines()[job.line] if isinstance(job.line, str) else job.line or Line()


def _words(text: str) -> str:
    """What a voice says for `text`; a number of four digits and more is dictated digit by digit."""
    if text.isascii() and text.isdecimal() and len(text) > 3:
        return ". ".join(", ".join(group.split()) for group in grouped(text)) + "."
    return spell_figures(text)


def _first(group: BaseExceptionGroup[VoicebotError]) -> VoicebotError:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
