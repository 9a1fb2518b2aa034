import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.hearing.confusions import load_confusions

CONFUSIONS = load_confusions()
NUMBERS = st.text("0123456789", max_size=8)


def test_digits_that_sound_alike_are_nearer_than_others() -> None:
    assert CONFUSIONS.cost("7", "8") == CONFUSIONS.cost("8", "7") < CONFUSIONS.cost("7", "0")


def test_the_cheapest_alignment_counts() -> None:
    one_lost = CONFUSIONS.cost("1034", "104")
    assert one_lost == pytest.approx(CONFUSIONS.left_out)
    assert CONFUSIONS.cost("56", "65") == pytest.approx(2 * CONFUSIONS.cost("5", "6"))


def test_equal_neighbours_are_easily_heard_as_one_and_one_as_two() -> None:
    assert CONFUSIONS.cost("1004", "104") == pytest.approx(CONFUSIONS.merged)
    assert CONFUSIONS.cost("104", "1004") == pytest.approx(CONFUSIONS.doubled)
    assert CONFUSIONS.merged < CONFUSIONS.left_out and CONFUSIONS.doubled < CONFUSIONS.put_in


@given(NUMBERS, NUMBERS)
def test_only_a_number_itself_costs_nothing(said: str, heard: str) -> None:
    assert (CONFUSIONS.cost(said, heard) == 0) == (said == heard)


@given(NUMBERS)
def test_each_neighbour_costs_what_is_told(heard: str) -> None:
    found = dict(CONFUSIONS.neighbours(heard))
    assert heard not in found
    for said, cost in found.items():
        assert CONFUSIONS.cost(said, heard) == pytest.approx(cost)


def test_a_number_has_few_neighbours_and_each_once() -> None:
    found = [digits for digits, _ in CONFUSIONS.neighbours("300000000055")]
    assert len(found) < 25 and len(set(found)) == len(found)


def test_numbers_far_apart_are_never_taken_for_one_another() -> None:
    assert CONFUSIONS.likeness("1000001", "9876543") == 0.0
    assert CONFUSIONS.likeness("1000005", "1000006") == pytest.approx(0.04)
