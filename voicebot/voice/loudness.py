"""Makes clips of a voice fit to be joined: ends cut to a known silence, edges faded, speech equally loud, dithered.

Loudness is that of ITU-R BS.1770-4 and EBU R128: K-weighted, in overlapping blocks of 400 ms, gated. It is measured on
what a telephone lets through, 8 kHz, because that is where voices and phrases have to be even. R128 does not say what
the loudness of a phrase is that is shorter than a block ("да" has 300 ms): then the block is as long as its speech.
"""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from voicebot.audio.sound import TELEPHONE_RATE_HZ, Sound

REVISION = 3
"""To be raised with every change of this module that can be heard: it is part of the voices' names."""

LEAD_MS = 30
"""Silence that is left before the first sound of a clip."""

TAIL_MS = 60
"""Silence that is left behind the last sound of a clip."""

TARGET_LUFS = -23.0
"""Loudness of speech (EBU R128)."""

TRUE_PEAK_DB = -1.0
"""Highest peak between samples, too (dBTP, R128): a clip that would pass it stays quieter instead of being clipped."""

Clip = NDArray[np.float32]
"""Floats in [-1, 1], mono, shape (n,)."""

_FRAME_MS = 5
_SPEECH_RANGE_DB = 45.0  # frames that lie further below the loudest are silence to the trimmer
_FADE_MS = 20  # shorter than `LEAD_MS`: what lies there is faint, but an affricate may begin to hiss
_FALSE_START_DB = 18.0
_FALSE_START_GAP_MS = 30
_BLOCK_MS, _HOP_MS = 400, 100
_ABSOLUTE_GATE_LUFS, _RELATIVE_GATE_LU = -70.0, -10.0
_OVERSAMPLING = 4


def even(samples: NDArray[np.floating], rate_hz: int) -> Clip:
    """One spoken clip made ready to stand beside others.

    Args:
        samples: floats in [-1, 1], shape (n,).
        rate_hz: their rate.

    Returns:
        Floats, shape (m,): `LEAD_MS` of near-silence, the speech at `TARGET_LUFS`, `TAIL_MS` of near-silence.
        A clip without any sound comes back as those two silences.
    """
    clip = np.asarray(samples, np.float32)
    lead, tail = rate_hz * LEAD_MS // 1000, rate_hz * TAIL_MS // 1000
    sounding = _sounding(clip, rate_hz)
    if sounding is None:
        return np.zeros(lead + tail, np.float32)
    first, last = sounding
    gain_db = TARGET_LUFS - loudness_lufs(clip[first:last], rate_hz)
    padded = np.concatenate([np.zeros(lead, np.float32), clip, np.zeros(tail, np.float32)])
    trimmed = padded[first : last + lead + tail].copy()
    fade = np.linspace(0.0, 1.0, rate_hz * _FADE_MS // 1000, dtype=np.float32)
    trimmed[: len(fade)] *= fade
    trimmed[-len(fade) :] *= fade[::-1]
    telephone = soxr.resample(trimmed, rate_hz, TELEPHONE_RATE_HZ, quality="HQ")  # may rise above what it is made from
    peak_db = max(true_peak_db(trimmed, rate_hz), true_peak_db(telephone, TELEPHONE_RATE_HZ))
    gain_db = min(gain_db, TRUE_PEAK_DB - peak_db)
    return trimmed * np.float32(10 ** (gain_db / 20))


def without_false_start(samples: NDArray[np.floating], rate_hz: int) -> Clip:
    """A clip whose first word begins with a stop (п, т, к …), less a faint sound before the silence of the stop.

    A synthesiser may clear its throat there. Nothing but that can sound before a closure that nothing precedes; what is
    louder than a fourteenth of the loudest (18 dB) or runs into the speech without a silence of 30 ms is left alone.
    """
    clip = np.array(samples, np.float32)
    power = _frame_power(clip, rate_hz)
    sounding = power > power.max(initial=0.0) * 10 ** (-_SPEECH_RANGE_DB / 10)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], sounding]).astype(int)))
    if len(edges) < 3:
        return clip
    begin, end, again = edges[:3]
    faint = power[begin:end].max() < power.max() * 10 ** (-_FALSE_START_DB / 10)
    if faint and (again - end) * _FRAME_MS >= _FALSE_START_GAP_MS:
        clip[: int(end) * _frame_size(rate_hz)] = 0.0
    return clip


