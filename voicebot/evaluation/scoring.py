"""Scores of what was heard against what was said: words, digits, whole numbers, answers, false accepts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from rapidfuzz.distance import Levenshtein

from voicebot.evaluation.intervals import Interval, bootstrap, wilson
from voicebot.hearing.recognizer import Reading

NOTHING = ""
"""Stands in a confusion for what was left out, or for where nothing was said."""

FEW_VOICES = 5
"""With fewer voices than this the utterances are drawn for the interval of an error rate, else the voices."""


@dataclass(frozen=True, slots=True)
class Said:
    """What an utterance is known to be."""

    digits: str = field(default="", repr=False)
    """The digits that are said, "" for none."""
    intent: str | None = None
    """The intent that is expressed, None for none."""
    words: tuple[str, ...] | None = field(default=None, repr=False)
    """The words that are said; None when they are not known."""
    ordinal: int | None = None
    """Which of a list is chosen, as in `Reading`."""
    month: int | None = None
    """Which month is named, as in `Reading`."""

    @property
    def choice(self) -> tuple[int | None, int | None]:
        """The invoice that is chosen: its place in the list, its month."""
        return self.ordinal, self.month

    @property
    def has_answer(self) -> bool:
        """Whether anything is said that should be understood."""
        return bool(self.digits or self.intent) or self.choice != (None, None)

    def is_meant_by(self, reading: Reading) -> bool:
        """Whether a reading means what was said."""
        meant = (reading.digits, reading.intent, (reading.ordinal, reading.month))
        return meant == (self.digits, self.intent, self.choice)


@dataclass(frozen=True, slots=True)
class Trial:
    """One utterance, and what was heard."""

    name: str
    """What reports call it, such as its file."""
    said: Said
    readings: Sequence[Reading]
    """Best first, at least one."""
    voice: str = ""
    line: str = ""
    snr: str = ""
    kind: str = ""
    sound_s: float = 0.0
    """How long the sound is."""
    cpu_s: float = 0.0
    """Processor time that hearing it took."""

    @property
    def best(self) -> Reading:
        """The first reading."""
        return self.readings[0]

    @property
    def right(self) -> bool:
        """Whether the best reading means what was said."""
        return self.said.is_meant_by(self.best)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which confidence on a reading is taken for an answer."""

    number: float = 0.1
    """For a whole number, which is read back."""
    intent: float = 0.5
    """For a command or a no, and for single digits in the count of false accepts."""
    yes: float = 0.7
    """For a yes."""

    def of(self, intent: str | None) -> float:
        """The threshold of an intent."""
        return self.yes if intent == "yes" else self.intent


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many."""

    hits: int
    count: int

    @property
    def value(self) -> float:
        """The share itself, 0 of nothing."""
        return self.hits / self.count if self.count else 0.0

    @property
    def interval(self) -> Interval:
        """Its interval of 95 % by Wilson."""
        return wilson(self.hits, self.count)


@dataclass(frozen=True, slots=True)
class Edits:
    """What an alignment of least cost has to change."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    count: int = 0
    """How many there were to hear."""

    @property
    def errors(self) -> int:
        """All changes."""
        return self.substitutions + self.deletions + self.insertions

    def __add__(self, other: Edits) -> Edits:
        return Edits(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.count + other.count,
        )


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """Edits of a set, with the interval of their rate."""

    edits: Edits
    interval: Interval

    @property
    def value(self) -> float:
        """Errors for each that there was to hear."""
        return self.edits.errors / self.edits.count if self.edits.count else 0.0


