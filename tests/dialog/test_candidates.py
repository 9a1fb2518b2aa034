import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.recognizer import number
from voicebot.billing.identifier import DEFAULT_SCHEMES, Identifier
from voicebot.dialog.candidates import MOST_ASKED, Candidate, Candidates
from voicebot.hearing.recognizer import Reading

FIRST, ALIKE, OTHER = (
    Identifier(digits, "customer_number") for digits in ("300000512345", "300000612345", "300987654321")
)


def weighed(*hearings: list[Reading], rejected: tuple[Identifier, ...] = ()) -> dict[Identifier, float]:
    found = Candidates(DEFAULT_SCHEMES, hearings, frozenset(rejected)).heard
    return {candidate.identifier: candidate.probability for candidate in found}


def heard(identifier: Identifier, confidence: float) -> Reading:
    return number(identifier.reveal(), confidence)


def test_a_number_heard_once_is_as_sure_as_its_reading() -> None:
    found = weighed([heard(FIRST, 0.6), heard(ALIKE, 0.25)])
    assert found[FIRST] == pytest.approx(0.6, abs=0.01) and found[ALIKE] == pytest.approx(0.25, abs=0.01)


def test_two_hearings_that_agree_are_surer_than_each() -> None:
    assert weighed([heard(FIRST, 0.6)], [heard(FIRST, 0.6)])[FIRST] > 0.9


def test_of_two_hearings_that_differ_the_surer_one_counts() -> None:
    found = weighed([heard(FIRST, 0.6)], [heard(OTHER, 0.9)])
    assert found[OTHER] > 0.7 and found[FIRST] < 0.2


def test_numbers_that_sound_alike_leave_each_other_possible() -> None:
    found = weighed([heard(FIRST, 0.6)], [heard(ALIKE, 0.6)])
    assert found[FIRST] == pytest.approx(found[ALIKE]) and found[FIRST] > 0.4


def test_a_rejected_number_is_gone_and_makes_room_for_those_like_it() -> None:
    hearings = [heard(FIRST, 0.9)], [heard(ALIKE, 0.5)]
    found = weighed(*hearings, rejected=(FIRST,))
    assert FIRST not in found and found[ALIKE] > 0.9


def test_a_reading_of_impossible_length_is_no_candidate_but_likens_others() -> None:
    short = number("30000051234", 0.8)
    assert list(weighed([short, heard(FIRST, 0.1)])) == [FIRST]


def test_the_books_tell_alike_numbers_apart() -> None:
    candidates = Candidates(DEFAULT_SCHEMES, ([heard(FIRST, 0.5), heard(ALIKE, 0.3)],))
    asked = candidates.to_ask_for
    assert asked[:2] == [FIRST, ALIKE] and len(asked) > 10
    assert candidates.told_apart(asked, [ALIKE])[0].identifier == ALIKE
    assert candidates.told_apart(asked, [FIRST])[0].identifier == FIRST
    assert candidates.told_apart(asked, []) == candidates.heard


def test_where_many_numbers_are_somebodys_the_books_say_less() -> None:
    candidates = Candidates(DEFAULT_SCHEMES, ([number("1234567", 0.5), number("1234568", 0.3)],))
    asked = candidates.to_ask_for
    second = asked[1]

    def probability(known: list[Identifier]) -> float:
        return next(c.probability for c in candidates.told_apart(asked, known) if c.identifier == second)

    assert probability([second]) > probability(asked[1:])


def test_a_heard_number_that_is_somebodys_comes_before_one_that_only_sounds_like_it() -> None:
    candidates = Candidates(DEFAULT_SCHEMES, ([heard(FIRST, 0.4)],))
    asked = candidates.to_ask_for
    assert candidates.told_apart(asked, asked)[0].identifier == FIRST


READINGS = st.lists(
    st.builds(number, st.text("0123456789", min_size=6, max_size=13), st.floats(0, 0.2)), min_size=1, max_size=5
)


@given(st.lists(READINGS, min_size=1, max_size=3))
def test_probabilities_never_sum_to_more_than_one_and_few_numbers_are_asked_about(
    hearings: list[list[Reading]],
) -> None:
    candidates = Candidates(DEFAULT_SCHEMES, hearings)
    asked = candidates.to_ask_for
    assert len(asked) <= MOST_ASKED
    for found in (candidates.heard, candidates.told_apart(asked, asked[::2])):
        assert sum(candidate.probability for candidate in found) <= 1.0 + 1e-9
        assert found == sorted(found, key=lambda candidate: -candidate.probability)


def test_weighing_the_longest_answers_keeps_nobody_waiting() -> None:
    hearing = [number(f"30000{digit}512345", 0.09) for digit in range(10)]
    candidates = Candidates(DEFAULT_SCHEMES, (hearing, hearing, hearing))
    began_s = time.process_time()
    asked = candidates.to_ask_for
    candidates.told_apart(asked, asked)
    assert len(asked) == MOST_ASKED and time.process_time() - began_s < 0.5


def test_a_candidate_does_not_show_its_number() -> None:
    assert "512345" not in repr(Candidate(FIRST, 0.5)) + repr(Candidates(DEFAULT_SCHEMES, ([heard(FIRST, 0.5)],)))
