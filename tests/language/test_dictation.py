import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.language.dictation import MANNERS, USUAL, Manner, ways_to_say


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
