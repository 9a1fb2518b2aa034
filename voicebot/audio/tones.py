"""Telephone keys as in-band tones (DTMF, ITU-T Q.23 and Q.24): making them and hearing them.

The detector takes the Goertzel power (G. Goertzel, 1958) at the eight frequencies in overlapping blocks and
asks of a key what Q.24 asks of a receiver: both tones strong against everything else, their levels near each
other, the same key long enough, and a pause before the next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voicebot.audio.sound import TELEPHONE_RATE_HZ, Samples, Sound

KEYS = "123A456B789C*0#D"
"""The keypad row by row (Q.23)."""

LOW_HZ = (697, 770, 852, 941)
HIGH_HZ = (1209, 1336, 1477, 1633)

_BLOCK = 205
"""Samples in a block: 26 ms at 8 kHz, the length at which the eight frequencies fall near whole bins."""
_HOP = 80
"""Samples between blocks: 10 ms."""
_HITS_TO_PRESS = 2
"""Blocks in a row that must hold the same key, so that a tone of 40 ms counts."""
_MISSES_TO_RELEASE = 4
"""Blocks in a row without it that end a press, so that a drop-out of 10 ms (Q.24) does not double the key."""
_PURITY = 0.75
"""Share of a block's energy that the two tones must hold."""
_DOMINANCE = 6.0
"""Power ratio (8 dB) of a tone to the next one in its group."""
_FORWARD_TWIST_DB = 4.0
"""Most that the high tone may be stronger than the low (Q.24)."""
_REVERSE_TWIST_DB = 8.0
"""Most that the low tone may be stronger than the high (Q.24)."""
_MIN_POWER = (32768 * 10 ** (-36 / 20)) ** 2 / 2
"""Mean square of a tone pair at -36 dBFS, below which a key is not meant for us."""

_ANGLES = 2j * np.pi * np.outer(np.array(LOW_HZ + HIGH_HZ) / TELEPHONE_RATE_HZ, np.arange(_BLOCK))
_PROBES: NDArray[np.complex128] = np.exp(-_ANGLES)
"""Shape (8, block): the correlation with each frequency; its squared size is Goertzel's power."""


def dtmf(keys: str, *, tone_ms: int = 80, gap_ms: int = 80, level_dbfs: float = -12.0) -> Sound:
    """The tones of `keys` at 8 kHz, each `tone_ms` long with `gap_ms` of silence behind it.

    Raises:
        ValueError: a sign that is on no keypad.
    """
    time_s = np.arange(TELEPHONE_RATE_HZ * tone_ms // 1000) / TELEPHONE_RATE_HZ
    gap = np.zeros(TELEPHONE_RATE_HZ * gap_ms // 1000)
    peak = 10 ** (level_dbfs / 20) / 2
    parts: list[NDArray[np.float64]] = []
    for key in keys:
        row, column = divmod(KEYS.index(key), 4)
        tone = np.sin(2 * np.pi * LOW_HZ[row] * time_s) + np.sin(2 * np.pi * HIGH_HZ[column] * time_s)
        parts += [peak * tone, gap]
    return Sound.from_float(np.concatenate(parts) if parts else np.zeros(0), TELEPHONE_RATE_HZ)


class ToneDetector:
    """Hears keys in a stream of sound at 8 kHz, each once, as soon as it is sure."""

    def __init__(self) -> None:
        self._rest = np.zeros(0)
        self._candidate: str | None = None
        self._hits = 0
        self._misses = 0
        self._pressed: str | None = None

    @property
    def active(self) -> bool:
        """Whether a tone is sounding now, which is not speech."""
        return self._pressed is not None or self._hits > 0

    def accept(self, samples: Samples) -> list[str]:
        """Keys whose press became certain in `samples` (int16 mono at 8 kHz, any length)."""
        signal = np.concatenate([self._rest, samples.astype(np.float64)])
        keys: list[str] = []
        start = 0
        while start + _BLOCK <= len(signal):
            pressed = self._step(_key_in(signal[start : start + _BLOCK]))
            if pressed:
                keys.append(pressed)
            start += _HOP
        self._rest = signal[start:]
        return keys

    def _step(self, key: str | None) -> str | None:
        if self._pressed is not None and key == self._pressed:
            self._misses = 0
            return None
        if self._pressed is not None:
            self._misses += 1
            if self._misses >= _MISSES_TO_RELEASE:
                self._pressed = None
        self._hits = self._hits + 1 if key is not None and key == self._candidate else int(key is not None)
        self._candidate = key
        if self._hits >= _HITS_TO_PRESS and self._pressed != key:
            self._pressed, self._misses = key, 0
            return key
        return None


def _key_in(block: NDArray[np.float64]) -> str | None:
    energy = float(np.dot(block, block))
    if energy < _MIN_POWER * _BLOCK:
        return None
    power = np.abs(_PROBES @ block) ** 2
    low, high = power[:4], power[4:]
    row, column = int(low.argmax()), int(high.argmax())
    if any(np.sort(group)[-1] < _DOMINANCE * np.sort(group)[-2] for group in (low, high)):
        return None
    twist_db = 10 * np.log10(high[column] / low[row])
    if not -_REVERSE_TWIST_DB <= twist_db <= _FORWARD_TWIST_DB:
        return None
    # A sine of mean square p over N samples has Goertzel power p * N^2 / 2 and energy p * N.
    purity = 2 * (low[row] + high[column]) / (_BLOCK * energy)
    return KEYS[4 * row + column] if purity >= _PURITY else None
