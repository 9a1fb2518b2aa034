"""How sure a reading is: from what speaks for and against it to the probability that it is right.

Pure. What is weighed is gathered in `Evidence`; the weights are a model's own and are fitted by
`benchmarks/calibration.py`, because every acoustic model errs in another way.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np

from voicebot.audio.level import LEVEL_MS, Levels

UNKNOWN_WORD = "[unk]"
"""What a recogniser writes for a stretch of words that the grammar lacks."""
HESITATION = "ъъъ"
"""How grammars write a drawn-out vowel that means nothing; it may last any time."""

_LEAST_SHARE = 0.005
"""Shares are held this far from 0 and 1: the few hypotheses that were compared say no more than that."""
_LONGEST_PAUSE_RATIO = 20.0
_LETTER_S = 0.1
"""An ordinary letter's time, taken where nothing but a hesitation was said."""


class CalibrationError(ValueError):
    """Weights that cannot be used."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word and when it is said, in seconds from the beginning of the utterance."""

    word: str
    begin_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """How long it lasts; never 0."""
        return max(self.end_s - self.begin_s, 0.01)

    @property
    def letter_s(self) -> float:
        """How long each letter lasts; Bulgarian has about one letter for a sound."""
        return self.duration_s / max(len(self.word), 1)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for and against one reading."""

    log_odds: float
    """Of its share among all hypotheses."""
    unknown: float
    """Share of the speaking time that unknown words take, 0 to 1."""
    uncovered: float
    """Share of the loud sound that lies outside of the reading's words, 0 to 1."""
    score_per_s: float
    """Score of its best hypothesis for each second of speaking."""
    pause_ratio: float
    """Seconds without words for each second of speaking; what pauses add to the score is taken off by this."""
    longest: float
    """Logarithm of the longest time that a letter takes: a noise is stretched into a word."""
    unevenness: float
    """Standard deviation of that logarithm over the words: nobody says one digit thrice as fast as the next."""

    @classmethod
    def of(cls, share: float, score: float, words: Sequence[SpokenWord], levels_db: Levels) -> Evidence:
        """Weigh a reading.

        Args:
            share: probability of the reading among all hypotheses, 0 to 1.
            score: logarithm of the likelihood of its best hypothesis.
            words: the words of that hypothesis, `UNKNOWN_WORD` among them; at least one is known.
            levels_db: level of the whole utterance, one value for each `LEVEL_MS`.
        """
        share = min(max(share, _LEAST_SHARE), 1.0 - _LEAST_SHARE)
        known = [word for word in words if word.word != UNKNOWN_WORD]
        known_s = sum(word.duration_s for word in known)
        spoken_s = sum(word.duration_s for word in words)
        paused_s = max(0.0, len(levels_db) * LEVEL_MS / 1000 - spoken_s)
        letters = np.log([word.letter_s for word in known if word.word != HESITATION] or [_LETTER_S])
        return cls(
            log_odds=math.log(share / (1.0 - share)),
            unknown=1.0 - known_s / spoken_s,
            uncovered=_uncovered(known, levels_db),
            score_per_s=score / spoken_s,
            pause_ratio=min(paused_s / spoken_s, _LONGEST_PAUSE_RATIO),
            longest=float(letters.max()),
            unevenness=float(letters.std()),
        )


def _uncovered(known: Sequence[SpokenWord], levels_db: Levels) -> float:
    """The share of loud frames, those nearer to the loudest than to the quietest, that no known word covers."""
    if not len(levels_db):
        return 0.0
    quiet, loudest = np.percentile(levels_db, (10, 95))
    loud = levels_db > (quiet + loudest) / 2
    covered = np.zeros(len(loud), bool)
    for word in known:
        covered[round(word.begin_s * 1000 / LEVEL_MS) : round(word.end_s * 1000 / LEVEL_MS)] = True
    return float((loud & ~covered).sum() / max(loud.sum(), 1))


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic model of the probability that a reading is right (J. Platt, "Probabilistic outputs", 1999)."""

    offset: float
    weights: Evidence
    """What each piece of evidence is multiplied by."""

    def probability(self, evidence: Evidence) -> float:
        """The probability that the reading is right, 0 to 1."""
        terms = zip(astuple(self.weights), astuple(evidence), strict=True)
        return logistic(self.offset + sum(weight * value for weight, value in terms))


def logistic(log_odds: float) -> float:
    """The probability that has these log odds."""
    return 0.5 * (1.0 + math.tanh(log_odds / 2.0))


def parse_calibrations(text: str) -> Mapping[str, Calibration]:
    """The calibration of each grammar from TOML: a table a grammar with `offset` and a weight for each evidence.

    Raises:
        CalibrationError: not TOML, or a number is missing, too many, or none.
    """
    names = [field.name for field in fields(Evidence)]
    try:
        tables = tomllib.loads(text)
        calibrations = {}
        for grammar, table in tables.items():
            if set(table) != {"offset", *names}:
                raise CalibrationError(f"[{grammar}] must have offset, {', '.join(names)}")
            calibrations[grammar] = Calibration(
                float(table["offset"]), Evidence(*(float(table[name]) for name in names))
            )
    except CalibrationError:
        raise
    except (ValueError, TypeError) as error:
        raise CalibrationError(str(error)) from error
    return calibrations


def format_calibrations(calibrations: Mapping[str, Calibration]) -> str:
    """TOML that `parse_calibrations` reads."""
    names = [field.name for field in fields(Evidence)]
    lines = []
    for grammar, calibration in sorted(calibrations.items()):
        lines += ["", f"[{grammar}]", f"offset = {calibration.offset:.4f}"]
        lines += [f"{name} = {weight:.4f}" for name, weight in zip(names, astuple(calibration.weights), strict=True)]
    return "\n".join(lines[1:]) + "\n"
