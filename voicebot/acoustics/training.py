"""Training a network on examples by the cross-entropy of each frame; examples and the network are made elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from voicebot.acoustics.examples import Example
from voicebot.acoustics.features import SUBSAMPLING
from voicebot.acoustics.network import Tdnn, Trained, context, padded
from voicebot.language.phones import PHONES


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a network is trained."""

    epochs: int
    peak_rate: float = 3e-3
    """Highest learning rate of the one cycle."""
    batch: int = 32
    """Chunks in a batch."""
    chunk: int = 150
    """Frames in a chunk, a multiple of `SUBSAMPLING`."""
    weight_decay: float = 1e-3
    masked: float = 0.3
    """Share of the chunks in which a few frames are blanked."""
    prior_floor: float = 2e-4
    """Least share of a phone in the priors: one that was hardly seen would win everywhere."""


Report = Callable[[int, int, float, float], None]
"""Told after each batch: batches done, batches in all, cross-entropy, share of frames that are right."""


def train(
    network: Tdnn, examples: Sequence[Example], schedule: Schedule, seed: int, report: Report | None = None
) -> Trained:
    """Train `network` in place, from whatever weights it has.

    Args:
        network: its normalisation must be set.
        examples: not empty.
        schedule: how.
        seed: of the order and the masks.
        report: where progress goes.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    reach, size = context(network.layers), schedule.chunk
    chunks = [
        (number, begin)
        for number, example in enumerate(examples)
        for begin in range(0, max(1, len(example.labels) - size // 2), size)
    ]
    batches = max(1, len(chunks) // schedule.batch)
    steps = batches * schedule.epochs
    optimiser = torch.optim.AdamW(network.parameters(), schedule.peak_rate, weight_decay=schedule.weight_decay)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, schedule.peak_rate, steps + 1, pct_start=0.15)
    network.train()
    for step in range(steps):
        if step % batches == 0:
            rng.shuffle(chunks)
        first = step % batches * schedule.batch
        inputs, targets = [], []
        for number, begin in chunks[first : first + schedule.batch]:
            example = examples[int(number)]
            begin = max(0, int(begin) + int(rng.integers(-size // 6, size // 6)))
            inputs.append(padded(example.features, begin, size - SUBSAMPLING + 1, reach))
            places = np.clip(np.arange(begin, begin + size, SUBSAMPLING), 0, len(example.labels) - 1)
            targets.append(example.labels[places])
        batch = np.stack(inputs).transpose(0, 2, 1)
        _mask(batch, network, schedule.masked, rng)
        wanted = torch.from_numpy(np.stack(targets).astype(np.int64))
        logits = network(torch.from_numpy(np.ascontiguousarray(batch)))
        loss = functional.cross_entropy(logits, wanted)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        cycle.step()
        if report:
            right = (logits.argmax(1) == wanted).float().mean().item()
            report(step + 1, steps, loss.item(), right)
    network.eval()
    return Trained(network, phone_shares(examples, schedule.prior_floor))


def _mask(batch: NDArray[np.float32], network: Tdnn, share: float, rng: np.random.Generator) -> None:
    """Set up to 70 ms of some chunks to the mean, in place."""
    mean = network.mean.numpy()
    for chunk in batch:
        if rng.random() < share:
            width = int(rng.integers(1, 8))
            begin = int(rng.integers(0, chunk.shape[1] - width))
            chunk[:, begin : begin + width] = mean


def phone_shares(examples: Sequence[Example], floor: float) -> NDArray[np.float64]:
    """The share of each phone among all frames, at least `floor`, with a sum of one."""
    counts = sum(np.bincount(example.labels, minlength=len(PHONES)) for example in examples)
    shares = np.maximum(counts / np.sum(counts), floor)
    normalised: NDArray[np.float64] = shares / shares.sum()
    return normalised
