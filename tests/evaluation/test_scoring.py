import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.recognizer import command, number
from voicebot.evaluation.scoring import (
    NOTHING,
    Edits,
    Figures,
    Said,
    Thresholds,
    Trial,
    confusions,
    detection_curve,
    edits,
)
from voicebot.hearing.recognizer import Reading

DIGITS = st.text("0123456789", max_size=14)


def trial(said: Said, *readings: Reading, name: str = "a.wav", **about: str) -> Trial:
    return Trial(name, said, readings or (Reading("", 0.0),), **about)


def spoken(digits: str, *heard: Reading, **about: str) -> Trial:
    return trial(Said(digits), *heard, **about)


def test_each_kind_of_error_is_counted_apart() -> None:
    assert edits("1234567", "1234567") == Edits(0, 0, 0, 7)
    assert edits("1234567", "134567") == Edits(0, 1, 0, 7)
    assert edits("1234567", "12334567") == Edits(0, 0, 1, 7)
    assert edits("1234567", "1934567") == Edits(1, 0, 0, 7)
    assert edits(("три", "нула"), ("три",)) == Edits(0, 1, 0, 2)


@given(DIGITS, DIGITS)
def test_a_confusion_tells_both_strings_and_costs_what_the_edits_cost(said: str, heard: str) -> None:
    pairs = list(confusions(said, heard))
    assert "".join(old for old, _ in pairs) == said
    assert "".join(new for _, new in pairs) == heard
    assert sum(old != new for old, new in pairs) == edits(said, heard).errors


def test_a_swallowed_digit_is_confused_with_nothing() -> None:
    assert (("9", NOTHING)) in confusions("192", "12")


def test_a_number_is_right_only_as_a_whole() -> None:
    figures = Figures([spoken("1234567", number("1234567")), spoken("1234567", number("1234566"))])
    assert (figures.strings.hits, figures.strings.count) == (1, 2)
    assert figures.digits.edits == Edits(1, 0, 0, 14)
    assert figures.confusion["7", "6"] == 1 and figures.confusion["7", "7"] == 1


def test_a_right_reading_further_down_is_counted_apart() -> None:
    figures = Figures([spoken("1234567", number("1234566", 0.6), number("1234567", 0.3))])
    assert figures.strings.hits == 0 and figures.strings_among_readings.hits == 1


def test_a_number_heard_where_an_answer_was_given_is_wrong() -> None:
    figures = Figures([trial(Said(intent="yes"), number("2"))])
    assert figures.intents.hits == 0 and figures.strings.count == 0


def test_an_invoice_is_right_by_place_and_month() -> None:
    march = Said(words=("за", "март"), month=3)
    heard = [Reading("за март", 0.9, month=3), Reading("за май", 0.9, month=5), Reading("трета", 0.9, ordinal=3)]
    figures = Figures([trial(march, reading) for reading in heard] + [trial(Said(), heard[0])])
    assert (figures.choices.hits, figures.choices.count) == (1, 3)
    assert figures.without_answer == [figures.trials[3]]


def test_words_count_where_something_should_be_understood() -> None:
    said = Said("30", words=("три", "нула"))
    other = Said(words=("котка",))
    figures = Figures([trial(said, Reading("три", 0.9, "3")), trial(other, Reading("", 0.0))])
    assert figures.words.edits == Edits(0, 1, 0, 2)


def test_a_no_is_taken_for_a_yes_only_when_the_bot_would_act_on_it() -> None:
    figures = Figures(
        [trial(Said(intent="no"), command("yes", sure)) for sure in (0.9, 0.6)] + [trial(Said(intent="no"))]
    )
    assert (figures.no_as_yes.hits, figures.no_as_yes.count) == (1, 3)


def test_a_right_answer_that_is_not_sure_enough_is_not_taken() -> None:
    figures = Figures([trial(Said(intent="no"), command("no", 0.55)), trial(Said(intent="yes"), command("yes", 0.55))])
    assert figures.intents.hits == 2 and figures.intents_taken.hits == 1


def test_false_accepts_are_counted_where_nothing_was_said_that_answers() -> None:
    figures = Figures(
        [
            trial(Said(words=("котка",)), number("1234567", 0.2)),
            trial(Said(), number("2", 0.8)),
            trial(Said(), number("2", 0.4)),
            trial(Said(), command("yes", 0.8)),
            trial(Said(), command("no", 0.6)),
            spoken("2", number("2")),
        ],
        Thresholds(),
        is_number=lambda digits: len(digits) == 7,
    )
    assert figures.false_numbers.hits == 1 and figures.false_numbers.count == 5
    assert figures.false_digits.hits == 1
    assert figures.false_intents.hits == 2
    assert figures.false_yes.hits == 1


def test_a_false_number_may_come_from_any_reading() -> None:
    figures = Figures([trial(Said(), number("12", 0.6), number("1234567", 0.3))], is_number=lambda d: len(d) == 7)
    assert figures.false_numbers.hits == 1


def test_the_worst_come_first() -> None:
    trials = [
        spoken("1234567", number("1234567"), name="right"),
        spoken("1234567", number("123456"), name="one lost"),
        spoken("1234567", name="all lost"),
        trial(Said(), number("2", 0.9), name="false"),
        trial(Said(), number("2", 0.2), name="rightly not sure"),
    ]
    assert [wrong.name for wrong in Figures(trials).worst()] == ["false", "all lost", "one lost"]


def test_figures_are_parted_by_voice() -> None:
    parts = Figures([spoken("1", number("1"), voice="b"), spoken("2", number("1"), voice="a")]).split("voice")
    assert list(parts) == ["a", "b"] and parts["b"].strings.hits == 1 and parts["a"].strings.hits == 0


def test_processor_time_is_held_against_the_length_of_the_sound() -> None:
    trials = [Trial("a", Said("1"), (number("1"),), sound_s=4.0, cpu_s=0.1)] * 2
    assert Figures(trials).real_time_factor == 0.025


def test_a_higher_threshold_misses_more_and_accepts_less() -> None:
    numbers = [spoken("1", number("1", 0.9)), spoken("2", number("2", 0.5)), spoken("3", number("4", 0.4))]
    others = [trial(Said(), number("7", 0.45)), trial(Said())]
    points = detection_curve(numbers, others)
    assert [point.misses for point in points] == sorted(point.misses for point in points)
    assert points[0].false_accepts == 0.5 and points[0].wrong == 1 / 3
    assert points[-1].misses == 1.0 and points[-1].false_accepts == 0.0
    between = next(point for point in points if point.threshold == 0.5)
    assert (between.misses, between.wrong, between.false_accepts) == pytest.approx((1 / 3, 0.0, 0.0))


def test_figures_of_nothing_are_empty() -> None:
    figures = Figures([])
    assert figures.strings.value == 0.0 and figures.real_time_factor == 0.0 and figures.worst() == []
    assert figures.digits.value == 0.0
