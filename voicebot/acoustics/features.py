"""Features of the acoustic model: Kaldi's MFCC as the models' conf/mfcc.conf asks for them, warped for training."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from voicebot.audio.sound import TELEPHONE_RATE_HZ

BINS = 40
"""Mel filters, and cepstra kept: all of them, so that nothing but the view changes."""

FRAME_SHIFT = TELEPHONE_RATE_HZ // 100
"""Samples between two frames (10 ms)."""

SUBSAMPLING = 3
"""Input frames to one output of the network."""

MFCC_CONF = """\
--sample-frequency=8000
--use-energy=false
--num-mel-bins=40
--num-ceps=40
--low-freq=100
--high-freq=3800
--dither=0
--allow-downsample=true
--allow-upsample=true
"""
"""What Kaldi must be told to compute the same features."""

_WINDOW = TELEPHONE_RATE_HZ // 40
_FFT = 256
_LOW_HZ, _HIGH_HZ = 100.0, 3800.0
_PREEMPHASIS = 0.97
_LIFTER = 22.0
_FLOOR = float(np.finfo(np.float32).eps)

Features = NDArray[np.float32]
"""Frames of cepstra, shape (frames, `BINS`)."""


def mfcc(samples: NDArray[np.floating] | NDArray[np.int16], warp: float = 1.0) -> Features:
    """The features of a sound.

    The steps and constants are those of Kaldi's `feat/feature-mfcc.cc` with `MFCC_CONF`: frames that lie wholly in
    the sound, mean removed, pre-emphasis, Povey's window, power spectrum, mel filters, logarithm, type II cosine
    transform, lifter.

    Args:
        samples: 8 kHz, in units of int16, shape (n,).
        warp: vocal tract length: formants move up by this factor (0.8 to 1.25); 1 at recognition.

    Returns:
        float32, shape (frames, `BINS`); no frame when `samples` are shorter than 25 ms.
    """
    sound = np.asarray(samples, np.float64)
    count = 0 if len(sound) < _WINDOW else 1 + (len(sound) - _WINDOW) // FRAME_SHIFT
    if not count:
        return np.zeros((0, BINS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::FRAME_SHIFT][:count].copy()
    frames -= frames.mean(axis=1, keepdims=True)
    frames[:, 1:] -= _PREEMPHASIS * frames[:, :-1]
    frames[:, 0] *= 1.0 - _PREEMPHASIS
    power = np.abs(np.fft.rfft(frames * _povey_window(), _FFT, axis=1)) ** 2
    energies = power[:, : _FFT // 2] @ mel_filters(round(warp, 2)).T
    cepstra: Features = (np.log(np.maximum(energies, _FLOOR)) @ cosine_transform().T).astype(np.float32)
    return cepstra


@cache
def mel_filters(warp: float) -> NDArray[np.float64]:
    """Triangular mel filters whose edges are moved by `warp`, shape (`BINS`, FFT bins)."""
    low, high = _mel(np.array(_LOW_HZ)), _mel(np.array(_HIGH_HZ))
    edges = low + (high - low) * np.arange(BINS + 2) / (BINS + 1)
    edges = _mel(_warped(_hertz(edges), warp))
    bins = _mel(np.arange(_FFT // 2) * TELEPHONE_RATE_HZ / _FFT)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - left) / (centre - left), (right - bins) / (right - centre)
    inside = (bins > left) & (bins < right)
    return np.where(inside, np.minimum(rising, falling), 0.0)


def _warped(hertz: NDArray[np.float64], warp: float) -> NDArray[np.float64]:
    """Kaldi's piecewise linear warp (`MelBanks::VtlnWarpFreq`), straight between two knees, fixed at both ends."""
    low_knee = 120.0 * max(1.0, warp)
    high_knee = 3400.0 * min(1.0, warp)
    xs = [_LOW_HZ, low_knee, high_knee, _HIGH_HZ]
    ys = [_LOW_HZ, low_knee / warp, high_knee / warp, _HIGH_HZ]
    return np.interp(hertz, xs, ys)


def _mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1127.0 * np.log1p(hertz / 700.0)


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return 700.0 * np.expm1(mel / 1127.0)


@cache
def _povey_window() -> NDArray[np.float64]:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / (_WINDOW - 1))) ** 0.85


@cache
def cosine_transform() -> NDArray[np.float64]:
    """The orthonormal cosine transform of type II with the lifter, shape (cepstra, filters)."""
    k, n = np.arange(BINS)[:, None], np.arange(BINS)
    transform = np.sqrt(2.0 / BINS) * np.cos(np.pi * (n + 0.5) * k / BINS)
    transform[0] /= np.sqrt(2.0)
    return (1.0 + 0.5 * _LIFTER * np.sin(np.pi * k / _LIFTER)) * transform