def pcm(samples: NDArray[np.floating], rate_hz: int) -> Sound:
    """Floats in [-1, 1] as 16-bit sound with triangular dither of two steps, so that fading speech does not rustle.

    The dither is the same for the same length: a text sounds the same each time. (S. Lipshitz, R. Wannamaker and
    J. Vanderkooy, "Quantization and Dither", 1992.)
    """
    steps = np.random.default_rng(1).random((2, len(samples)), np.float32)
    return Sound.from_float(samples + (steps[0] - steps[1]) / 32768, rate_hz)


def loudness_lufs(samples: NDArray[np.floating], rate_hz: int) -> float:
    """Integrated loudness (BS.1770-4) of one channel, as a telephone lets it through; minus infinity for silence."""
    heard = np.asarray(soxr.resample(np.asarray(samples, np.float64), rate_hz, TELEPHONE_RATE_HZ, quality="HQ"))
    hop = TELEPHONE_RATE_HZ * _HOP_MS // 1000
    size = min(TELEPHONE_RATE_HZ * _BLOCK_MS // 1000, len(heard))
    if not size:
        return float("-inf")
    squares = np.concatenate([[0.0], np.cumsum(np.square(_k_weighted(heard, TELEPHONE_RATE_HZ)))])
    starts = np.arange(0, len(heard) - size + 1, hop)
    power = (squares[starts + size] - squares[starts]) / size
    kept = power[power > _power(_ABSOLUTE_GATE_LUFS)]
    if not len(kept):
        return float("-inf")
    kept = kept[kept > kept.mean() * 10 ** (_RELATIVE_GATE_LU / 10)]
    return float(10 * np.log10(kept.mean()) - 0.691)


def true_peak_db(samples: NDArray[np.floating], rate_hz: int) -> float:
    """The highest peak between samples too, in dB below full scale (BS.1770-4, annex 2)."""
    finer = soxr.resample(np.asarray(samples, np.float64), rate_hz, _OVERSAMPLING * rate_hz, quality="HQ")
    return float(20 * np.log10(max(np.abs(finer).max(initial=0.0), np.abs(samples).max(initial=0.0), 1e-10)))


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))


def _k_weighted(samples: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """BS.1770's two filters at any rate, through their frequency responses.

    Their analogue prototypes are those that pyloudnorm and libebur128 use, found from the coefficients at 48 kHz.
    """
    size = len(samples) + rate_hz // 4  # the tail of the high-pass has died away by then
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(size))
    k, q = np.tan(np.pi * 1681.974450955533 / rate_hz), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    shelf = (high + band * k / q + k * k) + 2 * (k * k - high) * z + (high - band * k / q + k * k) * z * z
    shelf /= (1 + k / q + k * k) + 2 * (k * k - 1) * z + (1 - k / q + k * k) * z * z
    k, q = np.tan(np.pi * 38.13547087602444 / rate_hz), 0.5003270373238773
    norm = 1 + k / q + k * k
    high_pass = (1 - 2 * z + z * z) / (1 + 2 * (k * k - 1) / norm * z + (1 - k / q + k * k) / norm * z * z)
    filtered: NDArray[np.float64] = np.fft.irfft(np.fft.rfft(samples, size) * shelf * high_pass, size)
    return filtered[: len(samples)]


def _sounding(clip: Clip, rate_hz: int) -> tuple[int, int] | None:
    """First and last sample (exclusive) of what can be heard; None where nothing can."""
    power = _frame_power(clip, rate_hz)
    if not len(power) or power.max() < 1e-10:
        return None
    frames = np.flatnonzero(power > power.max() * 10 ** (-_SPEECH_RANGE_DB / 10))
    size = _frame_size(rate_hz)
    return int(frames[0]) * size, min(int(frames[-1] + 1) * size, len(clip))


def _frame_size(rate_hz: int) -> int:
    return rate_hz * _FRAME_MS // 1000


def _frame_power(samples: Clip, rate_hz: int) -> NDArray[np.float64]:
    """Mean power of each frame, the last one filled up with silence; shape (frames,)."""
    size = _frame_size(rate_hz)
    padded = np.pad(samples, (0, -len(samples) % size)).astype(np.float64)
    power: NDArray[np.float64] = np.square(padded.reshape(-1, size)).mean(axis=1)
    return power
