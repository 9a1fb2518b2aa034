"""Makes clips of a voice fit to be joined: ends cut to a known silence, edges faded, speech at one level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAD_MS = 30
"""Silence that is left before the first sound of a clip."""

TAIL_MS = 60
"""Silence that is left behind the last sound of a clip."""

ACTIVE_LEVEL_DB = -20.0
"""Level of speech, pauses left out, in dB below a full-scale square wave (dBov of ITU-T G.100.1)."""

PEAK_LIMIT_DB = -1.0
"""Highest peak, in dB below full scale: a clip whose peaks would pass it stays quieter instead of being clipped."""

_FRAME_MS = 5
_SPEECH_RANGE_DB = 45.0  # frames that lie further below the loudest are silence to the trimmer
_ACTIVE_RANGE_DB = 25.0  # frames that lie further below the loudest are pauses to the meter
_FADE_MS = 5


def even(samples: NDArray[np.floating], rate_hz: int) -> NDArray[np.float32]:
    """One spoken clip made ready to stand beside others.

    Args:
        samples: floats in [-1, 1], shape (n,).
        rate_hz: their rate.

    Returns:
        Floats, shape (m,): `LEAD_MS` of near-silence, the speech at `ACTIVE_LEVEL_DB`, `TAIL_MS` of near-silence.
        A clip without any sound comes back as those two silences.
    """
    clip = np.asarray(samples, np.float32)
    lead, tail = rate_hz * LEAD_MS // 1000, rate_hz * TAIL_MS // 1000
    power = _frame_power(clip, rate_hz)
    if not len(power) or power.max() < 1e-10:
        return np.zeros(lead + tail, np.float32)
    size = _frame_size(rate_hz)
    sounding = np.flatnonzero(power > power.max() * 10 ** (-_SPEECH_RANGE_DB / 10))
    first, last = int(sounding[0]) * size, min(int(sounding[-1] + 1) * size, len(clip))
    padded = np.concatenate([np.zeros(lead, np.float32), clip, np.zeros(tail, np.float32)])
    trimmed = padded[first : last + lead + tail].copy()
    gain = 10 ** ((ACTIVE_LEVEL_DB - active_level_db(clip, rate_hz)) / 20)
    gain = min(gain, 10 ** (PEAK_LIMIT_DB / 20) / float(np.abs(trimmed).max()))
    fade = np.linspace(0.0, 1.0, rate_hz * _FADE_MS // 1000, dtype=np.float32)
    trimmed[: len(fade)] *= fade
    trimmed[-len(fade) :] *= fade[::-1]
    return trimmed * np.float32(gain)


def active_level_db(samples: NDArray[np.floating], rate_hz: int) -> float:
    """Level of the speech in `samples` without its pauses, in dB below full scale.

    A plain stand-in for the active speech level of ITU-T P.56: the mean power of the frames that lie within 25 dB of
    the loudest frame. Minus infinity for silence.
    """
    power = _frame_power(np.asarray(samples, np.float32), rate_hz)
    if not len(power) or power.max() <= 0.0:
        return float("-inf")
    return float(10 * np.log10(power[power > power.max() * 10 ** (-_ACTIVE_RANGE_DB / 10)].mean()))


def _frame_size(rate_hz: int) -> int:
    return rate_hz * _FRAME_MS // 1000


def _frame_power(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float64]:
    """Mean power of each frame, the last one filled up with silence; shape (frames,)."""
    size = _frame_size(rate_hz)
    padded = np.pad(samples, (0, -len(samples) % size)).astype(np.float64)
    power: NDArray[np.float64] = np.square(padded.reshape(-1, size)).mean(axis=1)
    return power
