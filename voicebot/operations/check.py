"""Whether everything that a call needs is there; each check says how to get what is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from voicebot.billing.opening import open_store
from voicebot.hearing.vosk_recognizer import VoskRecognizer
from voicebot.settings import Settings
from voicebot.switchboard import open_synthesizer


def checks(settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    """Name and test of each thing; a test gives a word on what was found or raises `VoicebotError`."""
    yield "prompts", lambda: f"{len(settings.catalogue.names)} prompts"
    yield "recognition", lambda: _recognition(settings)
    yield "voice", lambda: _voice(settings)
    yield "billing store", lambda: _store(settings)


def _recognition(settings: Settings) -> str:
    if not settings.recognition.speech:
        return "switched off, callers key their number"
    recognizer = VoskRecognizer(settings.recognition.model)
    recognizer.load()
    return str(settings.recognition.model)


def _voice(settings: Settings) -> str:
    language = "en" if settings.dialog.catalogue == "en" else "bg"
    synthesizer = open_synthesizer(settings)
    synthesizer.synthesize("Здравейте!" if language == "bg" else "Hello!", language)
    return synthesizer.name


def _store(settings: Settings) -> str:
    async def ask() -> None:
        store = open_store(settings.store.url, settings.store.token, settings.store.attempt_s)
        try:
            await store.check()
        finally:
            await store.close()

    asyncio.run(ask())
    return "it answers"
