"""The phone set: what sounds a word can be made of; which word has which is the lexicon's.

One set for all languages, so that one acoustic model learns from speech in many of them. The order is part of
every acoustic model: output k of the net is the phone with index k.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phone:
    """One sound, or one kind of sound that is no speech."""

    name: str
    """Its name in lexicons: the plainest IPA sign of its class."""
    covers: str
    """The IPA signs that are mapped to it, or what it stands for when it is no speech."""
    example: str = ""
    """A Bulgarian word that has it (the letters that spell it in capitals), "" for sounds that Bulgarian lacks."""


SILENCE = "SIL"
"""Nothing but the line."""
NOISE = "NSN"
"""A sound that is no speech: a knock, a breath, a tone, music."""
SPOKEN_NOISE = "SPN"
"""Speech that is not in the vocabulary."""

PHONES: tuple[Phone, ...] = (
    Phone(SILENCE, "silence"),
    Phone(NOISE, "noise"),
    Phone(SPOKEN_NOISE, "any speech"),
    Phone("a", "a ɑ", "дА"),
    Phone("ɐ", "ɐ ə ɤ ʌ ɜ ɘ ɚ", "пЪт, нулА"),
    Phone("e", "e ɛ", "пЕт"),
    Phone("i", "i ɪ", "трИ"),
    Phone("o", "o ɔ ɒ ɵ", "Осем"),
    Phone("u", "u ʊ ʉ", "нУла"),
    Phone("ɨ", "ɨ ɯ"),
    Phone("æ", "æ"),
    Phone("y", "y ʏ"),
    Phone("ø", "ø œ"),
    Phone("b", "b β", "доБре"),
    Phone("d", "d ð ɖ", "Две"),
    Phone("f", "f ɸ", "Фактура"),
    Phone("g", "g ɡ ɣ", "Говоря"),
    Phone("h", "h ɦ"),
    Phone("j", "j ʝ ɥ", "краЙ"),
    Phone("k", "k c q", "Край"),
    Phone("l", "l ɫ ɭ ɬ", "нуЛа"),
    Phone("m", "m ɱ", "седеМ"),
    Phone("n", "n ŋ ɳ", "Не"),
    Phone("p", "p", "Пет"),
    Phone("r", "r ɾ ɽ", "тРи"),
    Phone("ɹ", "ɹ ʁ ʀ ɻ"),
    Phone("s", "s", "Седем"),
    Phone("t", "t ʈ", "пеТ"),
    Phone("v", "v ʋ", "деВет"),
    Phone("w", "w"),
    Phone("x", "x χ", "Хиляда"),
    Phone("z", "z", "Знам"),
    Phone("ʃ", "ʃ ʂ ɕ", "Шест"),
    Phone("ʒ", "ʒ ʐ ʑ", "слуЖител"),
    Phone("θ", "θ"),
    Phone("ts", "ts", "Цифра"),
    Phone("tʃ", "tʃ tɕ tʂ", "Четири"),
    Phone("dʒ", "dʒ dʑ dʐ", "Джоб"),
    Phone("dz", "dz", "Дзън"),
    Phone("tʲ", "tʲ"),
    Phone("dʲ", "dʲ ɟ"),
    Phone("sʲ", "sʲ"),
    Phone("zʲ", "zʲ"),
    Phone("nʲ", "nʲ ɲ"),
    Phone("lʲ", "lʲ ʎ"),
    Phone("rʲ", "rʲ"),
)
"""The phones in the order of the acoustic model's outputs.

Bulgarian has soft consonants before back vowels alone, and its lexicon writes a hard one with "j"; the soft phones are
for languages that have them everywhere.
"""

PHONE_INDEX: dict[str, int] = {phone.name: index for index, phone in enumerate(PHONES)}
"""Index of each phone by its name."""

SPEECH_PHONES: frozenset[str] = frozenset(PHONE_INDEX) - {SILENCE, NOISE, SPOKEN_NOISE}
"""Names of the phones that a word of a lexicon may have."""
