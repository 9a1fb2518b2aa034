"""`Sound`, the one form in which PCM travels between rooms, and the telephone's frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.int16]
"""PCM samples: int16, mono, shape (n,)."""

TELEPHONE_RATE_HZ = 8000
"""Sampling rate of everything that is heard (ITU-T G.711)."""

FRAME_MS = 20
"""Length of one frame of media (RFC 3551, section 4.2)."""

FRAME_SAMPLES = TELEPHONE_RATE_HZ * FRAME_MS // 1000
"""Samples in one frame at the telephone's rate."""


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Mono PCM with its rate."""

    samples: Samples
    """int16, shape (n,)."""
    rate_hz: int
    """Samples a second."""

    @classmethod
    def silence(cls, duration_ms: int, rate_hz: int = TELEPHONE_RATE_HZ) -> Sound:
        """Digital silence of `duration_ms`."""
        return cls(np.zeros(rate_hz * duration_ms // 1000, np.int16), rate_hz)

    @classmethod
    def from_float(cls, samples: NDArray[np.floating], rate_hz: int) -> Sound:
        """From floats in [-1, 1], shape (n,); what lies outside is clipped."""
        return cls(np.clip((samples * 32768.0).round(), -32768, 32767).astype(np.int16), rate_hz)

    @property
    def duration_ms(self) -> float:
        """Length in milliseconds."""
        return len(self.samples) * 1000.0 / self.rate_hz

    def resampled(self, rate_hz: int) -> Sound:
        """The same sound at `rate_hz`, band-limited by soxr at its high quality."""
        if rate_hz == self.rate_hz:
            return self
        return Sound(soxr.resample(self.samples, self.rate_hz, rate_hz, quality="HQ"), rate_hz)

    def then(self, *others: Sound) -> Sound:
        """This sound and the others behind it, at this sound's rate."""
        parts = [self.samples, *(other.resampled(self.rate_hz).samples for other in others)]
        return Sound(np.concatenate(parts), self.rate_hz)

    def frames(self, frame_ms: int = FRAME_MS) -> Iterator[Samples]:
        """Frames of `frame_ms` at this sound's own rate; the last is filled up with silence."""
        size = self.rate_hz * frame_ms // 1000
        for start in range(0, len(self.samples), size):
            frame = self.samples[start : start + size]
            if len(frame) < size:
                frame = np.concatenate([frame, np.zeros(size - len(frame), np.int16)])
            yield frame
