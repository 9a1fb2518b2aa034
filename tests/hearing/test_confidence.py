import math
from dataclasses import fields, replace

import numpy as np
import pytest

from voicebot.hearing.confidence import (
    Calibration,
    CalibrationError,
    Evidence,
    SpokenWord,
    format_calibrations,
    logistic,
    parse_calibrations,
)

NOTHING = Evidence(*(0.0 for _ in fields(Evidence)))
QUIET = np.full(300, 20.0)


def words(text: str, begin_s: float = 0.5, each_s: float = 0.5) -> list[SpokenWord]:
    """Words one behind the other."""
    begins = [begin_s + place * each_s for place in range(len(text.split()))]
    return [SpokenWord(word, at, at + each_s) for word, at in zip(text.split(), begins, strict=True)]


def sounding(*spans_s: tuple[float, float], length_s: float = 3.0) -> np.ndarray:
    levels = np.full(round(length_s * 100), 20.0)
    for begin_s, end_s in spans_s:
        levels[round(begin_s * 100) : round(end_s * 100)] = 70.0
    return levels


def test_the_share_counts_as_odds_and_is_never_certain() -> None:
    assert Evidence.of(0.5, 0.0, words("две"), QUIET).log_odds == 0.0
    assert math.isfinite(Evidence.of(1.0, 0.0, words("две"), QUIET).log_odds)
    assert math.isfinite(Evidence.of(0.0, 0.0, words("две"), QUIET).log_odds)


def test_unknown_words_count_by_the_time_they_take() -> None:
    assert Evidence.of(0.9, 0.0, words("[unk] две"), QUIET).unknown == pytest.approx(0.5)


def test_loud_sound_outside_of_the_words_is_uncovered() -> None:
    spoken = words("две три")
    assert Evidence.of(0.9, 0.0, spoken, sounding((0.5, 1.5))).uncovered == pytest.approx(0.0)
    assert Evidence.of(0.9, 0.0, spoken, sounding((0.5, 1.5), (2.0, 2.5))).uncovered == pytest.approx(1 / 3, abs=0.02)
    assert Evidence.of(0.9, 0.0, spoken, np.zeros(0)).uncovered == 0.0


def test_a_stretched_word_and_uneven_words_are_seen() -> None:
    plain = Evidence.of(0.9, 0.0, words("две три"), QUIET)
    stretched = [*words("две"), SpokenWord("три", 1.0, 2.5)]
    found = Evidence.of(0.9, 0.0, stretched, QUIET)
    assert found.longest > plain.longest and found.unevenness > plain.unevenness == 0.0


def test_a_hesitation_may_last_any_time() -> None:
    plain = Evidence.of(0.9, 0.0, words("две три"), QUIET)
    found = Evidence.of(0.9, 0.0, [SpokenWord("ъъъ", 0.1, 2.5), *words("две три", begin_s=2.5)], QUIET)
    assert (found.longest, found.unevenness) == (plain.longest, plain.unevenness)
    assert math.isfinite(Evidence.of(0.9, 0.0, words("ъъъ"), QUIET).longest)


def test_score_and_pauses_are_taken_for_each_second_of_speaking() -> None:
    found = Evidence.of(0.9, 30.0, words("две три"), QUIET)
    assert found.score_per_s == pytest.approx(30.0) and found.pause_ratio == pytest.approx(2.0)


def test_the_probability_is_logistic_in_the_evidence() -> None:
    calibration = Calibration(1.0, replace(NOTHING, log_odds=2.0))
    assert calibration.probability(replace(NOTHING, log_odds=-0.5)) == pytest.approx(0.5)
    assert calibration.probability(replace(NOTHING, log_odds=0.5)) == pytest.approx(logistic(2.0))
    assert logistic(-1e9) == 0.0 and logistic(1e9) == 1.0


def test_calibrations_are_read_as_they_were_written() -> None:
    written = {"identifier": Calibration(-1.5, replace(NOTHING, unknown=-7.25)), "menu": Calibration(0.0, NOTHING)}
    assert parse_calibrations(format_calibrations(written)) == written


@pytest.mark.parametrize(
    "text", ["[identifier]", "[identifier]\noffset = 1", "identifier = 1", "[", "[a]\noffset = []"]
)
def test_weights_that_cannot_be_used_are_refused(text: str) -> None:
    with pytest.raises(CalibrationError):
        parse_calibrations(text)
