"""How loud sound is, piece by piece; pure."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from voicebot.audio.sound import TELEPHONE_RATE_HZ, Samples

LEVEL_MS = 10
"""Length of the pieces that levels are taken of."""

Levels = NDArray[np.float64]
"""Levels in dB above one step of int16 (90.3 is full scale), shape (n,), one for each `LEVEL_MS`."""

_PIECE = TELEPHONE_RATE_HZ * LEVEL_MS // 1000


def levels_db(samples: Samples) -> Levels:
    """Levels of int16 mono at 8 kHz, any length; what is left behind the last whole piece is dropped.

    The steady part of each piece (an offset of a sound card, shape of a hum far below speech) counts as silence.
    """
    count = len(samples) // _PIECE
    pieces = samples[: count * _PIECE].astype(np.float64).reshape(count, _PIECE)
    levels: Levels = 10.0 * np.log10(pieces.var(axis=1) + 1.0)
    return levels


def level_db(frame: Samples) -> float:
    """The level of a whole frame, as `levels_db` has it."""
    if not len(frame):
        return 0.0
    wave = frame.astype(np.float64)
    mean = float(wave.sum()) / len(wave)
    return 10.0 * math.log10(max(0.0, float(wave @ wave) / len(wave) - mean * mean) + 1.0)


def active_level_db(signal: NDArray[np.float64], rate_hz: int) -> float:
    """Mean power of the frames of 5 ms that lie within 25 dB of the loudest, in dB below full scale.

    A plain stand-in for the active speech level of ITU-T P.56; `signal` is floats in [-1, 1], not silence.
    """
    size = rate_hz * 5 // 1000
    power = np.square(np.pad(signal, (0, -len(signal) % size)).reshape(-1, size)).mean(axis=1)
    return float(10 * np.log10(power[power > power.max() * 10**-2.5].mean()))


class SlowGain:
    """Raises a quiet voice, frame by frame, to where a recogniser hears it well; it never clips and never lowers.

    The voice's level is that of the loudest frames that stand out of the noise, slowly forgotten; noise alone is not
    raised. The gain falls at once and rises within a syllable, so one that was found lasts for the rest of a call.
    """

    def __init__(self, target_db: float = 55.0, most_db: float = 30.0) -> None:
        """Begin with no gain.

        Args:
            target_db: level of loud frames, in dB above one step of int16, up to which a voice is raised.
            most_db: the most gain.
        """
        self._target_db = target_db
        self._most_db = most_db
        self._floor_db = float("inf")
        self._voice_db: float | None = None
        self.gain_db = 0.0
        """The gain of the last frame."""

    def accept(self, frame: Samples, *, learn: bool = True) -> Samples:
        """`frame` (int16 mono, 20 ms at 8 kHz), raised; with `learn=False` as the voices before it were."""
        now_db = level_db(frame)
        self._floor_db = max(_LEAST_FLOOR_DB, min(now_db, self._floor_db + _FLOOR_RISE_DB))
        if learn and now_db >= self._floor_db + _OUT_OF_NOISE_DB:
            faded_db = now_db if self._voice_db is None else self._voice_db - _VOICE_FADE_DB
            self._voice_db = max(now_db, faded_db)
        wanted_db = 0.0
        if self._voice_db is not None:
            wanted_db = min(max(self._target_db - self._voice_db, 0.0), self._most_db)
        before = 10.0 ** (self.gain_db / 20.0)
        peak = max(int(frame.max(initial=1)), -int(frame.min(initial=-1)))
        unclipped_db = max(0.0, 20.0 * math.log10(_FULL_SCALE / peak))
        self.gain_db = min(wanted_db, self.gain_db + _GAIN_RISE_DB, unclipped_db)
        if before == 1.0 and self.gain_db == 0.0:
            return frame
        after = 10.0 ** (self.gain_db / 20.0)
        slope = np.linspace(min(before, 10.0 ** (unclipped_db / 20.0)), after, len(frame))
        raised: Samples = np.clip(np.round(frame * slope), -32768, 32767).astype(np.int16)
        return raised


_FULL_SCALE = 32767.0
_LEAST_FLOOR_DB = 12.0
"""Quieter is digital silence, or as good as that."""
_FLOOR_RISE_DB = 0.02
"""By which the noise may rise in each frame: 1 dB a second."""
_OUT_OF_NOISE_DB = 12.0
"""How far a voice stands out of the noise."""
_VOICE_FADE_DB = 0.02
_GAIN_RISE_DB = 1.5
"""In each frame: 20 dB take 270 ms."""