def confusions(said: Sequence[str], heard: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Pairs (said, heard) of an alignment of least cost, equal ones among them; `NOTHING` where a partner lacks."""
    for step in Levenshtein.opcodes(said, heard):
        old, new = said[step.src_start : step.src_end], heard[step.dest_start : step.dest_end]
        for place in range(max(len(old), len(new))):
            yield old[place] if place < len(old) else NOTHING, new[place] if place < len(new) else NOTHING


def edits(said: Sequence[str], heard: Sequence[str]) -> Edits:
    """What an alignment of least cost has to change (V. Levenshtein, 1966)."""
    kinds: Counter[str] = Counter(step.tag for step in Levenshtein.editops(said, heard))
    return Edits(kinds["replace"], kinds["delete"], kinds["insert"], len(said))


def error_rate(trials: Iterable[tuple[str, Edits]]) -> ErrorRate:
    """The rate of edits of utterances, each given with its voice."""
    by_utterance = list(trials)
    by_voice: dict[str, Edits] = {}
    for voice, found in by_utterance:
        by_voice[voice] = by_voice.get(voice, Edits()) + found
    units = list(by_voice.values()) if len(by_voice) >= FEW_VOICES else [found for _, found in by_utterance]
    total = sum(units, Edits())
    return ErrorRate(total, bootstrap([unit.errors for unit in units], [unit.count for unit in units]))


@dataclass(frozen=True)
class Figures:
    """The figures of some trials."""

    trials: Sequence[Trial]
    thresholds: Thresholds = Thresholds()
    is_number: Callable[[str], bool] = bool
    """Whether digits are a customer's number, for the count of false accepts."""

    @cached_property
    def voices(self) -> int:
        """How many voices speak."""
        return len({trial.voice for trial in self.trials})

    @cached_property
    def with_digits(self) -> list[Trial]:
        """The trials in which digits are said."""
        return [trial for trial in self.trials if trial.said.digits]

    @cached_property
    def with_intent(self) -> list[Trial]:
        """The trials in which an answer or a command is said."""
        return [trial for trial in self.trials if trial.said.intent]

    @cached_property
    def without_answer(self) -> list[Trial]:
        """The trials in which nothing is said that should be understood."""
        return [trial for trial in self.trials if not trial.said.has_answer]

    @cached_property
    def strings(self) -> Share:
        """Whole strings of digits whose best reading is right, whatever its confidence."""
        return Share(sum(trial.right for trial in self.with_digits), len(self.with_digits))

    @cached_property
    def strings_among_readings(self) -> Share:
        """Strings of which any reading is right."""
        found = sum(any(r.digits == trial.said.digits for r in trial.readings) for trial in self.with_digits)
        return Share(found, len(self.with_digits))

    @cached_property
    def digits(self) -> ErrorRate:
        """Errors for each digit that is said."""
        return error_rate((trial.voice, edits(trial.said.digits, trial.best.digits)) for trial in self.with_digits)

    @cached_property
    def words(self) -> ErrorRate:
        """Errors for each word of the utterances that should be understood and whose words are known."""
        return error_rate(
            (trial.voice, edits(trial.said.words, tuple(trial.best.text.split())))
            for trial in self.trials
            if trial.said.has_answer and trial.said.words is not None
        )

    @cached_property
    def intents(self) -> Share:
        """Answers and commands whose best reading is right, whatever its confidence."""
        return Share(sum(trial.right for trial in self.with_intent), len(self.with_intent))

    @cached_property
    def intents_taken(self) -> Share:
        """Answers and commands that are right and of enough confidence to be acted on."""
        taken = sum(t.right and t.best.confidence >= self.thresholds.of(t.best.intent) for t in self.with_intent)
        return Share(taken, len(self.with_intent))

    @cached_property
    def choices(self) -> Share:
        """Invoices chosen by their place or month whose best reading is right, whatever its confidence."""
        chosen = [trial for trial in self.trials if trial.said.choice != (None, None)]
        return Share(sum(trial.right for trial in chosen), len(chosen))

    @cached_property
    def no_as_yes(self) -> Share:
        """Times that a "no" was taken for a "yes": the error that tells a debt to the wrong person."""
        refusals = [trial for trial in self.with_intent if trial.said.intent == "no"]
        return Share(sum(self._is_yes(trial.best) for trial in refusals), len(refusals))

    def _is_yes(self, reading: Reading) -> bool:
        return reading.intent == "yes" and reading.confidence >= self.thresholds.yes

    @cached_property
    def false_digits(self) -> Share:
        """Utterances without an answer in which digits are heard with the confidence of a command."""
        return self._falsely(lambda trial: bool(trial.best.digits) and trial.best.confidence >= self.thresholds.intent)

    @cached_property
    def false_numbers(self) -> Share:
        """Utterances without an answer of which a reading would be read back as a customer's number."""
        return self._falsely(
            lambda trial: any(
                r.digits and r.confidence >= self.thresholds.number and self.is_number(r.digits) for r in trial.readings
            )
        )

    @cached_property
    def false_intents(self) -> Share:
        """Utterances without an answer that are taken for an answer or a command."""
        return self._falsely(
            lambda trial: bool(trial.best.intent) and trial.best.confidence >= self.thresholds.of(trial.best.intent)
        )

    @cached_property
    def false_yes(self) -> Share:
        """Utterances without an answer that are taken for a "yes"."""
        return self._falsely(lambda trial: self._is_yes(trial.best))

    def _falsely(self, taken: Callable[[Trial], bool]) -> Share:
        return Share(sum(taken(trial) for trial in self.without_answer), len(self.without_answer))

    @cached_property
    def confusion(self) -> Counter[tuple[str, str]]:
        """How often each digit (or `NOTHING`) was heard as each (or `NOTHING`)."""
        return Counter(pair for trial in self.with_digits for pair in confusions(trial.said.digits, trial.best.digits))

    @cached_property
    def by_digit(self) -> Mapping[str, Share]:
        """For each digit that is said, how often it was heard right."""
        said: Counter[str] = Counter()
        for (digit, _), count in self.confusion.items():
            said[digit] += count
        return {digit: Share(self.confusion[digit, digit], said[digit]) for digit in sorted(said) if digit != NOTHING}

    @cached_property
    def sound_s(self) -> float:
        """How long the sounds are."""
        return sum(trial.sound_s for trial in self.trials)

    @cached_property
    def real_time_factor(self) -> float:
        """Processor time for each second of sound, and so of one core."""
        return sum(trial.cpu_s for trial in self.trials) / self.sound_s if self.sound_s else 0.0

    def worst(self, most: int = 20) -> list[Trial]:
        """What went wrong, worst first: most errors for what was said, then the most confident."""
        wrong = [trial for trial in self.trials if self._is_wrong(trial)]
        return sorted(wrong, key=lambda trial: (-_badness(trial), -trial.best.confidence, trial.name))[:most]

    def _is_wrong(self, trial: Trial) -> bool:
        if trial.said.has_answer:
            return not trial.right
        best = trial.best
        return bool(best.digits or best.intent) and best.confidence >= self.thresholds.of(best.intent)

    def split(self, by: str) -> Mapping[str, Figures]:
        """The figures of each value of a field of the trials ("voice", "line", "snr", "kind"), sorted by it."""
        groups: dict[str, list[Trial]] = {}
        for trial in self.trials:
            groups.setdefault(getattr(trial, by), []).append(trial)
        return {value: Figures(groups[value], self.thresholds, self.is_number) for value in sorted(groups)}


def _badness(trial: Trial) -> float:
    if trial.said.digits:
        return edits(trial.said.digits, trial.best.digits).errors / len(trial.said.digits)
    return 1.0


@dataclass(frozen=True, slots=True)
class Operating:
    """What a threshold of confidence does."""

    threshold: float
    misses: float
    """Share of the numbers that are not taken, or are taken wrongly."""
    wrong: float
    """Share of the numbers that are taken wrongly."""
    false_accepts: float
    """Share of the utterances without an answer in which digits are taken."""


def detection_curve(numbers: Sequence[Trial], others: Sequence[Trial]) -> list[Operating]:
    """What each threshold does that changes anything, from the lowest on: the points of a DET curve.

    After Martin, Doddington et al., "The DET curve in assessment of detection task performance" (1997).
    """
    taken = [(trial.best.confidence, trial.best.digits == trial.said.digits) for trial in numbers if trial.best.digits]
    false = [trial.best.confidence for trial in others if trial.best.digits]
    points = []
    for threshold in sorted({0.0, *(confidence for confidence, _ in taken), *false, 1.01}):
        right = sum(good and confidence >= threshold for confidence, good in taken)
        wrong = sum(not good and confidence >= threshold for confidence, good in taken)
        accepted = sum(confidence >= threshold for confidence in false)
        points.append(
            Operating(
                threshold,
                1 - right / max(1, len(numbers)),
                wrong / max(1, len(numbers)),
                accepted / max(1, len(others)),
            )
        )
    return points
