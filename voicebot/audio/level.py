"""How loud sound is, piece by piece; pure."""

from __future__ import annotations

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
