"""What came of the calls: each judged by its scenario, as plain values for JSON, JUnit and the page.

Customers' numbers are masked in all of it unless a tester asks for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from voicebot.call import BotTurn, CallerTurn
from voicebot.dialog.conversation import SUM_TOLD
from voicebot.evaluation.recordings import read_sound
from voicebot.evaluation.scoring import Said, Trial
from voicebot.evaluation.trials import words_of
from voicebot.hearing.events import KeysEntered, TurnEnded
from voicebot.hearing.recognizer import Reading
from voicebot.observation import Observed
from voicebot.scenarios.bench import Held
from voicebot.scenarios.reading import is_sound_file, names_prompt
from voicebot.scenarios.scenario import Turn, Understood

_LONG_NUMBER = re.compile(r"\d{6,}")


def masked(text: str) -> str:
    """`text` with all but the last two figures of long numbers hidden."""
    return _LONG_NUMBER.sub(lambda found: "•" * (len(found[0]) - 2) + found[0][-2:], text)


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that was not as the scenario says."""

    turn: int | None
    """Which of the caller's turns, from 1; 0 before the first, None for the call as a whole."""
    what: str = field(repr=False)
    """In a sentence; it may hold a number in clear."""


@dataclass(slots=True)
class _Spoken:
    """What was said and heard between one turn of the caller's and the next."""

    bot: list[tuple[tuple[str, ...], BotTurn]] = field(default_factory=list)
    """The bot's turns, each with the names of its prompts."""
    caller: list[tuple[CallerTurn, Sequence[Reading]]] = field(default_factory=list)


@dataclass(slots=True)
class Result:
    """A call and how it was judged."""

    held: Held
    spoken: list[_Spoken]
    """For each turn of the caller's; the first is what came before it."""
    failures: list[Failure]

    @property
    def passed(self) -> bool:
        """Whether all was as it should be."""
        return not self.failures


def judge(held: Held) -> Result:
    """Compare a call with its scenario."""
    spoken = _spoken(held)
    return Result(held, spoken, list(_failures(held, spoken)))


def _spoken(held: Held) -> list[_Spoken]:
    """The record of a call, parted by the caller's turns; it has an entry for each turn that the steps tell of."""
    record = iter(held.record.turns)
    parts = []
    for turn in range(-1, len(held.observation.turns)):
        part = _Spoken()
        for step in held.observation.steps_of(turn):
            if isinstance(step.event, TurnEnded | KeysEntered):
                entry = next(record, None)
                if isinstance(entry, CallerTurn):
                    readings = step.event.readings if isinstance(step.event, TurnEnded) else ()
                    part.caller.append((entry, readings))
            for say in step.says:
                entry = next(record, None)
                if isinstance(entry, BotTurn):
                    part.bot.append((tuple(prompt.name for prompt in say.prompts), entry))
        parts.append(part)
    return parts


def _failures(held: Held, spoken: Sequence[_Spoken]) -> Iterator[Failure]:
    scenario = held.job.case.scenario
    if held.error:
        yield Failure(None, f"the call broke off: {held.error.rstrip('.')}")
    yield from _wording(0, scenario.opens_with, (), spoken[0])
    begun = len(held.observation.turns)
    for number, turn in enumerate(scenario.turns, start=1):
        if number > begun:
            if not held.error:
                yield Failure(number, f"its moment never came: the call was over after turn {begun}")
            break
        yield from _judge_turn(held, number, turn, spoken)
    if scenario.outcome is not None and held.record.outcome is not scenario.outcome:
        yield Failure(None, f'the call ended as "{held.record.outcome}" and not as "{scenario.outcome}"')
    if scenario.disclosed is not None and (told := tuple(disclosed(held.observation.steps))) != scenario.disclosed:
        yield Failure(None, f"the bill of {_list(told)} was told, and not that of {_list(scenario.disclosed)}")


def disclosed(steps: Iterable[Observed]) -> Iterator[str]:
    """The numbers of which the bill was told, each once."""
    last = None
    for step in steps:
        if any(say.mark == SUM_TOLD for say in step.says) and step.after.candidate is not None:
            number = step.after.candidate.reveal()
            if number != last:
                yield number
            last = number


