"""Every phoneme of what the bot says is known to each engine, or mapped to one that is."""

import unicodedata
from collections.abc import Container
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache

import pytest
from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

from voicebot.billing.store import Money
from voicebot.dialog.catalogue import Catalogue
from voicebot.language import dates, money, numbers
from voicebot.language.dates import LOCAL_TIME
from voicebot.voice import kokoro
from voicebot.voice.kokoro import to_tokens
from voicebot.voice.phonemes import phonemize, stress_table
from voicebot.voice.piper import to_known
from voicebot.voice.synthesizer import SynthesisFailed

FEW = [*(sign for sign in DEFAULT_PHONEME_ID_MAP if sign.isascii()), "ʃ", "ʒ", "ə"]
"""What a voice would know that was trained on fewer phonemes than Piper's usual voices."""


def values(language: str) -> list[str]:
    born = datetime(2026, 1, 1, tzinfo=LOCAL_TIME)
    moments = [born + timedelta(days=i, minutes=61 * i) for i in range(0, 365, 5)]
    sums = [Money(Decimal(n * n * n % 900_000) / 100, "EUR") for n in range(1, 200)]
    return [
        *(dates.spell(moment.date(), language) for moment in moments),
        *(dates.spell_moment(moment, language) for moment in moments),
        *(money.spell(amount, language) for amount in sums),
        *(numbers.counted(n, "unpaid_invoice", language) for n in range(1, 25)),
        *(", ".join(numbers.grouped(str(7**n)[:12].ljust(12, "0"), language=language)) for n in range(1, 25)),
    ]


@cache
def texts(language: str) -> list[str]:
    prompts = [phrase.text for phrase in Catalogue.load(language).fixed]
    return [*prompts, *values(language)]


@pytest.mark.parametrize("language", ["bg", "en"])
def test_kokoro_has_a_sound_for_every_phoneme_of_prompts_and_values(language: str) -> None:
    stress = stress_table() if language == "bg" else None
    for text in texts(language):
        assert all(to_tokens(ipa, language, kokoro._vocabulary()) for ipa in phonemize(text, language, stress)), text


@pytest.mark.parametrize(
    "language, known",
    [("bg", DEFAULT_PHONEME_ID_MAP), ("en", DEFAULT_PHONEME_ID_MAP), ("bg", FEW)],
    ids=["bg", "en", "bg, few phonemes"],
)
def test_piper_has_a_sound_for_every_phoneme_of_prompts_and_values(language: str, known: Container[str]) -> None:
    spoken = unicodedata.normalize("NFD", "".join(ipa for text in texts(language) for ipa in phonemize(text, language)))
    heard = set(spoken)
    mapped = {sign: to_known([sign], known) for sign in sorted(heard)}
    assert all(sign in known for signs in mapped.values() for sign in signs)
    assert all(mapped[sign] for sign in heard if sign.isalpha() and sign not in "ˈˌːʲ"), "no sound is lost"


def test_piper_refuses_a_phoneme_that_it_would_leave_out() -> None:
    with pytest.raises(SynthesisFailed, match=r"'ʘ' \(U\+0298\)"):
        to_known(["a", "ʘ"], ["a"])


@pytest.mark.parametrize("language", ["bg", "en"])
def test_values_are_words_that_espeak_reads_in_one_language(language: str) -> None:
    """espeak-ng has a sound for every letter; what it does not know it would spell in English."""
    assert not [text for text in texts(language) if "(en)" in "".join(phonemize(text, language))]
