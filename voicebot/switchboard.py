"""All live calls: what they share, how many there may be, and how they come to an end when the bot goes down."""

from __future__ import annotations

import asyncio
import os
import secrets
import string
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from voicebot.billing.disclosure import Disclosures
from voicebot.billing.inquiry import Inquiries, InquiryLimits
from voicebot.billing.opening import open_store
from voicebot.call import Call, CallRecord, Services
from voicebot.dialog.conversation import GRAMMARS
from voicebot.errors import VoicebotError
from voicebot.hearing.vosk_recognizer import VoskRecognizer
from voicebot.keeping import keep
from voicebot.legs.leg import CallLeg
from voicebot.observation import Observation, ObservedLeg
from voicebot.rehearsal import yield_to_hearing
from voicebot.settings import Settings
from voicebot.voice.cache import CachedSynthesizer
from voicebot.voice.fallback import FallbackSynthesizer
from voicebot.voice.voices import open_voice


class Busy(VoicebotError):
    """A call that is not taken because there are too many, or because the bot is going down."""


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """What calls share, built from the settings: model and voice are loaded, the store is not asked yet.

    Raises:
        VoicebotError: something is missing; the sentence says how to get it.
    """
    catalogue = settings.catalogue
    store = open_store(settings.store.url, settings.store.token, settings.store.attempt_s)
    recognizer = VoskRecognizer(settings.recognition.model) if settings.recognition.speech else None
    threads = 2 * (os.cpu_count() or 1) + 2
    with (
        ThreadPoolExecutor(threads, thread_name_prefix="hearing") as executor,
        ThreadPoolExecutor(threads, "voice", yield_to_hearing) as renderers,
    ):
        loop = asyncio.get_running_loop()
        try:
            if recognizer is not None:
                await loop.run_in_executor(executor, recognizer.load, GRAMMARS)
            yield Services(
                recognizer=recognizer,
                synthesizer=open_synthesizers(settings),
                store=store,
                conversation=settings.conversation,
                catalogue=catalogue,
                executor=executor,
                renderers=renderers,
                timers=settings.listener_timers,
                operator=lambda: settings.operator_at(datetime.now()),
                store_timeout_s=settings.store.timeout_s,
                inquiries=Inquiries(
                    store,
                    Disclosures(settings.audit.folder),
                    InquiryLimits(**settings.inquiry.model_dump()),
                    timeout_s=settings.store.timeout_s,
                ),
            )
        finally:
            await store.close()


def open_synthesizer(settings: Settings, voice: str | None = None) -> CachedSynthesizer:
    """The voice of the settings (or the one named) with its phrase cache."""
    synthesizer = open_voice(voice or settings.voice.name, folder=settings.voice.folder)
    return CachedSynthesizer(synthesizer, settings.voice.cache, max_bytes=settings.voice.cache_bytes)


def open_synthesizers(settings: Settings, *, cached: bool = True) -> FallbackSynthesizer:
    """The voice of the settings and those that take over when it fails, each with its phrase cache unless told not."""
    names = dict.fromkeys((settings.voice.name, *settings.voice.fallbacks))
    bare = partial(open_voice, folder=settings.voice.folder)
    opened = partial(open_synthesizer, settings) if cached else bare
    return FallbackSynthesizer([(name, partial(opened, name)) for name in names])


def _call_id() -> str:
    """Of letters alone, because logs mask runs of digits."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(12))


class Switchboard:
    """Admits calls up to a limit and holds them."""

    def __init__(self, services: Services, most_calls: int, recordings: Path | None = None) -> None:
        """Open it.

        Args:
            services: what the calls share.
            most_calls: how many there may be at a time.
            recordings: the folder in which calls are kept; None where they are not.
        """
        self.services = services
        """What the calls share."""
        self._most_calls = most_calls
        self._recordings = recordings
        self._live = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False

    @property
    def live(self) -> int:
        """How many calls there are now."""
        return self._live

    @contextmanager
    def admit(self) -> Iterator[Callable[[CallLeg], Awaitable[CallRecord]]]:
        """A line for one call, before it is answered; gives what holds the call once it is.

        Raises:
            Busy: there is none.
        """
        if self._draining:
            raise Busy("The bot is going down: call again in a minute.")
        if self._live >= self._most_calls:
            raise Busy(f"All {self._most_calls} lines are busy: call again in a minute.")
        self._live += 1
        self._idle.clear()
        try:
            yield self._hold
        finally:
            self._live -= 1
            if not self._live:
                self._idle.set()

    async def hold(self, leg: CallLeg) -> CallRecord:
        """Hold one call, already answered, to its end.

        Raises:
            Busy: the call was not taken.
            VoicebotError: the bot failed in mid-call.
        """
        with self.admit() as hold:
            return await hold(leg)

    async def _hold(self, leg: CallLeg) -> CallRecord:
        call_id = _call_id()
        if self._recordings is None:
            return await Call(leg, self.services, call_id).run()
        observation = Observation()
        watched = replace(self.services, conversation=observation.watch(self.services.conversation))
        call = Call(ObservedLeg(leg, observation), watched, call_id)
        try:
            return await call.run()
        finally:
            await asyncio.to_thread(keep, self._recordings / call_id, observation, call.record)

    async def drain(self, limit_s: float) -> None:
        """Take no new calls and wait, at most `limit_s`, until the running ones have ended."""
        self._draining = True
        try:
            async with asyncio.timeout(limit_s):
                await self._idle.wait()
        except TimeoutError:
            pass
