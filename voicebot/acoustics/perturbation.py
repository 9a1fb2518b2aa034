"""Random changes of features while a network is trained, drawn anew in each epoch: channels, lost bands, noise, gaps.

Cepstra are taken back to the logarithms of their mel energies, of which they are an invertible linear image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicebot.acoustics.features import BINS, cosine_transform

_DB = np.log(10.0) / 10.0
"""A decibel of energy in natural logarithms."""


@dataclass(frozen=True, slots=True)
class Perturbation:
    """Shares of the chunks that are changed, and how far."""

    channel: float = 0.5
    """Share that gets an uneven channel: a smooth curve of gains over the bands."""
    channel_db: float = 5.0
    """Standard deviation of its knots."""
    band: float = 0.3
    """Share in which neighbouring bands are lost in their mean."""
    bands: int = 6
    """Most bands that are lost."""
    noise: float = 0.5
    """Share to which noise is added."""
    ratio_db: tuple[float, float] = (4.0, 30.0)
    """Least and most distance between the loudest band and moment of chunk and noise."""
    gap: float = 0.3
    """Share in which a few frames are lost in the mean."""
    gap_frames: int = 7
    """Most frames that are lost."""

    def __call__(
        self, batch: NDArray[np.float32], noises: NDArray[np.float32], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """A changed copy of a batch.

        Args:
            batch: cepstra, shape (batch, frames, `BINS`).
            noises: cepstra of noises, shape (noises, at least as many frames, `BINS`); may hold none.
            rng: where chance comes from.
        """
        mels: NDArray[np.float32] = batch @ _TO_MELS
        frames = mels.shape[1]
        mean = mels.mean((0, 1))
        for mel in mels:
            if len(noises) and rng.random() < self.noise:
                noise = noises[rng.integers(len(noises))][:frames] @ _TO_MELS
                level = mel.max() - noise.max() - rng.uniform(*self.ratio_db) * _DB
                np.logaddexp(mel, noise + np.float32(level), out=mel)
            if rng.random() < self.channel:
                knots = rng.normal(0.0, self.channel_db, 6)
                curve = np.interp(np.arange(BINS), np.linspace(0, BINS - 1, 6), knots)
                mel += (curve * _DB).astype(np.float32)
            if rng.random() < self.band:
                width = int(rng.integers(1, self.bands + 1))
                first = int(rng.integers(0, BINS - width))
                mel[:, first : first + width] = mean[first : first + width]
            if rng.random() < self.gap:
                width = int(rng.integers(1, self.gap_frames + 1))
                begin = int(rng.integers(0, frames - width))
                mel[begin : begin + width] = mean
        changed: NDArray[np.float32] = (mels @ _TO_CEPSTRA).astype(np.float32)
        return changed


_TO_CEPSTRA = cosine_transform().T.astype(np.float32)
_TO_MELS = np.linalg.inv(cosine_transform().T).astype(np.float32)
