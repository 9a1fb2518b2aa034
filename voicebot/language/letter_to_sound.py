"""Bulgarian letter-to-sound rules: how a word that the lexicon lacks is pronounced, in the phones of `phones`.

The rules follow the standard description of Bulgarian phonology (Tilkov and Boyadzhiev, "Balgarska fonetika"):
obstruents take the voicing of the obstruent behind them, except that "v" lends none; at the end of a word they are
voiceless; out of stress "a" is drawn towards schwa, in quick speech "o" towards "u" and "e" towards "i". A palatal
consonant is the consonant with "j" behind it, as the phone set has it. The lexicon's own entries always win.
"""

from __future__ import annotations

import unicodedata
from itertools import pairwise

STRESS = "\N{COMBINING ACUTE ACCENT}"
"""Behind a vowel letter: the word is stressed there."""

_LETTERS: dict[str, tuple[str, ...]] = {
    **{"а": ("a",), "б": ("b",), "в": ("v",), "г": ("g",), "д": ("d",), "е": ("e",), "ж": ("ʒ",), "з": ("z",)},
    **{"и": ("i",), "й": ("j",), "к": ("k",), "л": ("l",), "м": ("m",), "н": ("n",), "о": ("o",), "п": ("p",)},
    **{"р": ("r",), "с": ("s",), "т": ("t",), "у": ("u",), "ф": ("f",), "х": ("x",), "ц": ("ts",), "ч": ("tʃ",)},
    **{"ш": ("ʃ",), "щ": ("ʃ", "t"), "ъ": ("ɐ",), "ь": ("j",), "ю": ("j", "u"), "я": ("j", "a")},
    **{"ѝ": ("i",), "дж": ("dʒ",), "дз": ("dz",)},
}
_VOWELS = frozenset("aeiouɐ")
_VOICELESS = {"b": "p", "v": "f", "g": "k", "d": "t", "ʒ": "ʃ", "z": "s", "dʒ": "tʃ", "dz": "ts"}
_VOICED = {voiceless: voiced for voiced, voiceless in _VOICELESS.items()}
_OBSTRUENTS = frozenset(_VOICELESS) | frozenset(_VOICED) | {"x"}
_REDUCED = {"a": "ɐ", "o": "u", "e": "i"}
_SIMPLIFIED: dict[tuple[str, ...], tuple[str, ...]] = {
    ("s", "t", "n"): ("s", "n"),
    ("ʃ", "t", "n"): ("ʃ", "n"),
    ("z", "d", "n"): ("z", "n"),
}
"""Clusters that lose their middle sound when a word is spoken, not spelled."""


class Unpronounceable(ValueError):
    """A word with something in it that is no letter of the Bulgarian alphabet."""


def pronounce(word: str) -> list[tuple[str, ...]]:
    """The pronunciations of a word, the careful one first, then that of quick speech where it differs.

    Args:
        word: Cyrillic letters of either case; a combining acute accent marks the stressed vowel. A word of one syllable
            is stressed on it; where the stress of a longer one is not marked, "a" at its end is taken as unstressed
            and no other vowel is reduced in careful speech.

    Raises:
        Unpronounceable: other signs than these.
    """
    phones, stressed = _spell_out(word)
    vowels = [place for place, phone in enumerate(phones) if phone in _VOWELS]
    if len(vowels) == 1:
        stressed = vowels[0]
    careful = [
        "ɐ" if phone == "a" and place != stressed and (stressed is not None or place == len(phones) - 1) else phone
        for place, phone in enumerate(phones)
    ]
    quick = [
        _REDUCED.get(phone, phone) if place in vowels and place != stressed and stressed is not None else phone
        for place, phone in enumerate(careful)
    ]
    variants = [tuple(_assimilate(careful)), tuple(_assimilate(_simplify(quick)))]
    return list(dict.fromkeys(variants))


def _spell_out(word: str) -> tuple[list[str], int | None]:
    """The phones that the letters stand for and the place of the stressed one."""
    letters = unicodedata.normalize("NFC", word.lower().replace(STRESS, "\0"))
    phones: list[str] = []
    stressed = None
    place = 0
    while place < len(letters):
        letter = letters[place]
        if letter == "\0":
            if not phones or phones[-1] not in _VOWELS:
                raise Unpronounceable(f"the stress in {word!r} is not behind a vowel")
            stressed = len(phones) - 1
            place += 1
            continue
        pair = letters[place : place + 2]
        unit = pair if pair in _LETTERS else letter
        if unit not in _LETTERS:
            raise Unpronounceable(f"{letter!r} in {word!r} is no Bulgarian letter")
        phones += _LETTERS[unit]
        place += len(unit)
    if not phones:
        raise Unpronounceable("an empty word has no pronunciation")
    return phones, stressed


def _assimilate(phones: list[str]) -> list[str]:
    """Voicing, from the end of the word to its beginning."""
    result = list(phones)
    if result[-1] in _VOICELESS:
        result[-1] = _VOICELESS[result[-1]]
    for place in range(len(result) - 2, -1, -1):
        phone, following = result[place], result[place + 1]
        if phone not in _OBSTRUENTS or following not in _OBSTRUENTS:
            continue
        if following in _VOICELESS:
            if phones[place + 1] != "v":
                result[place] = _VOICED.get(phone, phone)
        else:
            result[place] = _VOICELESS.get(phone, phone)
    return [phone for phone, following in pairwise([*result, ""]) if phone != following or phone in _VOWELS]


def _simplify(phones: list[str]) -> list[str]:
    result: list[str] = []
    place = 0
    while place < len(phones):
        cluster = tuple(phones[place : place + 3])
        result += _SIMPLIFIED.get(cluster, phones[place : place + 1])
        place += len(cluster) if cluster in _SIMPLIFIED else 1
    return result
