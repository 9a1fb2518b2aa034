"""The network: a time-delay neural network (TDNN) from cepstra to phones, one output for three frames."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from voicebot.acoustics.features import BINS, SUBSAMPLING, Features
from voicebot.acoustics.outputs import KINDS, OUTPUTS
from voicebot.errors import VoicebotError
from voicebot.language.phones import PHONES


@dataclass(frozen=True, slots=True)
class LayerShape:
    """One convolution over time."""

    kernel: int
    """Frames that it sees; odd."""
    dilation: int = 1
    """Distance of these frames, at the layer's own rate."""
    stride: int = 1
    """Frames of its input to one of its output."""
    residual: bool = False
    """Whether its input is added to what it gives."""
    backward: bool = False
    """Whether it sees only frames before its own, which costs no delay, and not as many on each side."""
    far: bool = False
    """Whether what it sees is what training shows of an utterance: beyond that, its outermost frame repeats."""

    @property
    def ahead(self) -> int:
        """Frames that it sees behind its own, at the rate of its input."""
        return 0 if self.backward else (self.kernel - 1) // 2 * self.dilation

    @property
    def before(self) -> int:
        """Frames that it sees before its own, at the rate of its input."""
        return (self.kernel - 1) * self.dilation - self.ahead


LAYERS = (
    LayerShape(5),
    LayerShape(3, stride=SUBSAMPLING),
    LayerShape(3, residual=True),
    LayerShape(3, residual=True),
    LayerShape(3, dilation=2, residual=True),
    LayerShape(3, dilation=2, residual=True),
    LayerShape(3, residual=True),
    LayerShape(3, dilation=1, residual=True, backward=True, far=True),
    LayerShape(3, dilation=2, residual=True, backward=True, far=True),
    LayerShape(3, dilation=4, residual=True, backward=True, far=True),
    LayerShape(3, dilation=8, residual=True, backward=True, far=True),
    LayerShape(3, dilation=2, residual=True, backward=True, far=True),
)
"""The layers of a network that hears while someone speaks. The far ones tell a voice from what was there before it."""

LAYERS_OF_WHOLES = tuple(replace(layer, backward=False) for layer in LAYERS)
"""Those of a network that is shown whole utterances: the far ones see what comes behind a frame too."""

OUTPUT_RANK = 64
"""Values from which all log-likelihoods of a frame are computed."""


@dataclass(frozen=True, slots=True)
class Context:
    """Frames that an output is computed from besides its own."""

    before: int
    ahead: int


def context(layers: tuple[LayerShape, ...] = LAYERS, *, far: bool = True) -> Context:
    """What a network of these layers sees; without `far`, what it would see without its far layers."""
    before, ahead, rate = 0, 0, 1
    for layer in layers:
        if far or not layer.far:
            before += layer.before * rate
            ahead += layer.ahead * rate
        rate *= layer.stride
    return Context(before, ahead)


