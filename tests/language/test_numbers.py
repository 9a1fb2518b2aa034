from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.language.spoken import of_kind
from voicebot.language import numbers

SCALES = {"хиляда": 1000, "хиляди": 1000, "милион": 10**6, "милиона": 10**6, "милиард": 10**9, "милиарда": 10**9}
SIMPLE = {of_kind("neuter")[str(n)]: n for n in (*range(20), *range(20, 100, 10), *range(100, 1000, 100))}
SIMPLE |= {"един": 1, "една": 1, "два": 2}


def understood(words: list[str]) -> int:
    """The number that the words mean, read independently of how they were made."""
    total = triad = 0
    for word in words:
        if word in SCALES:
            total, triad = total + (triad or 1) * SCALES[word], 0
        elif word != "и":
            triad += SIMPLE[word]
    return total + triad


@given(st.integers(0, numbers.LARGEST) | st.builds(lambda n, p: n * 10**p, st.integers(0, 999), st.integers(0, 9)))
def test_cardinal_means_its_number(number: int) -> None:
    assert understood(numbers.spell(number).split()) == number


@given(st.integers(1, 999), st.sampled_from([1, 10, 100, 1000, 10_000, 100_000, 1_000_000]))
def test_conjunction_never_opens_ends_or_doubles(number: int, scale: int) -> None:
    words = numbers.spell(number * scale).split()
    assert words[0] != "и" and words[-1] != "и"
    assert ("и", "и") not in pairwise(words)


@given(st.integers(21, 999))
def test_conjunction_stands_before_the_last_word_below_a_thousand(number: int) -> None:
    words = numbers.spell(number).split()
    assert len(words) == 1 or words[-2] == "и"
    assert words.count("и") <= 1


def test_number_too_large_to_be_spelled_is_refused() -> None:
    assert numbers.spell(numbers.LARGEST).startswith("деветстотин деветдесет и девет милиарда")
    for number in (numbers.LARGEST + 1, -numbers.LARGEST - 1):
        with pytest.raises(ValueError, match="only numbers up to 999999999999"):
            numbers.spell(number)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (21, "twenty-one"),
        (1256, "one thousand two hundred fifty-six"),
        (-4, "minus four"),
    ],
)
def test_cardinal_is_said_in_english(number: int, words: str) -> None:
    assert numbers.spell(number, "en") == words


@given(st.integers(1, numbers.LARGEST_ORDINAL))
def test_every_ordinal_keeps_all_but_the_last_word_of_its_cardinal(number: int) -> None:
    ordinal, cardinal = numbers.ordinal(number).split(), numbers.spell(number).split()
    assert ordinal[-1] != cardinal[-1]
    assert ordinal[:-1] == cardinal[:-1] or (ordinal[:-1] == [] and number in (2000, 3000))


@pytest.mark.parametrize("number", [0, -1, numbers.LARGEST_ORDINAL + 1])
def test_ordinal_outside_its_range_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 3999"):
        numbers.ordinal(number)


def test_digits_are_said_in_english() -> None:
    assert numbers.digits("300", "en") == ["three", "zero", "zero"]


def test_year_in_english_goes_by_pairs_of_digits() -> None:
    assert numbers.year(2026, "en") == "twenty twenty-six"
    assert numbers.ordinal(23, "en") == "twenty-third"


@pytest.mark.parametrize("text", ["", "12 3", "1a", "-1", "٣", "²"])
def test_other_signs_than_digits_are_refused_without_repeating_them(text: str) -> None:
    with pytest.raises(ValueError, match=r"^only digits can be spelled digit by digit$"):
        numbers.digits(text)


@pytest.mark.parametrize(
    ("length", "sizes"),
    [
        (1, [1]),
        (2, [2]),
        (4, [2, 2]),
        (5, [3, 2]),
        (6, [3, 3]),
        (7, [3, 2, 2]),
        (8, [3, 3, 2]),
        (10, [3, 3, 2, 2]),
        (12, [3, 3, 3, 3]),
        (13, [3, 3, 3, 2, 2]),
    ],
)
def test_number_is_read_back_in_groups(length: int, sizes: list[int]) -> None:
    text = "1234567890123"[:length]
    groups = numbers.grouped(text)
    assert [len(group.split()) for group in groups] == sizes
    assert " ".join(groups).split() == numbers.digits(text)


def test_groups_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="groups of 3, 3 do not make 7 digits"):
        numbers.grouped("1000001", {7: (3, 3)})


def test_noun_agrees_with_its_number_in_english() -> None:
    assert numbers.counted(1, "unpaid_invoice", "en") == "one unpaid invoice"
    assert numbers.counted(2, "unpaid_invoice", "en") == "two unpaid invoices"


def test_every_language_knows_the_same_words() -> None:
    bulgarian, english = numbers.units("bg"), numbers.units("en")
    assert bulgarian.nouns.keys() == english.nouns.keys()
    assert bulgarian.currencies.keys() == english.currencies.keys() == {"EUR", "BGN"}
    assert bulgarian.patterns.keys() == english.patterns.keys()


def test_unknown_noun_and_unknown_language_are_refused() -> None:
    with pytest.raises(ValueError, match="no noun 'elephant'"):
        numbers.counted(1, "elephant")
    with pytest.raises(ValueError, match="in the language 'de'"):
        numbers.counted(1, "day", "de")
