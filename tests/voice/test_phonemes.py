import re
import unicodedata

import pytest

from voicebot.voice.phonemes import STRESS_MARK, mark_stress, phonemize, stress_table
from voicebot.voice.synthesizer import SynthesisFailed

VOWEL = re.compile(r"(ˈ?)[aɐəɤeɛiou]")


def test_each_sentence_becomes_ipa_with_its_closing_mark() -> None:
    assert phonemize("Пет, шест. Седем?") == ["pˈet, ʃˈest.", "sˈedem?"]


def test_a_small_letter_behind_a_full_stop_begins_a_sentence_too() -> None:
    assert len(phonemize("край. помощ")) == 2


def test_the_table_moves_the_stress_of_words_that_espeak_does_not_know() -> None:
    assert phonemize("едно") == ["ˈedno"]
    assert phonemize("Едно", stress=stress_table()) == ["ednˈo"]


@pytest.mark.parametrize("word, marked", sorted(stress_table().items()))
def test_espeak_stresses_each_word_of_the_table_where_its_mark_is(word: str, marked: str) -> None:
    letters = [c for c in re.findall("[аъоуеиюя]\u0300?", marked)]
    (ipa,) = phonemize(word, stress=stress_table())
    assert [stress == "ˈ" for stress in VOWEL.findall(ipa)] == [STRESS_MARK in letter for letter in letters]
    assert phonemize(word) != [ipa], "espeak-ng knows the stress itself: the word needs no entry"


def test_other_words_and_marks_stay_as_they_are() -> None:
    assert mark_stress("„Пет“ - й, едно!", {"едно": "едно\u0300"}) == "„Пет“ - й, едно\u0300!"


def test_the_letter_short_i_is_not_taken_for_a_stressed_one() -> None:
    assert all(unicodedata.is_normalized("NFC", word) and "\u0306" not in word for word in stress_table())


def test_a_language_without_a_voice_is_refused() -> None:
    with pytest.raises(SynthesisFailed, match="'tlh'"):
        phonemize("nuqneH", "tlh")
