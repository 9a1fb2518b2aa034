import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.language.letter_to_sound import Unpronounceable, pronounce
from voicebot.language.phones import SPEECH_PHONES


def said(word: str) -> list[str]:
    return [" ".join(phones) for phones in pronounce(word)]


@pytest.mark.parametrize(
    "word, phones",
    [
        ("три", "t r i"),
        ("щастие", "ʃ t a s t i e"),
        ("ябълка", "j a b ɐ l k ɐ"),
        ("любов", "l j u b o f"),
        ("шофьор", "ʃ o f j o r"),
        ("джоб", "dʒ o p"),
        ("дзън", "dz ɐ n"),
        ("град", "g r a t"),
        ("сграда", "z g r a d ɐ"),
        ("сватба", "s v a d b ɐ"),
        ("твърд", "t v ɐ r t"),
        ("изток", "i s t o k"),
        ("вторник", "f t o r n i k"),
        ("отвън", "o t v ɐ n"),
        ("дъжд", "d ɐ ʃ t"),
        ("оттук", "o t u k"),
        ("сметка", "s m e t k ɐ"),
    ],
)
def test_spelling_gives_the_careful_pronunciation(word: str, phones: str) -> None:
    assert said(word)[0] == phones


@pytest.mark.parametrize(
    "word, careful, quick",
    [
        ("моли\u0301", "m o l i", "m u l i"),
        ("е\u0301дин", "e d i n", None),
        ("еди\u0301н", "e d i n", "i d i n"),
        ("жена\u0301", "ʒ e n a", "ʒ i n a"),
        ("ма\u0301са", "m a s ɐ", None),
        ("ве\u0301стник", "v e s t n i k", "v e s n i k"),
        ("пра\u0301здник", "p r a z d n i k", "p r a z n i k"),
    ],
)
def test_vowels_out_of_stress_are_reduced_in_quick_speech(word: str, careful: str, quick: str | None) -> None:
    assert said(word) == ([careful, quick] if quick else [careful])


def test_a_word_of_one_syllable_is_stressed_on_it() -> None:
    assert said("да") == ["d a"] and said("ток") == ["t o k"]


def test_capitals_are_letters_too() -> None:
    assert said("ИТН") == said("итн")


@pytest.mark.parametrize("word", ["", "abc", "12", "т\u0301а", "две думи", "и-т"])
def test_what_is_no_bulgarian_word_is_refused(word: str) -> None:
    with pytest.raises(Unpronounceable):
        pronounce(word)


@given(st.text(alphabet="абвгдежзийклмнопрстуфхцчшщъьюя", min_size=1, max_size=15))
def test_any_word_of_letters_has_pronunciations_in_the_phone_set(word: str) -> None:
    variants = pronounce(word)
    assert 1 <= len(variants) <= 2
    for phones in variants:
        assert phones and set(phones) <= SPEECH_PHONES
        assert phones[-1] not in {"b", "v", "g", "d", "ʒ", "z", "dʒ", "dz"}