class Tdnn(nn.Module):
    """Convolutions, each with batch norm and ReLU behind it; then one affine layer to the phones.

    All convolutions but the first are two: one over time to `rank` values, one from them to `width`. The features are
    normalised inside, by the mean and deviation that were measured before training.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, width: int, rank: int, layers: tuple[LayerShape, ...] = LAYERS, outputs: int = len(PHONES)
    ) -> None:
        super().__init__()
        self.width, self.rank, self.layers = width, rank, layers
        first, *others = layers
        self.convolutions = nn.ModuleList([nn.Conv1d(BINS, width, first.kernel)])
        for layer in others:
            narrow = nn.Conv1d(width, rank, layer.kernel, stride=layer.stride, dilation=layer.dilation, bias=False)
            self.convolutions.append(nn.Sequential(narrow, nn.Conv1d(rank, width, 1)))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width, momentum=0.05) for _ in layers)
        self.output = nn.Conv1d(width, outputs, 1)
        self.likelihood: nn.Sequential | None = None
        """Beside the posteriors of the phones, log-likelihoods of `OUTPUTS` that were trained on sequences: two affine
        layers by way of `OUTPUT_RANK` values."""
        self.register_buffer("mean", torch.zeros(BINS, 1))
        self.register_buffer("deviation", torch.ones(BINS, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Logits of the posteriors, shape (batch, phones, outputs); see `hidden`."""
        logits: Tensor = self.output(self.hidden(features))
        return logits

    def hidden(self, features: Tensor, *, far: bool = True) -> Tensor:
        """What the outputs are computed from, shape (batch, width, outputs).

        Args:
            features: shape (batch, `BINS`, frames); an output needs those of `context()` too.
            far: whether `features` hold what the far layers see; otherwise each of them takes what lies before its
                first frame or behind its last one to be like it, as at the beginning of a call.
        """
        hidden = (features - self.mean) / self.deviation
        for layer, convolution, norm in zip(self.layers, self.convolutions, self.norms, strict=True):
            if layer.far and not far:
                hidden = functional.pad(hidden, (layer.before, layer.ahead), mode="replicate")
            new = torch.relu(norm(convolution(hidden)))
            if layer.residual:
                new = new + hidden[:, :, layer.before : hidden.shape[2] - layer.ahead]
            hidden = new
        return hidden

    def add_likelihoods(self, priors: NDArray[np.float64]) -> None:
        """Give the network its log-likelihoods, which begin as the phones' posteriors divided by `priors`."""
        narrow = nn.Conv1d(self.width, OUTPUT_RANK, 1, bias=False)
        wide = nn.Conv1d(OUTPUT_RANK, OUTPUTS, 1)
        with torch.no_grad():
            assert self.output.bias is not None and wide.bias is not None
            left, sizes, right = torch.linalg.svd(self.output.weight[:, :, 0], full_matrices=False)
            halves = sizes.sqrt()
            narrow.weight[: len(sizes), :, 0] = halves[:, None] * right
            wide.weight.zero_()
            wide.weight[:, : len(sizes), 0] = (left * halves).repeat(1 + KINDS, 1)
            wide.bias.copy_((self.output.bias - torch.from_numpy(np.log(priors)).float()).repeat(1 + KINDS))
        self.likelihood = nn.Sequential(narrow, wide)

    def set_normalisation(self, features: Features) -> None:
        """Measure mean and deviation of each cepstrum on `features`."""
        self.mean.copy_(torch.from_numpy(features.mean(axis=0)).unsqueeze(1))
        self.deviation.copy_(torch.from_numpy(features.std(axis=0)).unsqueeze(1))


def padded(features: Features, begin: int, count: int, reach: Context) -> Features:
    """`count` frames from `begin` on and those around them; beyond the ends the outermost frame repeats."""
    places = np.clip(np.arange(begin - reach.before, begin + count + reach.ahead), 0, len(features) - 1)
    return features[places].astype(np.float32)


@torch.no_grad()
def scores(network: Tdnn, features: Features) -> NDArray[np.float32]:
    """The network's scores for each frame (not for each third).

    Log-likelihoods of the outputs where it has learnt them from sequences, shape (frames, `OUTPUTS`), otherwise
    logarithms of the phones' probabilities, shape (frames, phones).
    """
    network.eval()
    reach = context(network.layers)
    count = -(-len(features) // SUBSAMPLING)
    shifted = [padded(features, shift, SUBSAMPLING * (count - 1) + 1, reach).T for shift in range(SUBSAMPLING)]
    hidden = network.hidden(torch.from_numpy(np.stack(shifted)))
    if network.likelihood is not None:
        found = network.likelihood(hidden)
    else:
        found = torch.log_softmax(network.output(hidden), 1)
    every: NDArray[np.float32] = found.permute(2, 0, 1).reshape(count * SUBSAMPLING, -1)[: len(features)].numpy()
    return every


@dataclass(frozen=True, slots=True)
class Trained:
    """A network with what is known from its training."""

    network: Tdnn
    priors: NDArray[np.float64]
    """Share of each phone among the training's frames, shape (phones,)."""

    def save(self, path: Path) -> None:
        """Write it to `path`, which appears only when it is complete."""
        part = path.with_name(path.name + ".part")
        layers = [asdict(layer) for layer in self.network.layers]
        shape = {"width": self.network.width, "rank": self.network.rank, "layers": layers}
        torch.save(shape | {"state": self.network.state_dict(), "priors": self.priors}, part)
        part.replace(path)

    @staticmethod
    def load(path: Path) -> Trained:
        """Read what `save` wrote.

        Raises:
            VoicebotError: it is of a network of another shape.
        """
        saved: dict[str, Any] = torch.load(path, weights_only=False)
        if "layers" not in saved or len(saved["priors"]) != len(PHONES):
            raise VoicebotError(f"{path} is of a network of another shape: delete it first.")
        layers = tuple(LayerShape(**layer) for layer in saved["layers"])
        network = Tdnn(saved["width"], saved["rank"], layers)
        if "likelihood.0.weight" in saved["state"]:
            network.add_likelihoods(saved["priors"])
        network.load_state_dict(saved["state"])
        network.eval()
        return Trained(network, saved["priors"])
