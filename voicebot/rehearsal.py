"""What the bot will say for certain, rendered before a caller waits for it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import structlog

from voicebot.call import Services
from voicebot.dialog.actions import Say
from voicebot.dialog.catalogue import Phrase
from voicebot.dialog.conversation import State
from voicebot.dialog.events import Answered
from voicebot.errors import VoicebotError

log = structlog.get_logger()

_NICENESS = 10


@asynccontextmanager
async def rehearse(services: Services) -> AsyncIterator[threading.Thread]:
    """Render what opens a call, then let the body run while the other fixed phrases follow, the first in a call first.

    They follow one by one in the thread that is given, which live calls take precedence over. A phrase that a voice
    fails on is left to the call that needs it.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await loop.run_in_executor(services.renderers, _render, services, _opening(services), threading.Event())
    log.info("opening rendered", seconds=round(loop.time() - begun, 1))
    stop = threading.Event()
    rest = threading.Thread(target=_render_behind, args=(services, stop), name="rehearsal", daemon=True)
    rest.start()
    try:
        yield rest
    finally:
        stop.set()
        await asyncio.to_thread(rest.join)


def _opening(services: Services) -> list[Phrase]:
    """What a caller hears first at this hour."""
    _, actions = services.conversation.step(State(), Answered(services.now().hour))
    prompts = [prompt for action in actions if isinstance(action, Say) for prompt in action.prompts]
    return [phrase for prompt in prompts for phrase in services.catalogue.phrases(prompt)]


def yield_to_hearing() -> None:
    """Let all other threads of the bot go before this one, which renders (setpriority(2): a thread has its own)."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def _render_behind(services: Services, stop: threading.Event) -> None:
    yield_to_hearing()
    _render(services, services.catalogue.fixed, stop)
    if not stop.is_set():
        log.info("fixed phrases rendered")


def _render(services: Services, phrases: Iterable[Phrase], stop: threading.Event) -> None:
    for phrase in phrases:
        if stop.is_set():
            return
        try:
            services.synthesizer.synthesize(phrase.text, services.catalogue.language, emphasis=phrase.emphasis)
        except VoicebotError as error:
            log.error("phrase not rendered", reason=str(error))
