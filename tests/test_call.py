import asyncio
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from tests.fakes.recognizer import FakeRecognizer, FakeStream, command, number
from tests.fakes.sound import speechlike
from tests.fakes.store import TODAY, FakeStore, account, invoice
from tests.fakes.synthesizer import FakeSynthesizer
from tests.heard import BILL, prompts_heard
from voicebot.audio.sound import Samples, Sound
from voicebot.audio.tones import dtmf
from voicebot.billing.disclosure import Disclosures
from voicebot.billing.identifier import DEFAULT_SCHEMES, Identifier
from voicebot.billing.inquiry import Inquiries, InquiryLimits
from voicebot.billing.store import Account
from voicebot.call import BotTurn, Call, CallRecord, Services
from voicebot.dialog.actions import Outcome
from voicebot.dialog.catalogue import Catalogue
from voicebot.dialog.conversation import Conversation
from voicebot.errors import VoicebotError
from voicebot.hearing.recognizer import Reading
from voicebot.language.dates import LOCAL_TIME
from voicebot.legs.wav import WavLeg
from voicebot.observation import Observation
from voicebot.voice.cache import CachedSynthesizer

OWING = account("300000000001", invoice("27.80"), invoice("17.50"))


def services(*readings: Reading | list[Reading], store: FakeStore | None = None) -> Services:
    return Services(
        recognizer=FakeRecognizer(readings),
        synthesizer=FakeSynthesizer(),
        store=store or FakeStore(OWING),
        conversation=Conversation(DEFAULT_SCHEMES),
        catalogue=Catalogue.load("bg"),
        executor=ThreadPoolExecutor(2),
        renderers=ThreadPoolExecutor(2),
        operator=lambda: "sip:operator@example.org",
        today=lambda: TODAY,
        now=lambda: datetime(2026, 11, 23, 12, tzinfo=LOCAL_TIME),
    )


class TelephoneLeg(WavLeg):
    """A recording that rings from a telephone."""

    channel = "telephone"
    visitor = "somebody"


async def hold(leg: WavLeg, shared: Services) -> CallRecord:
    try:
        return await asyncio.wait_for(Call(leg, shared).run(), 30)
    finally:
        shared.executor.shutdown()


def says(*utterances: Sound, **script: object) -> WavLeg:
    return WavLeg(utterances or [speechlike(700)] * 4, **script)  # type: ignore[arg-type]


def said(record: CallRecord) -> str:
    return " ".join(turn.text for turn in record.turns if isinstance(turn, BotTurn))


async def test_a_spoken_number_is_confirmed_and_the_bill_told() -> None:
    record = await hold(says(), services(number("300000000001"), command("yes"), command("end")))
    assert record.outcome is Outcome.INFORMED and record.identifier == Identifier("300000000001", "customer_number")
    assert "три нула нула, нула нула нула, нула нула нула, нула нула едно. Правилно ли е?" in said(record)
    assert "две неплатени фактури на обща стойност четиридесет и пет евро и тридесет цента" in said(record)
    assert said(record).endswith("Дочуване!")


async def test_the_sum_is_said_with_emphasis() -> None:
    shared = services()
    await hold(WavLeg(keys="300000000001#"), shared)
    assert shared.synthesizer.emphasised == ["четиридесет и пет евро", "и тридесет цента."]  # type: ignore[attr-defined]


async def test_each_utterance_is_read_with_the_grammar_of_its_question() -> None:
    shared = services(number("300000000001"), command("yes"), command("end"))
    await hold(says(), shared)
    assert shared.recognizer.grammars == ["identifier", "confirm", "menu"]  # type: ignore[attr-defined]


async def test_keys_typed_ahead_stop_the_greeting_and_are_repeated() -> None:
    record = await hold(WavLeg(keys="300000000001#"), services())
    greeting = record.turns[0]
    assert record.outcome is Outcome.INFORMED
    assert isinstance(greeting, BotTurn) and greeting.interrupted
    assert "Въведохте: три нула нула" in said(record)


