"""IPA becomes phones, in the same way for all languages."""

import pytest

from voicebot.acoustics.corpora import pronounce
from voicebot.acoustics.pronunciation import phones_of_ipa


@pytest.mark.parametrize(
    ("ipa", "phones"),
    [
        ("pjˈatʲ", "p j a tʲ"),
        ("pʲˈatʲ", "p j a tʲ"),
        ("dʲˈɛvʲitʲ", "dʲ e v i tʲ"),
        ("ɲet", "nʲ e t"),
        ("çilˈadɐ", "x i l a d ɐ"),
        ("tr̝̊ˈi", "t r ʃ i"),
        ("r̝ˈeka", "r ʒ e k a"),
        ("ɟˈaːbel", "dʲ a b e l"),
        ("kʲˈoɾe", "k j o r e"),
        ("tʃotˈɪrɪ", "tʃ o t i r i"),
        ("jˈajtse", "j a j ts e"),
        ("sˈedːm", "s e d m"),
    ],
)
def test_each_sign_has_its_phone(ipa: str, phones: str) -> None:
    assert phones_of_ipa(ipa) == tuple(phones.split())


@pytest.mark.parametrize(("ipa", "phones"), [("ɲˈamɐm", "n j a m ɐ m"), ("lʲˈet", "l e t"), ("dʲ", "d")])
def test_bulgarian_has_no_soft_phones(ipa: str, phones: str) -> None:
    assert phones_of_ipa(ipa, soft=False) == tuple(phones.split())


def test_a_sign_may_be_another_sound_in_one_language() -> None:
    assert pronounce("мыло", "ru")[0][0][:2] == ("m", "ɨ")
    assert pronounce("ви", "uk") == ((("v", "i"),),)
    assert pronounce("ťuk", "cs")[0][0][0] == "tʲ"
