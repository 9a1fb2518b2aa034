"""What the second pass says of a sequence is the likelihood of its best way, with the costs of the graphs."""

import itertools
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from voicebot.acoustics.graph import UNKNOWN_WORD, GraphSettings
from voicebot.acoustics.outputs import OUTPUTS, entering, kind, staying
from voicebot.hearing.second_pass import SecondPass
from voicebot.language.lexicon import Lexicon, Pronunciation
from voicebot.language.srgs import parse_grammar

GRAMMAR = parse_grammar(
    b'<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" root="main" xml:lang="bg-BG">'
    b'<rule id="main"><one-of><item weight="3">ab</item><item weight="1">ba</item><item>ab ba</item></one-of></rule>'
    b"</grammar>",
    Path("test.grxml"),
)
LEXICON = Lexicon({"ab": (Pronunciation(("a", "b")),), "ba": (Pronunciation(("b", "a"), 0.5), Pronunciation(("b",)))})
SETTINGS = GraphSettings(silence_cost=0.3, noise_cost=50.0, unknown_cost=4.0, unknown_alone_cost=3.0)
SOUND = np.zeros(800, np.int16)


def second_pass(outputs: np.ndarray) -> SecondPass:
    """One whose network gives `outputs` whatever it hears."""
    return SecondPass(SimpleNamespace(compute=lambda _: outputs), GRAMMAR, LEXICON, SETTINGS)


def likelihood(outputs: np.ndarray, phones: list[str]) -> float:
    """Of these phones in a row, each of a frame or more: the best of all ways to place their beginnings."""
    best = -math.inf
    for inner in itertools.combinations(range(1, len(outputs)), len(phones) - 1):
        begins = [0, *inner, len(outputs)]
        total = 0.0
        for number, phone in enumerate(phones):
            left = kind(phones[number - 1]) if number else 0
            total += outputs[begins[number], entering(phone, left)]
            total += outputs[begins[number] + 1 : begins[number + 1], staying(phone)].sum()
        best = max(best, total)
    return best


def test_a_sequence_has_the_likelihood_of_its_best_way():
    outputs = np.random.default_rng(1).normal(0.0, 3.0, (7, OUTPUTS))
    with_pauses = [
        likelihood(outputs, [*before, "a", "b", *behind]) - 0.3 * len(before + behind)
        for before in ([], ["SIL"])
        for behind in ([], ["SIL"])
    ]
    cost = GRAMMAR.automaton.cost(["ab"])
    assert second_pass(outputs).scores(SOUND, [("ab",)]) == pytest.approx([max(with_pauses) - cost])


def test_the_likeliest_pronunciation_counts_and_the_grammar_has_its_say():
    outputs = np.full((4, OUTPUTS), -9.0)
    for phone in ("a", "b"):
        outputs[:, [staying(phone), *(entering(phone, left) for left in range(10))]] = 0.0
    ab, ba = second_pass(outputs).scores(SOUND, [("ab",), ("ba",)])
    assert ab - ba == pytest.approx(math.log(3))


def test_what_is_too_long_for_the_sound_cannot_have_been_said():
    scores = second_pass(np.zeros((3, OUTPUTS))).scores(SOUND, [("ab",), ("ab", "ba")])
    assert np.isfinite(scores[0])
    assert scores[1] > -math.inf  # "ba" may be said as "b"
    assert second_pass(np.zeros((2, OUTPUTS))).scores(SOUND, [("ab", "ba")]) == [-math.inf]


def test_unknown_words_cost_less_where_nothing_is_known():
    outputs = np.zeros((6, OUTPUTS))
    alone, beside, known = second_pass(outputs).scores(SOUND, [(UNKNOWN_WORD,), ("ab", UNKNOWN_WORD), ("ab",)])
    phones = 2 * SETTINGS.unknown_phone_cost
    assert alone == pytest.approx(-3.0 - phones)
    assert beside == pytest.approx(known - 4.0 - phones)
