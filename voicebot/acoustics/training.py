"""Training a network on examples: first by the cross-entropy of each frame, then by whole sequences (LF-MMI).

Examples and the network are made elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from voicebot.acoustics.examples import Example
from voicebot.acoustics.features import BINS, SUBSAMPLING
from voicebot.acoustics.mmi import IMPOSSIBLE, Denominator, numerators
from voicebot.acoustics.network import Tdnn, Trained, context, padded
from voicebot.acoustics.perturbation import Perturbation
from voicebot.errors import VoicebotError
from voicebot.language.phones import PHONE_INDEX, PHONES, SILENCE


class CheckpointError(VoicebotError):
    """A checkpoint from which a training cannot go on."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a network is trained."""

    epochs: int
    sequences: bool = False
    """Whether whole sequences count (LF-MMI), with the cross-entropy beside them; otherwise the cross-entropy alone."""
    peak_rate: float = 3e-3
    """Highest learning rate of the one cycle."""
    batch: int = 32
    """Chunks in a batch."""
    chunk: int = 150
    """Frames in a chunk, a multiple of `SUBSAMPLING`."""
    weight_decay: float = 1e-3
    perturbation: Perturbation = field(default_factory=Perturbation)
    """How features are changed at random."""
    prior_floor: float = 2e-4
    """Least share of a phone in the priors: one that was hardly seen would win everywhere."""
    tolerance: int = 2
    """Outputs by which a phone may begin earlier or end later than its alignment says, where sequences count."""
    entropy_share: float = 0.2
    """Weight of the cross-entropy where sequences count."""
    output_decay: float = 5e-4
    """Weight of the outputs' mean square where sequences count (Povey et al., 2016, call it l2 regularisation)."""


_HAS_BFLOAT16 = any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_tile"))
"""Whether the processor computes with bfloat16; where it does not, that takes more than twice as long as float32."""

Report = Callable[[int, int, float, float], None]
"""Told after each batch: batches done, batches in all, objective to be minimised, share of frames that are right."""


def train(
    network: Tdnn,
    examples: Sequence[Example],
    schedule: Schedule,
    seed: int,
    report: Report | None = None,
    checkpoint: Path | None = None,
) -> Trained:
    """Train `network` in place, from whatever weights it has, or go on where an interrupted training was.

    Args:
        network: its normalisation must be set; for sequences it must have been trained by frames before.
        examples: not empty.
        schedule: how.
        seed: of the order and the perturbations.
        report: where progress goes.
        checkpoint: a file that is written behind each epoch; where it exists, training goes on behind its epoch.

    Raises:
        CheckpointError: the checkpoint is of another training.
    """
    torch.manual_seed(seed)
    priors = phone_shares(examples, schedule.prior_floor)
    if schedule.sequences and network.likelihood is None:
        network.add_likelihoods(priors)
    denominator = Denominator.of(examples) if schedule.sequences else None
    chunks = Chunks(network, examples, schedule, seed)
    steps = chunks.batches * schedule.epochs
    optimiser = torch.optim.AdamW(network.parameters(), schedule.peak_rate, weight_decay=schedule.weight_decay)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, schedule.peak_rate, steps + 1, pct_start=0.15)
    plan = f"{schedule}, {steps} steps"
    parts = {"network": network, "optimiser": optimiser, "cycle": cycle}
    network.train()
    done = _restore(checkpoint, plan, **parts) if checkpoint and checkpoint.exists() else 0
    for epoch in range(done, schedule.epochs):
        for step, (features, labels) in enumerate(chunks.epoch(epoch), start=epoch * chunks.batches + 1):
            wanted = torch.from_numpy(labels[:, ::SUBSAMPLING].astype(np.int64))
            with torch.autocast("cpu", torch.bfloat16, enabled=_HAS_BFLOAT16):
                hidden = network.hidden(features, far=False)
            logits = network.output(hidden.float())
            loss = functional.cross_entropy(logits, wanted)
            if denominator is not None:
                assert network.likelihood is not None
                scores = network.likelihood(hidden.float()).transpose(1, 2)
                right = numerators(scores, labels, denominator, schedule.tolerance)
                possible = right.detach() > IMPOSSIBLE
                difference = (denominator(scores) - right)[possible]
                loss = difference.mean() / scores.shape[1] + schedule.entropy_share * loss
                loss = loss + schedule.output_decay * scores.square().mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            cycle.step()
            if report:
                report(step, steps, loss.item(), (logits.argmax(1) == wanted).float().mean().item())
        if checkpoint:
            _save(checkpoint, plan, epoch + 1, **parts)
    network.eval()
    return Trained(network, priors)


