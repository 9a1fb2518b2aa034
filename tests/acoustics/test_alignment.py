"""The aligner finds the phones that were put into the scores."""

import itertools

import numpy as np
import pytest

from voicebot.acoustics.alignment import align, chain_of, doubt
from voicebot.language.phones import PHONE_INDEX, PHONES


def _scores(*runs: tuple[str, int]) -> np.ndarray:
    labels = [PHONE_INDEX[phone] for phone, frames in runs for _ in range(frames)]
    scores = np.full((len(labels), len(PHONES)), -5.0)
    scores[np.arange(len(labels)), labels] = 0.0
    return scores


def _found(scores: np.ndarray, *words: tuple[str, ...]) -> list[tuple[str, int]] | None:
    labels = align(scores, chain_of([tuple(tuple(p.split()) for p in word) for word in words]))
    if labels is None:
        return None
    starts = [0, *(np.flatnonzero(np.diff(labels)) + 1), len(labels)]
    return [(PHONES[labels[b]].name, int(e - b)) for b, e in itertools.pairwise(starts)]


def test_each_phone_is_found_where_it_is() -> None:
    runs = [("SIL", 5), ("d", 3), ("a", 7), ("SIL", 4)]
    assert _found(_scores(*runs), ("d a",)) == runs


def test_pauses_and_noises_between_words_are_found_but_not_needed() -> None:
    runs = [("NSN", 4), ("SIL", 2), ("n", 3), ("e", 3), ("SIL", 6), ("NSN", 3), ("d", 2), ("a", 5)]
    assert _found(_scores(*runs), ("n e",), ("d a",)) == runs
    runs = [("n", 3), ("e", 3), ("d", 2), ("a", 5)]
    assert _found(_scores(*runs), ("n e",), ("d a",)) == runs


def test_the_pronunciation_that_was_said_is_taken() -> None:
    runs = [("ʃ", 4), ("e", 5), ("s", 4)]
    assert _found(_scores(*runs), ("ʃ e s t", "ʃ e s")) == runs


def test_a_phone_that_was_not_said_is_given_one_frame() -> None:
    found = _found(_scores(("ʃ", 4), ("e", 5), ("s", 4)), ("ʃ e s t",))
    assert found is not None
    assert found[-1] == ("t", 1)


def test_there_is_no_way_when_frames_are_fewer_than_phones() -> None:
    assert _found(_scores(("d", 1)), ("d a",)) is None
    assert align(np.zeros((0, len(PHONES))), chain_of([((("d",)),)])) is None


def test_the_same_phone_twice_is_split() -> None:
    labels = align(_scores(("d", 2), ("a", 6), ("d", 2), ("a", 6)), chain_of([(("d", "a"),), (("d", "a"),)]))
    assert labels is not None
    assert len(labels) == 16


def test_doubt_grows_with_what_does_not_fit() -> None:
    scores = _scores(("d", 4), ("a", 4))
    right, wrong = ([PHONE_INDEX["d"]] * 4 + [PHONE_INDEX[last]] * 4 for last in ("a", "o"))
    assert doubt(scores, np.array(right)) == 0
    assert doubt(scores, np.array(wrong)) == pytest.approx(2.5)
    assert doubt(scores, np.zeros(8, np.intp)) == float("inf")
