"""Lattice-free maximum mutual information: how much likelier the right phones are than all sequences together.

After Povey et al., "Purely sequence-trained neural networks for ASR based on lattice-free MMI" (2016), with the phones
of this project: one state a phone, kept or left with probability 1/2, and a bigram of phones as the language model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from voicebot.acoustics.examples import Example
from voicebot.acoustics.features import SUBSAMPLING
from voicebot.acoustics.outputs import KIND_OF_PHONE, KINDS
from voicebot.language.phones import PHONES

_STAY = _LEAVE = 0.5
_NEVER = -1e30
IMPOSSIBLE = -1e20
"""A logarithm of a likelihood below this one stands for none."""


@dataclass(frozen=True, slots=True, eq=False)
class Denominator:
    """All sequences of phones, weighted by a bigram."""

    first: Tensor
    """Probability of each phone in a frame about which nothing is known, shape (phones,)."""
    follows: Tensor
    """Probability of each phone behind each other one, rows before columns, shape (phones, phones)."""

    def by_kinds(self) -> Tensor:
        """The same, parted by the kind of what is before: shape (phones, kinds of the left one times phones)."""
        kinds = functional.one_hot(torch.from_numpy(KIND_OF_PHONE), KINDS).float()
        return (kinds.unsqueeze(2) * self.follows.unsqueeze(1)).flatten(1)

    @staticmethod
    def of(examples: Sequence[Example], smoothing: float = 1.0) -> Denominator:
        """The bigram of the labels of `examples`, with `smoothing` added to each count."""
        size = len(PHONES)
        pairs, frames = np.full((size, size), smoothing), np.ones(size)
        for example in examples:
            phones = example.labels[runs(example.labels)]
            np.add.at(pairs, (phones[:-1], phones[1:]), 1.0)
            frames += np.bincount(example.labels, minlength=size)
        follows = torch.tensor(pairs / pairs.sum(1, keepdims=True), dtype=torch.float32)
        return Denominator(torch.tensor(frames / frames.sum(), dtype=torch.float32), follows)

    def __call__(self, scores: Tensor) -> Tensor:
        """The logarithm of the summed likelihood of all sequences, shape (batch,).

        Args:
            scores: log-likelihoods up to a constant for each frame, shape (batch, frames, `OUTPUTS`).
        """
        size, phones = len(scores), len(self.first)
        step = _LEAVE * self.by_kinds()
        highest = scores.detach().amax(2)
        emitted = (scores - highest.unsqueeze(2)).exp()
        staying, entering = emitted[:, :, :phones], emitted[:, :, phones:]
        forward = self.first * staying[:, 0]
        total = highest.sum(1)
        for frame in range(1, scores.shape[1]):
            sums = forward.sum(1, keepdim=True)
            total = total + sums.squeeze(1).log()
            forward = forward / sums
            entered = (forward @ step * entering[:, frame]).view(size, KINDS, phones).sum(1)
            forward = _STAY * forward * staying[:, frame] + entered
        return total + forward.sum(1).log()


def runs(labels: NDArray[np.integer]) -> NDArray[np.intp]:
    """Where each run of equal labels begins."""
    return np.concatenate([[0], np.flatnonzero(np.diff(labels)) + 1])


def numerators(scores: Tensor, labels: NDArray[np.integer], denominator: Denominator, tolerance: int) -> Tensor:
    """The logarithm of the likelihood of the phones in `labels`, each near its place, shape (batch,).

    It is below `IMPOSSIBLE` where there are too many phones for their places.

    Args:
        scores: as for `Denominator`, shape (batch, frames, `OUTPUTS`).
        labels: the phone of each input frame, shape (batch, `SUBSAMPLING` times outputs).
        denominator: whose bigram weighs the sequences.
        tolerance: outputs by which a phone may begin before and end behind its labels.
    """
    size, outputs, _ = scores.shape
    begins = [runs(row) for row in labels]
    most = max(map(len, begins))
    phones = np.zeros((size, most), np.int64)
    allowed = np.zeros((size, outputs, most), bool)
    frames = np.arange(outputs)[:, None]
    for row, starts in enumerate(begins):
        ends = np.append(starts[1:], labels.shape[1])
        phones[row, : len(starts)] = labels[row, starts]
        low, high = starts // SUBSAMPLING - tolerance, (ends - 1) // SUBSAMPLING + tolerance
        allowed[row, :, : len(starts)] = (frames >= low) & (frames <= high)
    states = torch.from_numpy(phones)
    kinds = torch.from_numpy(KIND_OF_PHONE)[states]
    entries = states[:, 1:] + len(denominator.first) * (1 + kinds[:, :-1])
    never = ~torch.from_numpy(allowed)
    staying = scores.gather(2, states.unsqueeze(1).expand(-1, outputs, -1)).masked_fill(never, _NEVER)
    entering = scores.gather(2, entries.unsqueeze(1).expand(-1, outputs, -1)).masked_fill(never[:, :, 1:], _NEVER)
    weights = denominator.follows[states[:, :-1], states[:, 1:]].log() + math.log(_LEAVE)
    forward = torch.full((size, most), _NEVER)
    forward[:, 0] = denominator.first[states[:, 0]].log()
    forward = forward + staying[:, 0]
    wall = torch.full((size, 1), _NEVER)
    for frame in range(1, outputs):
        entered = torch.cat([wall, forward[:, :-1] + weights + entering[:, frame]], 1)
        forward = torch.logaddexp(forward + math.log(_STAY) + staying[:, frame], entered)
    last = torch.tensor([len(starts) - 1 for starts in begins])
    return forward.gather(1, last.unsqueeze(1)).squeeze(1)