async def test_keys_in_band_are_the_same_as_keys_by_event() -> None:
    record = await hold(says(dtmf("300000000001#")), services())
    assert record.outcome is Outcome.INFORMED and "Въведохте: три нула нула" in said(record)


async def test_a_wrong_read_back_is_corrected() -> None:
    wrong = number("300000000009")
    record = await hold(says(), services(wrong, command("no"), number("300000000001"), command("yes")))
    assert record.outcome is Outcome.INFORMED and record.identifier == OWING.identifier
    assert "Извинете." in said(record)


async def test_silence_throughout_ends_with_a_person() -> None:
    leg = WavLeg()
    record = await hold(leg, services())
    assert record.outcome is Outcome.TRANSFERRED and leg.transferred_to == "sip:operator@example.org"


async def test_when_there_is_no_operator_none_is_offered() -> None:
    record = await hold(WavLeg(), replace(services(), operator=str))
    assert record.outcome is Outcome.ENDED and "обадете се отново по-късно" in said(record)
    assert "служител" not in said(record)


class CoughingLeg(WavLeg):
    """Keys a number ahead, and makes a sound at some moments of the call."""

    def __init__(self, *coughs_ms: int, cough_ms: int = 300) -> None:
        super().__init__(keys="300000000001#")
        self._coughs_ms = coughs_ms
        self._cough = speechlike(cough_ms)

    def _caller_frame(self, now_ms: int) -> Samples:
        if now_ms in self._coughs_ms:
            self._speaking.extend(self._cough.frames())
        return super()._caller_frame(now_ms)


@pytest.mark.parametrize("coughs_ms", [(5000,), (6000, 9000), (7000, 8000, 9000)])
async def test_a_cough_that_stops_the_bill_has_it_taken_up_again(coughs_ms: tuple[int, ...]) -> None:
    shared, observation = services(*[command("end", 0.27)] * 3), Observation()
    watched = replace(shared, conversation=observation.watch(shared.conversation))
    record = await hold(CoughingLeg(*coughs_ms), watched)
    heard = prompts_heard(observation, record)
    assert heard[: 1 + len(BILL)] == ["keyed_back", *BILL]
    cut = [turn for turn in record.turns[1:] if isinstance(turn, BotTurn) and turn.interrupted and turn.prompts_begun]
    assert len(cut) == 1, "behind the first cough, only what is understood stops the bill"


class SlowToGuess(FakeRecognizer):
    """Takes a cough for a command only after some partial readings."""

    def __init__(self, guesses: int) -> None:
        super().__init__([command("end", 0.27)])
        self.nothing = [Reading("", 0.0)] * guesses

    def stream(self, grammar: str) -> FakeStream:
        stream = super().stream(grammar)
        stream.partial = lambda: self.nothing.pop() if self.nothing else stream.readings[0]  # type: ignore[method-assign]
        return stream


@pytest.mark.parametrize("guesses", range(9, 12))
@pytest.mark.parametrize("cough_ms", [280, 300, 320])
async def test_a_bill_is_taken_up_whenever_the_cough_is_taken_for_a_command(guesses: int, cough_ms: int) -> None:
    """It may stop the bill in the very frame in which it turns out to be nothing."""
    shared, observation = replace(services(), recognizer=SlowToGuess(guesses)), Observation()
    watched = replace(shared, conversation=observation.watch(shared.conversation))
    record = await hold(CoughingLeg(6000, cough_ms=cough_ms), watched)
    assert prompts_heard(observation, record)[: 1 + len(BILL)] == ["keyed_back", *BILL]


async def test_where_speech_is_off_only_keys_answer_and_are_asked_for() -> None:
    leg = says(speechlike(700), keys=",300000000001#,9")
    shared = replace(services(), recognizer=None, catalogue=Catalogue.load("bg", keys_only=True))
    record = await hold(leg, shared)
    assert record.outcome is Outcome.INFORMED and "четиридесет и пет евро" in said(record)
    assert "кажете" not in said(record) and not [t for t in record.turns if getattr(t, "via", "") == "speech"]


