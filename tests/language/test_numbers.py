from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.language import numbers

CARDINALS = {
    0: "нула",
    1: "едно",
    2: "две",
    10: "десет",
    11: "единадесет",
    14: "четиринадесет",
    16: "шестнадесет",
    19: "деветнадесет",
    20: "двадесет",
    21: "двадесет и едно",
    40: "четиридесет",
    60: "шестдесет",
    99: "деветдесет и девет",
    100: "сто",
    101: "сто и едно",
    110: "сто и десет",
    112: "сто и дванадесет",
    120: "сто и двадесет",
    121: "сто двадесет и едно",
    200: "двеста",
    256: "двеста петдесет и шест",
    300: "триста",
    400: "четиристотин",
    600: "шестстотин",
    1000: "хиляда",
    1001: "хиляда и едно",
    1010: "хиляда и десет",
    1020: "хиляда и двадесет",
    1100: "хиляда и сто",
    1110: "хиляда сто и десет",
    1120: "хиляда сто и двадесет",
    1200: "хиляда и двеста",
    1256: "хиляда двеста петдесет и шест",
    2000: "две хиляди",
    2001: "две хиляди и едно",
    2026: "две хиляди двадесет и шест",
    2100: "две хиляди и сто",
    10_045: "десет хиляди четиридесет и пет",
    12_000: "дванадесет хиляди",
    20_000: "двадесет хиляди",
    21_000: "двадесет и една хиляди",
    22_022: "двадесет и две хиляди двадесет и две",
    101_000: "сто и една хиляди",
    120_000: "сто и двадесет хиляди",
    120_500: "сто и двадесет хиляди и петстотин",
    200_020: "двеста хиляди и двадесет",
    999_999: "деветстотин деветдесет и девет хиляди деветстотин деветдесет и девет",
    1_000_000: "един милион",
    1_000_020: "един милион и двадесет",
    1_000_256: "един милион двеста петдесет и шест",
    1_001_000: "един милион и хиляда",
    1_001_001: "един милион хиляда и едно",
    1_200_000: "един милион и двеста хиляди",
    1_200_020: "един милион двеста хиляди и двадесет",
    1_256_000: "един милион двеста петдесет и шест хиляди",
    2_000_000: "два милиона",
    2_021_000: "два милиона двадесет и една хиляди",
    1_000_000_000: "един милиард",
    2_001_000_000: "два милиарда и един милион",
    999_000_000_000: "деветстотин деветдесет и девет милиарда",
    -3: "минус три",
    -1200: "минус хиляда и двеста",
}


@pytest.mark.parametrize(("number", "words"), CARDINALS.items())
def test_cardinal_is_said_as_bulgarian_says_it(number: int, words: str) -> None:
    assert numbers.spell(number) == words


@pytest.mark.parametrize(
    ("number", "gender", "words"),
    [
        (1, "masculine", "един"),
        (1, "feminine", "една"),
        (2, "masculine", "два"),
        (2, "feminine", "две"),
        (21, "feminine", "двадесет и една"),
        (22, "masculine", "двадесет и два"),
        (101, "masculine", "сто и един"),
        (1002, "masculine", "хиляда и два"),
        (2000, "masculine", "две хиляди"),
        (2_000_002, "feminine", "два милиона и две"),
    ],
)
def test_cardinal_agrees_with_the_gender_of_the_noun(number: int, gender: numbers.Gender, words: str) -> None:
    assert numbers.spell(number, gender=gender) == words


SCALES = {"хиляда": 1000, "хиляди": 1000, "милион": 10**6, "милиона": 10**6, "милиард": 10**9, "милиарда": 10**9}
SIMPLE = {CARDINALS.get(n) or numbers.spell(n): n for n in (*range(20), *range(20, 100, 10), *range(100, 1000, 100))}
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


@pytest.mark.parametrize(
    ("number", "masculine", "feminine", "neuter"),
    [
        (1, "първи", "първа", "първо"),
        (20, "двадесети", "двадесета", "двадесето"),
        (22, "двадесет и втори", "двадесет и втора", "двадесет и второ"),
        (31, "тридесет и първи", "тридесет и първа", "тридесет и първо"),
        (100, "стотен", "стотна", "стотно"),
        (120, "сто и двадесети", "сто и двадесета", "сто и двадесето"),
        (1300, "хиляда и тристотен", "хиляда и тристотна", "хиляда и тристотно"),
        (3000, "трихиляден", "трихилядна", "трихилядно"),
    ],
)
def test_ordinal_agrees_with_its_noun(number: int, masculine: str, feminine: str, neuter: str) -> None:
    assert numbers.ordinal(number, gender="masculine") == masculine
    assert numbers.ordinal(number, gender="feminine") == feminine
    assert numbers.ordinal(number, gender="neuter") == neuter


@given(st.integers(1, numbers.LARGEST_ORDINAL))
def test_every_ordinal_keeps_all_but_the_last_word_of_its_cardinal(number: int) -> None:
    ordinal, cardinal = numbers.ordinal(number).split(), numbers.spell(number).split()
    assert ordinal[-1] != cardinal[-1]
    assert ordinal[:-1] == cardinal[:-1] or (ordinal[:-1] == [] and number in (2000, 3000))


@pytest.mark.parametrize("number", [0, -1, numbers.LARGEST_ORDINAL + 1])
def test_ordinal_outside_its_range_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 3999"):
        numbers.ordinal(number)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1900, "хиляда и деветстотна"),
        (1999, "хиляда деветстотин деветдесет и девета"),
        (2000, "двухилядна"),
        (2001, "две хиляди и първа"),
        (2004, "две хиляди и четвърта"),
        (2010, "две хиляди и десета"),
        (2019, "две хиляди и деветнадесета"),
        (2020, "две хиляди и двадесета"),
        (2026, "две хиляди двадесет и шеста"),
        (2030, "две хиляди и тридесета"),
    ],
)
def test_year_is_a_feminine_ordinal(number: int, words: str) -> None:
    assert numbers.year(number) == words


def test_year_in_english_goes_by_pairs_of_digits() -> None:
    assert numbers.year(2026, "en") == "twenty twenty-six"
    assert numbers.ordinal(23, "en") == "twenty-third"


def test_digits_are_said_one_by_one() -> None:
    assert numbers.digits("0123456789") == "нула едно две три четири пет шест седем осем девет".split()
    assert numbers.digits("300", "en") == ["three", "zero", "zero"]


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


def test_sizes_of_groups_can_be_set_for_a_length() -> None:
    assert numbers.grouped("1000002", {7: (1, 3, 3)}) == ["едно", "нула нула нула", "нула нула две"]
    assert numbers.grouped("12345", {7: (1, 3, 3)}) == ["едно две три", "четири пет"]


def test_groups_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="groups of 3, 3 do not make 7 digits"):
        numbers.grouped("1000001", {7: (3, 3)})


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [
        (0, "unpaid_invoice", "нула неплатени фактури"),
        (1, "unpaid_invoice", "една неплатена фактура"),
        (2, "unpaid_invoice", "две неплатени фактури"),
        (21, "unpaid_invoice", "двадесет и една неплатени фактури"),
        (1, "day", "един ден"),
        (2, "day", "два дни"),
        (1, "kilowatt_hour", "един киловатчас"),
        (342, "kilowatt_hour", "триста четиридесет и два киловатчаса"),
        (12, "digit", "дванадесет цифри"),
    ],
)
def test_noun_agrees_with_its_number(number: int, noun: str, words: str) -> None:
    assert numbers.counted(number, noun) == words


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
