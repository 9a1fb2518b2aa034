"""How the speech for training is said: the lexicon's pronunciations, and espeak-ng's IPA mapped to the phone set."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain, zip_longest

from piper.phonemize_espeak import EspeakPhonemizer

from voicebot.acoustics.speech import Phones
from voicebot.language.lexicon import Lexicon
from voicebot.language.phones import PHONES
from voicebot.voice.phonemes import ESPEAK_LOCK, mark_stress

Words = tuple[tuple[Phones, ...], ...]
"""For each word the pronunciations it may have."""


@cache
def ipa_table() -> Mapping[str, str]:
    """IPA signs, and pairs of them, with the phone that stands for each."""
    return {sign: phone.name for phone in PHONES[3:] for sign in (phone.name, *phone.covers.split())}


def phones_of_ipa(ipa: str, *, soft: bool = True) -> Phones:
    """The phones of one word in IPA; stress, length and signs that are no sounds are left out.

    A consonant that is soft and has no soft phone becomes a hard one, with "j" behind it before a vowel that is not
    front. A Czech ř is two sounds. A sign that follows itself is one long sound.

    Args:
        ipa: the word.
        soft: False where every soft consonant is to be written in that way, as Bulgarian's are.
    """
    table = ipa_table()
    whole = unicodedata.normalize("NFD", ipa)
    for sign, meant in _WITH_MARKS.items():
        whole = whole.replace(sign, meant)
    letters = "".join(c for c in whole if c not in "\u0361\u200d" and not _is_mark(c))
    phones: list[str] = []
    place = 0
    while place < len(letters):
        pair, sign = letters[place : place + 2], letters[place]
        if len(pair) == 2 and pair in table:
            phones.append(table[pair])
            place += 2
            continue
        if sign in table and not (place and letters[place - 1] == sign):
            phones.append(table[sign])
        if sign in _PALATAL and pair[1:] in _NOT_FRONT:
            phones.append("j")
        place += 1
    return tuple(phones) if soft else _hardened(phones)


def _hardened(phones: Sequence[str]) -> Phones:
    """Without soft phones."""
    hard = [
        (phone[0], "j") if phone[1:] == "ʲ" and following in _BACK_VOWELS else (phone.removesuffix("ʲ"),)
        for phone, following in zip_longest(phones, phones[1:])
    ]
    return tuple(chain.from_iterable(hard))


_WITH_MARKS = {"c\u0327": "x", "r\u031d\u030a": "rʃ", "r\u031d": "rʒ"}
"""Signs whose marks make another sound of them: ç, ř without and with voice."""
_PALATAL = frozenset("ʲc")
_NOT_FRONT = frozenset("aɑɒɐəɤʌɜoɔɵuʊʉ")
_BACK_VOWELS = frozenset(ipa_table()[sign] for sign in _NOT_FRONT)
"""The phones of these signs."""


def _is_mark(sign: str) -> bool:
    return unicodedata.category(sign) in ("Mn", "Lm") and sign not in "ʰʲ"


def words_of_ipa(ipa: str, *, soft: bool = True) -> Words:
    """The words of a sentence in IPA, words apart by spaces, each with its one pronunciation; see `phones_of_ipa`."""
    spoken = (phones_of_ipa(word, soft=soft) for word in ipa.replace(",", " ").replace(".", " ").split())
    return tuple((phones,) for phones in spoken if phones)


def espeak_ipa(text: str, voice: str, stress: Mapping[str, str] | None = None) -> str:
    """What espeak-ng says for `text` in the language of `voice`, in IPA.

    Args:
        text: one language, any length.
        voice: an espeak-ng voice such as "bg" or "en-us".
        stress: see `voicebot.voice.phonemes.phonemize`.
    """
    with ESPEAK_LOCK:
        sentences = _espeak().phonemize(voice, mark_stress(text, stress or {}))
    return _without_switches(" ".join("".join(sentence) for sentence in sentences))


def _without_switches(ipa: str) -> str:
    """`ipa` without the marks "(en)" by which espeak-ng says that it changed the language."""
    kept = "".join(part.partition(")")[2] if number else part for number, part in enumerate(ipa.split("(")))
    return unicodedata.normalize("NFC", kept)


@cache
def _espeak() -> EspeakPhonemizer:
    return EspeakPhonemizer()


def with_variants(text: str, words: Words, lexicon: Lexicon) -> Words:
    """`words` with the lexicon's pronunciations beside the synthesiser's, where the words of `text` are in it.

    Where espeak-ng joined or split words, so that the counts differ, `words` stay as they are.
    """
    spelled = text.lower().replace(",", " ").replace(".", " ").split()
    if len(spelled) != len(words):
        return words
    widened = []
    for word, spoken in zip(spelled, words, strict=True):
        known = tuple(entry.phones for entry in lexicon[word]) if word in lexicon else ()
        widened.append((*spoken, *(phones for phones in known if phones not in spoken)))
    return tuple(widened)
