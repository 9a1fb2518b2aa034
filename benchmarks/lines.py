"""The lines over which the sets are sent: A-law, quiet or with babble, street noise or mains hum under the speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voicebot.acoustics import telephone
from voicebot.audio.sound import TELEPHONE_RATE_HZ, Sound

SILENCE_S = 0.5
"""Silence before and behind each utterance."""

PEAK = 8000.0
"""Peak of each utterance, in units of int16: 12 dB below full scale."""

NOISES = ("babble", "street", "hum")


@dataclass(frozen=True, slots=True)
class Condition:
    """One kind of line."""

    name: str
    snr_db: float | None
    """Power of the loud parts of the speech over that of the noise; None for a quiet line."""


CONDITIONS = (Condition("clean", None), Condition("20 dB", 20.0), Condition("10 dB", 10.0))


def framed(sound: Sound) -> telephone.Wave:
    """`sound` at 8 kHz and at the same peak as all others, between two silences; one that is silent stays so."""
    wave = sound.resampled(TELEPHONE_RATE_HZ).samples.astype(np.float64)
    silence = np.zeros(int(TELEPHONE_RATE_HZ * SILENCE_S))
    peak = np.abs(wave).max(initial=0.0)
    return np.concatenate([silence, wave * (PEAK / peak if peak > 100 else 1.0), silence])


def send(
    sound: Sound, condition: Condition, noise: str, seed: Sequence[int], voices: Sequence[telephone.Wave]
) -> Sound:
    """`sound` as it arrives over a line with that noise; `voices` are for babble."""
    wave = framed(sound)
    if condition.snr_db is not None:
        rng = np.random.default_rng(seed)
        made = {
            "babble": lambda: telephone.babble(len(wave), rng, voices),
            "street": lambda: telephone.street(len(wave), rng),
            "hum": lambda: telephone.hum(len(wave), rng),
        }[noise]()
        loud = wave[np.abs(wave) > 0.05 * np.abs(wave).max()]
        wave = wave + made * np.sqrt(np.square(loud).mean() / 10 ** (condition.snr_db / 10))
    return Sound.from_float(telephone.a_law(telephone.band_limited(wave)) / 32768, TELEPHONE_RATE_HZ)
