"""IPA becomes phones, in the same way for all languages."""

import pytest

from voicebot.acoustics.corpora import pronounce
from voicebot.acoustics.pronunciation import phones_of_ipa


@pytest.mark.parametrize(
    ("ipa", "phones"),
    [
        ("pjˈatʲ", "p j a t"),
        ("pʲˈatʲ", "p j a t"),
        ("dʲˈɛvʲitʲ", "d e v i t"),
        ("ɲˈamɐm", "n j a m ɐ m"),
        ("ɲet", "n e t"),
        ("çilˈadɐ", "x i l a d ɐ"),
        ("tr̝̊ˈi", "t r ʃ i"),
        ("r̝ˈeka", "r ʒ e k a"),
        ("ɟˈaːbel", "d j a b e l"),
        ("tʃotˈɪrɪ", "tʃ o t i r i"),
        ("jˈajtse", "j a j ts e"),
        ("sˈedːm", "s e d m"),
    ],
)
def test_each_sign_has_its_phone(ipa: str, phones: str) -> None:
    assert phones_of_ipa(ipa) == tuple(phones.split())


def test_a_sign_may_be_another_sound_in_one_language() -> None:
    assert pronounce("мыло", "ru")[0][0][:2] == ("m", "ɨ")
    assert pronounce("ви", "uk") == ((("v", "i"),),)
