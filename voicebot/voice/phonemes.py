"""Letters to IPA by the espeak-ng that piper-tts carries; which voice understands which IPA is left to the voice."""

from __future__ import annotations

import re
import threading
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib import resources

from piper.phonemize_espeak import EspeakPhonemizer

from voicebot.voice.synthesizer import SynthesisFailed, split_sentences

ESPEAK_LOCK = threading.Lock()
"""espeak-ng is one per process and keeps its language as state: whoever calls it holds this."""

ESPEAK_VOICES: Mapping[str, str] = {"bg": "bg", "en": "en-us"}
"""Languages of the bot, and what espeak-ng calls them."""

STRESS_MARK = "\u0300"
"""Combining grave, the stress mark of Bulgarian print; espeak-ng obeys it on a decomposed vowel."""

_WORD = re.compile(r"[^\W\d_]+", re.UNICODE)


def phonemize(text: str, language: str = "bg", stress: Mapping[str, str] | None = None) -> list[str]:
    """IPA of each sentence of `text`, composed (NFC), with stress marks, word gaps and punctuation.

    Args:
        text: words and punctuation.
        language: one of `ESPEAK_VOICES`.
        stress: words in small letters and the same words with their `STRESS_MARK`s, for those that espeak-ng
            stresses wrongly; none by default: a voice that was trained on espeak-ng's own stress is best left with it.

    Raises:
        SynthesisFailed: the language is not known.
    """
    if language not in ESPEAK_VOICES:
        known = ", ".join(ESPEAK_VOICES)
        raise SynthesisFailed(f"No voice speaks the language {language!r}: take one of {known}.")
    sentences = []
    for sentence in split_sentences(text):
        with ESPEAK_LOCK:
            parts = _espeak().phonemize(ESPEAK_VOICES[language], mark_stress(sentence, stress or {}))
        sentences.append(" ".join("".join(part).strip() for part in parts))
    return [unicodedata.normalize("NFC", sentence) for sentence in sentences if sentence]


def mark_stress(text: str, table: Mapping[str, str]) -> str:
    """`text` with the words of `table` in their stressed form, in small letters and decomposed; others untouched."""

    def stressed(match: re.Match[str]) -> str:
        return table.get(match[0].lower(), match[0])

    return _WORD.sub(stressed, unicodedata.normalize("NFC", text))


@cache
def stress_table() -> Mapping[str, str]:
    """Words that espeak-ng stresses wrongly, without and with their stress marks (decomposed)."""
    data = tomllib.loads(resources.files(__package__).joinpath("stress.toml").read_text(encoding="utf-8"))
    marked = (unicodedata.normalize("NFD", word) for word in data["words"])
    # Composing what is left gives back "й", whose breve is no stress mark.
    return {unicodedata.normalize("NFC", word.replace(STRESS_MARK, "")): _decompose_stress(word) for word in marked}


def _decompose_stress(word: str) -> str:
    """`word` composed, but for its stress marks."""
    return STRESS_MARK.join(unicodedata.normalize("NFC", part) for part in word.split(STRESS_MARK))


@cache
def _espeak() -> EspeakPhonemizer:
    return EspeakPhonemizer()
