import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.language.dictation import MANNERS, USUAL, Manner, ways_to_say
from voicebot.language.lexicon import load_lexicon
from voicebot.language.srgs import load_grammar

ROOT = Path(__file__).parents[2]
ONES = "едно|един|една|две|два|три|четири|пет|шест|седем|осем|девет"
TENS = r"\w*(?:десет|йсет|йсе)"
HUNDREDS = r"сто|двеста|триста|\w+стотин"
TWO_READINGS = re.compile(rf"\b(?:(?:{TENS}) (?:{ONES})|(?:{HUNDREDS}) (?:(?:и )?{TENS}|{ONES}))\b")
"""A number in which a smaller one stands behind a round one, and may be its end or the next part."""


def test_a_plain_dictation_says_digit_by_digit():
    assert ways_to_say("3047", random.Random(1), Manner(filler=0.0)) == "три нула четири седем"


def test_groups_are_said_as_numbers():
    said = {ways_to_say("322", random.Random(seed), Manner(hundreds=1.0, filler=0.0)) for seed in range(60)}
    assert {"триста двадесет и две", "триста двайсет и две", "триста двайсе и два"} <= said


def test_equal_digits_are_counted():
    said = {ways_to_say("00", random.Random(seed), Manner(repeats=1.0, filler=0.0)) for seed in range(60)}
    assert said == {"две нули", "двойна нула", "два пъти нула"}


def test_a_slip_is_taken_back():
    words = ways_to_say("3", random.Random(1), Manner(correction=1.0, filler=0.0)).split()
    assert words[0] != "три" and words[-1] == "три" and len(words) >= 3


def test_a_number_can_be_begun_anew():
    assert ways_to_say("3", random.Random(1), Manner(restart=1.0, filler=0.0)).split()[-1] == "три"


@given(st.text("0123456789", min_size=1, max_size=12), st.integers(), st.sampled_from(sorted(MANNERS)))
def test_the_same_chance_gives_the_same_words(digits, seed, manner):
    said = ways_to_say(digits, random.Random(seed), MANNERS[manner])
    assert said == ways_to_say(digits, random.Random(seed), MANNERS[manner])
    assert said == " ".join(said.split())


def test_every_manner_has_its_share():
    assert USUAL.keys() == MANNERS.keys()
    assert sum(USUAL.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("text", ["", "12a", "-1", "1 2", "٣"])
def test_only_digits_are_dictated(text):
    with pytest.raises(ValueError, match="only digits"):
        ways_to_say(text, random.Random(1))


@pytest.fixture(scope="module")
def dictations():
    """300 ways to say 100 numbers."""
    rng = random.Random(1)
    numbers = ["".join(rng.choices("0123456789", k=rng.choice((7, 10, 12)))) for _ in range(100)]
    manners = [manner for name, manner in MANNERS.items() if name != "digits"]
    return [
        (number, ways_to_say(number, rng, manner))
        for number in numbers
        for manner in (MANNERS["digits"], *rng.sample(manners, 2))
    ]


def test_every_way_to_say_a_number_has_it_among_its_readings(dictations):
    identifier = load_grammar(ROOT / "grammars" / "identifier.grxml")
    lost = [
        words for number, words in dictations if number not in [m.digits for m, _ in identifier.meanings(words.split())]
    ]
    assert len(dictations) == 300 and not lost


def test_the_number_is_the_first_reading_where_its_words_have_only_one(dictations):
    identifier = load_grammar(ROOT / "grammars" / "identifier.grxml")
    clear = [(number, words) for number, words in dictations if not TWO_READINGS.search(words)]
    assert len(clear) > 200
    assert [words for number, words in clear if identifier.meanings(words.split())[0][0].digits != number] == []


def test_the_lexicon_has_every_word_of_a_dictation(dictations):
    lexicon = load_lexicon(ROOT / "bg_lexicon")
    assert {word for _, words in dictations for word in words.split() if word not in lexicon} == set()