def _judge_turn(held: Held, number: int, turn: Turn, spoken: Sequence[_Spoken]) -> Iterator[Failure]:
    part, begun = spoken[number], held.observation.turns[number - 1]
    yield from _wording(number, turn.says, turn.never, part)
    if turn.understood is not None:
        yield from _understanding(number, turn.understood, part)
    if turn.within_ms is not None:
        delay_ms = delay_of(part)
        if delay_ms is None:
            yield Failure(number, "it was not answered")
        elif delay_ms > turn.within_ms:
            yield Failure(number, f"the answer came after {delay_ms} ms and not within {turn.within_ms} ms")
    before = [entry for _, entry in spoken[number - 1].bot]
    cut = next((entry for entry in before if entry.interrupted), None)
    if turn.interrupted is not None and turn.interrupted is not (cut is not None):
        yield Failure(number, "the bot went on speaking" if turn.interrupted else "it cut the bot off")
    if turn.silent_within_ms is not None:
        if cut is None or cut.ended_ms is None:
            yield Failure(number, "the bot went on speaking")
        elif (after_ms := cut.ended_ms - begun.at_ms) > turn.silent_within_ms:
            yield Failure(number, f"the bot was silent after {after_ms} ms and not within {turn.silent_within_ms} ms")


def delay_of(part: _Spoken) -> int | None:
    """From the end of what the caller said to the first sound of the answer, in ms of the call's media."""
    heard = [entry.began_ms for _, entry in part.bot if entry.began_ms is not None]
    if not part.caller or not heard:
        return None
    ended_ms = part.caller[0][0].ended_ms
    answers = [began_ms for began_ms in heard if began_ms >= ended_ms]
    return min(answers) - ended_ms if answers else None


def _wording(number: int, says: Sequence[str], never: Sequence[str], part: _Spoken) -> Iterator[Failure]:
    prompts = [name for names, _ in part.bot for name in names]
    text = _plain(" ".join(entry.text for _, entry in part.bot))
    said = f'the bot said "{text}" ({", ".join(prompts)})' if text else "the bot said nothing"
    prompt_from, text_from = 0, 0
    for wanted in says:
        if names_prompt(wanted):
            if wanted not in prompts[prompt_from:]:
                yield Failure(number, f'the prompt "{wanted}" was to be said, and {said}')
                return
            prompt_from = prompts.index(wanted, prompt_from) + 1
        else:
            place = text.find(_plain(wanted), text_from)
            if place < 0:
                yield Failure(number, f'"{wanted}" was to be said, and {said}')
                return
            text_from = place + len(_plain(wanted))
    for unwanted in never:
        if unwanted in prompts or (not names_prompt(unwanted) and _plain(unwanted) in text):
            yield Failure(number, f'"{unwanted}" was not to be said, and {said}')


def _understanding(number: int, wanted: Understood, part: _Spoken) -> Iterator[Failure]:
    if not part.caller:
        yield Failure(number, "nothing was heard")
        return
    heard, _ = part.caller[0]
    if wanted.digits is not None and heard.digits != wanted.digits:
        yield Failure(number, f'the digits "{heard.digits}" were heard and not "{wanted.digits}"')
    if wanted.intent is not None and (heard.intent or "none") != wanted.intent:
        yield Failure(number, f'"{heard.text}" ({heard.intent or "none"}) was heard and not "{wanted.intent}"')
    if wanted.text is not None and words_of(heard.text) != words_of(wanted.text):
        yield Failure(number, f'"{heard.text}" was heard and not "{wanted.text}"')
    if wanted.confidence is not None and heard.confidence < wanted.confidence:
        yield Failure(number, f"it was heard with confidence {heard.confidence:.2f} and not {wanted.confidence:.2f}")


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _list(numbers: Sequence[str]) -> str:
    return ", ".join(numbers) or "nobody"


# For the figures


def trials(results: Iterable[Result]) -> Iterator[Trial]:
    """Everything that was spoken and of which the scenario tells what it means, with how it was heard."""
    for result in results:
        job = result.held.job
        for number, turn in enumerate(job.case.scenario.turns[: len(result.held.observation.turns)], start=1):
            wanted = turn.understood
            if turn.say is None or wanted is None or (wanted.digits is None and wanted.intent is None):
                continue
            heard = result.spoken[number].caller
            if heard and heard[0][0].via == "keys":  # tones in a sound
                continue
            readings = heard[0][1] if heard else ()
            text = turn.text if is_sound_file(turn.say) else turn.say
            words = words_of(text) if text and not any(sign.isdecimal() for sign in text) else None
            intent = None if wanted.intent in (None, "none") else wanted.intent
            yield Trial(
                turn.say,
                Said(wanted.digits or "", intent, words),
                readings or (Reading("", 0.0),),
                voice=_voice_of(result, turn),
                line=f"{job.leg}: {job.line_label}",
                kind="" if is_sound_file(turn.say) else "synthetic",
            )


def _voice_of(result: Result, turn: Turn) -> str:
    assert turn.say is not None
    if is_sound_file(turn.say):
        return turn.voice or "recordings"
    return turn.voice or result.held.job.case.scenario.voice or ""