async def test_a_hang_up_in_the_middle_of_a_prompt_ends_the_call_at_once() -> None:
    record = await hold(WavLeg(hang_up_after_ms=1000), services())
    assert record.outcome is Outcome.ABANDONED
    greeting = record.turns[0]
    assert isinstance(greeting, BotTurn)


async def test_the_caller_hears_an_apology_when_the_books_fail() -> None:
    record = await hold(WavLeg(keys="300000000001#"), services(store=FakeStore(failing=True)))
    assert record.outcome is Outcome.TRANSFERRED and "не мога да проверя сметката" in said(record)


async def test_books_that_do_not_answer_in_time_have_failed() -> None:
    class Slow(FakeStore):
        async def find(self, identifier: Identifier) -> Account | None:
            await asyncio.sleep(60)
            return None

    record = await hold(WavLeg(keys="300000000001#"), replace(services(store=Slow()), store_timeout_s=0.01))
    assert record.outcome is Outcome.TRANSFERRED and "не мога да проверя сметката" in said(record)


async def test_a_voice_that_fails_ends_the_call_with_its_sentence() -> None:
    class Mute(FakeSynthesizer):
        def synthesize(self, text: str, language: str = "bg", *, emphasis: bool = False) -> Sound:
            raise VoicebotError("The voice is hoarse: give it tea.")

    with pytest.raises(VoicebotError, match="give it tea"):
        await hold(WavLeg(), replace(services(), synthesizer=Mute()))


async def test_a_call_of_a_minute_takes_a_fraction_of_a_minute() -> None:
    began_s = time.monotonic()
    leg = says(*[speechlike(8000)] * 5)
    await hold(leg, services())
    assert leg.reply.duration_ms > 50_000
    assert time.monotonic() - began_s < 20


async def test_while_one_phrase_is_rendered_keys_are_still_heard() -> None:
    """The renderer is let go only after the last key has come."""
    release = threading.Event()

    class Slow(FakeSynthesizer):
        def synthesize(self, text: str, language: str = "bg", *, emphasis: bool = False) -> Sound:
            if "Добър ден" in text:
                release.wait(10)
            return super().synthesize(text, language, emphasis=emphasis)

    class Typing(WavLeg):
        async def receive(self):  # type: ignore[no-untyped-def]
            if not self._keys:
                release.set()
            return await super().receive()

        async def _pace(self) -> None:
            await asyncio.sleep(0)

    record = await hold(Typing(keys="300000000001#"), replace(services(), synthesizer=Slow()))
    assert record.identifier == OWING.identifier


async def test_latency_is_given_for_each_answer() -> None:
    record = await hold(says(), services(number("300000000001"), command("yes"), command("end")))
    assert len(record.latency_ms) == 3
    assert all(300 <= latency_ms < 2000 for latency_ms in record.latency_ms)


def digits_in(parts: Iterable[object]) -> bool:
    return any("300000000001" in str(part) or "три нула нула" in str(part) for part in parts)


async def test_the_answer_is_rendered_while_the_caller_still_confirms() -> None:
    rendered = threading.Event()
    rendered_before: list[bool] = []

    class Telling(FakeSynthesizer):
        def synthesize(self, text: str, language: str = "bg", *, emphasis: bool = False) -> Sound:
            if text.startswith("Имате две неплатени фактури"):
                rendered.set()
            return super().synthesize(text, language, emphasis=emphasis)

    class Confirming(WavLeg):
        """Stands still at the caller's "yes" until the answer is there, and notes that it was not asked for yet."""

        async def receive(self):  # type: ignore[no-untyped-def]
            if not self._utterances and not rendered_before:
                assert await asyncio.to_thread(rendered.wait, 10)
                rendered_before.append(call.record.identifier is None)
            return await super().receive()

    shared = replace(services(number("300000000001"), command("yes"), command("end")), synthesizer=Telling())
    call = Call(Confirming([speechlike(700)] * 2), shared)
    record = await asyncio.wait_for(call.run(), 30)
    shared.executor.shutdown()
    assert rendered_before == [True] and record.outcome is Outcome.INFORMED


