import pytest

from voicebot.evaluation.intervals import bootstrap, wilson


@pytest.mark.parametrize(
    "hits, count, low, high",
    [(0, 0, 0.0, 1.0), (332, 449, 0.697, 0.778), (9, 9, 0.701, 1.0), (0, 10, 0.0, 0.278)],
)
def test_the_interval_of_a_share_is_wilsons(hits: int, count: int, low: float, high: float) -> None:
    assert wilson(hits, count) == pytest.approx((low, high), abs=0.001)


def test_the_interval_of_an_error_rate_holds_the_rate_and_comes_out_the_same_again() -> None:
    errors, counts = [0, 1, 0, 3, 0, 0, 2, 0], [7, 12] * 4
    low, high = bootstrap(errors, counts)
    assert 0.0 < low < sum(errors) / sum(counts) < high < 0.25
    assert bootstrap(errors, counts) == (low, high)


def test_units_that_hang_together_make_the_interval_wider() -> None:
    narrow = bootstrap([1, 0, 0, 0] * 10, [4] * 40)
    wide = bootstrap([10, 0, 0, 0], [40] * 4)
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])


def test_no_error_in_few_units_is_no_proof_of_perfection() -> None:
    assert bootstrap([0, 0, 0], [7, 7, 7])[1] > 0.5
    assert bootstrap([0] * 1000, [7] * 1000)[1] < 0.01


def test_nothing_to_draw_from_says_nothing() -> None:
    assert bootstrap([], []) == (0.0, 1.0)


def test_an_error_rate_can_be_above_one() -> None:
    assert bootstrap([5, 5], [1, 1]) == (5.0, 5.0)
