"""Random changes of features while a network is trained, drawn anew in each epoch: channels, noise, voices, gaps.

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
    babble: float = 0.3
    """Share to which other chunks of the batch are added, as people who speak behind the caller."""
    voices: tuple[int, int] = (2, 7)
    """Fewest and most of them."""
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
        voices = mels.copy()
        for mel in mels:
            if rng.random() < self.babble:
                chosen = voices[rng.choice(len(voices), int(rng.integers(self.voices[0], self.voices[1] + 1)))]
                levels = rng.uniform(-8.0, 0.0, len(chosen)) * _DB - chosen.max((1, 2))
                self._add(mel, np.logaddexp.reduce(chosen + levels[:, None, None].astype(np.float32)), rng)
            if len(noises) and rng.random() < self.noise:
                self._add(mel, noises[rng.integers(len(noises))][:frames] @ _TO_MELS, rng)
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

    def _add(self, mel: NDArray[np.float32], other: NDArray[np.float32], rng: np.random.Generator) -> None:
        """Add `other` at some distance below `mel`, both shape (frames, `BINS`)."""
        level = mel.max() - other.max() - rng.uniform(*self.ratio_db) * _DB
        np.logaddexp(mel, other + np.float32(level), out=mel)


_TO_CEPSTRA = cosine_transform().T.astype(np.float32)
_TO_MELS = np.linalg.inv(cosine_transform().T).astype(np.float32)