async def test_phrases_are_rendered_where_they_keep_nobody_from_being_heard() -> None:
    threads: set[str] = set()

    class Telling(FakeSynthesizer):
        def synthesize(self, text: str, language: str = "bg", *, emphasis: bool = False) -> Sound:
            threads.add(threading.current_thread().name)
            return super().synthesize(text, language, emphasis=emphasis)

    shared = services(number("300000000001"), command("yes"), command("end"))
    with ThreadPoolExecutor(1, "voice") as renderers:
        record = await hold(says(), replace(shared, synthesizer=Telling(), renderers=renderers))
    assert record.outcome is Outcome.INFORMED and threads == {"voice_0"}


async def test_a_usual_bill_is_told_from_what_was_rendered_ahead(tmp_path: Path) -> None:
    voice = FakeSynthesizer()
    cached = CachedSynthesizer(voice, tmp_path, memory_bytes=10**9)
    shared = replace(services(), synthesizer=cached)
    for phrase in [*shared.catalogue.fixed, *shared.catalogue.values]:
        cached.synthesize(phrase.text, emphasis=phrase.emphasis, keep=False)
    ahead = len(voice.spoken)
    record = await hold(WavLeg(keys="300000000001#"), shared)
    assert "четиридесет и пет евро" in said(record)
    assert voice.texts[ahead:] == ["двадесет и трети ноември, шест часа."], "the moment of the data alone"


async def test_an_answer_that_was_got_ready_is_not_told_when_the_number_is_wrong() -> None:
    record = await hold(says(speechlike(700), speechlike(700)), services(number("300000000001"), command("no")))
    assert "четиридесет и пет евро" not in said(record) and record.identifier is None


async def test_a_record_hides_the_number_unless_it_is_to_be_revealed() -> None:
    record = await hold(says(), services(number("300000000001"), command("yes"), command("end")))
    assert not digits_in([record.as_dict(), record])
    revealed = record.as_dict(reveal=True)
    assert revealed["identifier"] == "300000000001" and digits_in(revealed["turns"])
    caller = [turn["caller"] for turn in revealed["turns"] if "caller" in turn]
    assert caller[0] == {"text": " ".join("300000000001"), "digits": "300000000001", "via": "speech", "confidence": 0.9}


async def test_no_log_line_holds_the_number(capsys: pytest.CaptureFixture[str]) -> None:
    await hold(says(), services(number("300000000001"), command("yes"), command("end")))
    await hold(WavLeg(keys="300000000001#"), services())
    logged = "".join(capsys.readouterr())
    assert "looked up" in logged and "300000000001" not in logged


async def test_a_caller_who_asks_too_often_is_told_nothing_more_and_each_answer_is_recorded(tmp_path: Path) -> None:
    store = FakeStore(OWING)
    inquiries = Inquiries(store, Disclosures(tmp_path), InquiryLimits(per_hour=1))
    outcomes = []
    for _ in range(2):
        shared = replace(services(command("end"), store=store), inquiries=inquiries)
        outcomes.append((await hold(TelephoneLeg(keys="300000000001#"), shared)).outcome)
    assert outcomes[0] is Outcome.INFORMED and outcomes[1] is not Outcome.INFORMED
    recorded = (tmp_path / "disclosures.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(recorded) == 1 and '"telephone"' in recorded[0] and "300000000001" not in recorded[0]


class BehindhandLeg(WavLeg):
    """A line on which there is always more to be heard."""

    waiting = 1  # type: ignore[assignment]


async def test_a_call_that_hears_many_frames_at_once_goes_as_any_other() -> None:
    records = []
    for leg in (WavLeg, BehindhandLeg):
        shared = services(number("300000000001"), command("yes"), command("end"))
        records.append(await hold(leg([speechlike(700)] * 4), shared))
    usual, late = records
    assert late.outcome is usual.outcome is Outcome.INFORMED
    assert said(late) == said(usual) and len(late.turns) == len(usual.turns)