def sound_seconds(result: Result, turn: Turn) -> float:
    """How long a sound file is."""
    assert turn.say is not None
    return read_sound(result.held.job.case.sounds / turn.say).duration_ms / 1000


# As plain values


def as_values(result: Result, *, reveal: bool) -> dict[str, Any]:
    """A call for JSON, without its sound."""
    job, record = result.held.job, result.held.record
    show = str if reveal else masked
    shown = record.as_dict(reveal=reveal)
    return {
        "name": show(job.case.name),
        "place": job.case.place,
        "leg": job.leg,
        "line": job.line_label,
        "passed": result.passed,
        "failures": [{"turn": f.turn, "what": _shown(f.what, reveal)} for f in result.failures],
        "outcome": record.outcome,
        "identifier": shown["identifier"],
        "duration_ms": result.held.observation.ended_ms,
        "turns": list(_turn_values(result, reveal)),
    }


def _shown(text: str, reveal: bool) -> str:
    """Numbers in words, as the bot says them back, are hidden with the figures."""
    if reveal:
        return text
    return _NUMBER_IN_WORDS.sub("•", masked(text))


_DIGIT_WORD = r"(?:нула|едно|две|три|четири|пет|шест|седем|осем|девет)"
_NUMBER_IN_WORDS = re.compile(rf"\b{_DIGIT_WORD}(?:[,.]? {_DIGIT_WORD}\b){{3,}}", re.IGNORECASE)


def _turn_values(result: Result, reveal: bool) -> Iterator[dict[str, Any]]:
    """What happened in order: deeds of the caller, what was heard of them, what the bot said."""
    scenario, begun = result.held.job.case.scenario, result.held.observation.turns
    show = str if reveal else masked
    for number, part in enumerate(result.spoken):
        if number:
            turn, moment = scenario.turns[number - 1], begun[number - 1]
            yield {
                "deed": show(turn.what),
                "turn": number,
                "began_ms": moment.at_ms,
                "ended_ms": moment.ends_ms,
                "says": [show(text) for text in turn.says],
                "text": _shown(turn.text or "", reveal),
                "failed": any(failure.turn == number for failure in result.failures),
            }
        delay_ms = delay_of(part)
        for heard, readings in part.caller:
            yield {
                "heard": _hidden(heard.text, heard.digits, reveal),
                "digits": _digits(heard.digits, reveal),
                "intent": heard.intent,
                "via": heard.via,
                "confidence": round(heard.confidence, 3),
                "readings": [_reading(reading, reveal) for reading in readings[:5]],
                "began_ms": heard.began_ms,
                "ended_ms": heard.ended_ms,
                "delay_ms": delay_ms,
            }
        for prompts, said in part.bot:
            yield {
                "bot": said.text if reveal else said.masked,
                "prompts": prompts,
                "began_ms": said.began_ms,
                "ended_ms": said.ended_ms,
                "interrupted": said.interrupted,
            }


def _reading(reading: Reading, reveal: bool) -> dict[str, Any]:
    return {
        "text": _hidden(reading.text, reading.digits, reveal),
        "digits": _digits(reading.digits, reveal),
        "intent": reading.intent,
        "confidence": round(reading.confidence, 3),
    }


def _hidden(text: str, digits: str, reveal: bool) -> str:
    return text if reveal or not digits else "•"


def _digits(digits: str, reveal: bool) -> str:
    return digits if reveal or len(digits) < 3 else "•" * (len(digits) - 2) + digits[-2:]


def junit(calls: Sequence[Mapping[str, Any]], duration_s: float) -> str:
    """The run as JUnit's XML, which continuous integration reads."""
    failed = sum(not call["passed"] for call in calls)
    suite = ElementTree.Element(
        "testsuite", name="voicebot", tests=str(len(calls)), failures=str(failed), errors="0", time=f"{duration_s:.3f}"
    )
    for call in calls:
        place, _, line = call["place"].rpartition(":")
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"{call['leg']}.{call['line']}",
            name=call["name"],
            file=place,
            line=line,
            time=f"{call['duration_ms'] / 1000:.3f}",
        )
        if not call["passed"]:
            told = [failure_text(failure) for failure in call["failures"]]
            ElementTree.SubElement(case, "failure", message=told[0]).text = "\n".join(told)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def failure_text(failure: Mapping[str, Any]) -> str:
    """A failure with its turn, as a sentence."""
    where = {None: "The call", 0: "Opening"}.get(failure["turn"], f"Turn {failure['turn']}")
    return f"{where}: {failure['what']}."
