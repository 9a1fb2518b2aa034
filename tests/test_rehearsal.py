import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from tests.fakes.recognizer import FakeRecognizer
from tests.fakes.store import FakeStore
from tests.fakes.synthesizer import FakeSynthesizer
from voicebot.billing.identifier import DEFAULT_SCHEMES
from voicebot.call import Services
from voicebot.dialog.catalogue import Catalogue
from voicebot.dialog.conversation import Conversation
from voicebot.rehearsal import rehearse, yield_to_hearing

FIXED = [phrase.text for phrase in Catalogue.load("bg").fixed]


def services(voice: FakeSynthesizer) -> Services:
    conversation, executor = Conversation(DEFAULT_SCHEMES), ThreadPoolExecutor(1)
    return Services(
        *(FakeRecognizer(), voice, FakeStore(), conversation, Catalogue.load("bg"), executor, executor),
        now=lambda: datetime(2026, 3, 4, 7, 30),
    )


async def test_what_opens_a_call_at_this_hour_is_rendered_before_calls_are_taken() -> None:
    voice = FakeSynthesizer()
    async with rehearse(services(voice)):
        opening = voice.texts[:4]
    assert opening[0].startswith("Добро утро") and any("номер" in text for text in opening)
    assert {*opening} <= {*FIXED}


async def test_all_other_fixed_phrases_follow_though_the_voice_fails_on_one() -> None:
    voice = FakeSynthesizer(fails_on="Дочуване")
    async with rehearse(services(voice)) as rest:
        rest.join()
    assert {*voice.texts} == {*FIXED}


async def test_going_down_does_not_wait_for_them() -> None:
    voice = FakeSynthesizer(takes_s=0.2)
    async with rehearse(services(voice)):
        pass
    assert len({*voice.texts}) < len(FIXED) / 2


def test_threads_that_render_let_others_go_first() -> None:
    with ThreadPoolExecutor(1, initializer=yield_to_hearing) as renderers:
        own = renderers.submit(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())).result()
    assert own > os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