class Chunks:
    """Batches of chunks of equal length, in an order of its own and slightly moved in each epoch."""

    def __init__(self, network: Tdnn, examples: Sequence[Example], schedule: Schedule, seed: int) -> None:
        self._network, self._examples, self._schedule = network, examples, schedule
        self._seed = seed
        size, reach = schedule.chunk, context(network.layers, far=False)
        quiet = [e.features for e in examples if not np.any(e.labels != PHONE_INDEX[SILENCE])]
        noises = [
            padded(features, reach.before, size, reach)
            for features in quiet
            if len(features) >= size + reach.before + reach.ahead
        ]
        self._reach = reach
        self._noises = np.stack(noises) if noises else np.zeros((0, size, BINS), np.float32)
        self._chunks = [
            (number, begin)
            for number, example in enumerate(examples)
            for begin in range(0, max(1, len(example.labels) - size // 2), size)
        ]
        self.batches = max(1, len(self._chunks) // schedule.batch)
        """Batches in an epoch."""

    def epoch(self, number: int) -> Iterator[tuple[Tensor, NDArray[np.int8]]]:
        """Features, shape (batch, cepstra, frames with context), and labels, shape (batch, frames)."""
        reach, size, batch = self._reach, self._schedule.chunk, self._schedule.batch
        rng = np.random.default_rng([self._seed, number])
        chunks = [self._chunks[place] for place in rng.permutation(len(self._chunks))]
        for first in range(0, self.batches * batch, batch):
            inputs, labels = [], []
            for place, begin in chunks[first : first + batch]:
                example = self._examples[place]
                begin = max(0, begin + int(rng.integers(-size // 6, size // 6)))
                inputs.append(padded(example.features, begin, size - SUBSAMPLING + 1, reach))
                places = np.clip(np.arange(begin, begin + size), 0, len(example.labels) - 1)
                labels.append(example.labels[places])
            changed = self._schedule.perturbation(np.stack(inputs), self._noises, rng).transpose(0, 2, 1)
            yield torch.from_numpy(np.ascontiguousarray(changed)), np.stack(labels)


def _save(path: Path, plan: str, epochs: int, **parts: Any) -> None:
    """Write how far the training by `plan` has come: epochs that are done, and the states of its parts."""
    part = path.with_name(path.name + ".part")
    torch.save({"plan": plan, "epochs": epochs} | {name: own.state_dict() for name, own in parts.items()}, part)
    part.replace(path)


def _restore(path: Path, plan: str, **parts: Any) -> int:
    """Put the parts of a training where `_save` found them; returns how many epochs are done."""
    saved = torch.load(path, weights_only=False)
    if saved.get("plan") != plan:
        raise CheckpointError(f"{path} is of a training by another schedule or with other examples: delete it first.")
    for name, own in parts.items():
        own.load_state_dict(saved[name])
    return int(saved["epochs"])


def phone_shares(examples: Sequence[Example], floor: float) -> NDArray[np.float64]:
    """The share of each phone among all frames, at least `floor`, with a sum of one."""
    counts = sum(np.bincount(example.labels, minlength=len(PHONES)) for example in examples)
    shares = np.maximum(counts / np.sum(counts), floor)
    normalised: NDArray[np.float64] = shares / shares.sum()
    return normalised
