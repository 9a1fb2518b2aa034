"""From PyTorch to a model file and back: folds normalisation and batch norm into affine layers, checks the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from voicebot.acoustics.compact import CompactModel
from voicebot.acoustics.features import SUBSAMPLING, Features
from voicebot.acoustics.network import Tdnn, Trained, scores
from voicebot.acoustics.nnet3 import AcousticModel, AffineLayer, narrowed, read_model, write_model
from voicebot.errors import VoicebotError
from voicebot.language.phones import PHONES

TOLERANCE = 2e-3
"""Largest difference between a score of PyTorch and one computed from the file (single precision, six
digits)."""


class ExportError(VoicebotError):
    """A model file that does not compute what the network computes."""


def folded_layers(network: Tdnn) -> tuple[AffineLayer, ...]:
    """A network that was trained on sequences as plain affine layers that take the features as they are."""
    layers = []
    rate = 1
    mean = network.mean.double().numpy().reshape(-1)
    deviation = network.deviation.double().numpy().reshape(-1)
    for number, shape in enumerate(network.layers):
        convolution, norm = network.convolutions[number], network.norms[number]
        gain = _numbers(norm.weight) / np.sqrt(_numbers(norm.running_var) + norm.eps)
        expansion = None
        if isinstance(convolution, nn.Conv1d):
            weights = _numbers(convolution.weight) / deviation[None, :, None]
            bias = _numbers(convolution.bias) - np.einsum("oik,i->o", weights, mean)
            weights = weights * gain[:, None, None]
        else:
            narrow, wide = convolution
            weights, bias = _numbers(narrow.weight), _numbers(wide.bias)
            expansion = _numbers(wide.weight)[:, :, 0] * gain[:, None]
        bias = (bias - _numbers(norm.running_mean)) * gain + _numbers(norm.bias)
        taps = [(place * shape.dilation - shape.before) * rate for place in range(shape.kernel)]
        spliced = np.concatenate([weights[:, :, place] for place in range(shape.kernel)], axis=1)
        layers.append(AffineLayer(tuple(taps), spliced, bias, residual=shape.residual, expansion=expansion))
        rate *= shape.stride
    assert network.likelihood is not None
    narrow, wide = (_numbers(part.weight)[:, :, 0] for part in network.likelihood)
    layers.append(AffineLayer((0,), narrow, _numbers(network.likelihood[1].bias), relu=False, expansion=wide))
    return tuple(layers)


def unfolded(model: AcousticModel, inputs: torch.Tensor) -> Tdnn:
    """A network that computes what a model file does, to be trained further.

    Each batch norm gets mean and deviation of what its layer gives for `inputs`, so that it changes nothing at first.

    Args:
        model: with layers such as `Tdnn` has them, its outputs log-likelihoods that were trained on sequences.
        inputs: features such as training will show, shape (batch, `BINS`, frames).

    Raises:
        ExportError: the file holds another kind of network.
    """
    first, *factored, last = model.layers
    ranks = {len(layer.weights) for layer in factored if layer.expansion is not None}
    network = Tdnn(len(first.bias), max(ranks, default=1))
    network.add_likelihoods(np.ones(len(PHONES)))
    offsets = [layer.offsets for layer in model.layers]
    if offsets != [layer.offsets for layer in folded_layers(network)] or len(ranks) != 1:
        raise ExportError("Only a model of the same layers can be trained further.")
    features = inputs.permute(0, 2, 1).reshape(-1, inputs.shape[1]).numpy()
    network.set_normalisation(features)
    with torch.no_grad():
        weights = _taps(first)
        mean = torch.einsum("oik,i->o", weights, network.mean[:, 0].double())
        network.convolutions[0].weight.copy_(weights * network.deviation.double())
        network.convolutions[0].bias.copy_(torch.from_numpy(first.bias) + mean)
        for (narrow, wide), layer in zip(network.convolutions[1:], factored, strict=True):
            assert layer.expansion is not None
            narrow.weight.copy_(_taps(layer))
            wide.weight.copy_(torch.from_numpy(layer.expansion).unsqueeze(2))
            wide.bias.copy_(torch.from_numpy(layer.bias))
        pairs = zip(network.convolutions, network.norms, strict=True)
        hooks = [convolution.register_forward_hook(partial(_neutralise, norm)) for convolution, norm in pairs]
        network.eval().hidden(inputs, far=False)
        for hook in hooks:
            hook.remove()
        assert last.expansion is not None and network.likelihood is not None
        narrow, wide = network.likelihood
        narrow.weight.copy_(torch.from_numpy(last.weights).unsqueeze(2))
        wide.weight.copy_(torch.from_numpy(last.expansion).unsqueeze(2))
        wide.bias.copy_(torch.from_numpy(last.bias))
        network.output.weight.copy_(torch.from_numpy(last.whole[: len(PHONES)]).unsqueeze(2))
        network.output.bias.copy_(torch.from_numpy(last.bias[: len(PHONES)]))
    return network


def _taps(layer: AffineLayer) -> torch.Tensor:
    """The weights of a layer as those of a convolution, shape (outputs, inputs, offsets)."""
    return torch.from_numpy(layer.weights).reshape(len(layer.weights), len(layer.offsets), -1).permute(0, 2, 1)


def _neutralise(norm: nn.BatchNorm1d, convolution: nn.Module, inputs: object, outputs: torch.Tensor) -> None:
    """Have `norm` expect just these `outputs` of the convolution before it, and give them on as they are."""
    mean, variance = outputs.mean((0, 2)), outputs.var((0, 2))
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_(torch.sqrt(variance + norm.eps))
    norm.bias.copy_(mean)


def _numbers(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def export(trained: Trained, folder: Path, probe: Features) -> float:
    """Write the model into `folder` and check it number for number.

    Args:
        trained: the network, trained on sequences.
        folder: gets `am/` and `conf/`.
        probe: features on which file and network are compared.

    Returns:
        The largest difference of a score.

    Raises:
        ExportError: it is larger than `TOLERANCE`.
    """
    layers = folded_layers(trained.network)
    write_model(AcousticModel(layers), folder)
    written = read_model(folder / "am" / "final.mdl").compute(probe)
    difference = float(np.abs(written - scores(trained.network, probe)[::SUBSAMPLING]).max())
    if not difference <= TOLERANCE:
        raise ExportError(f"{folder} differs from its network by {difference:g}: do not use it.")
    return difference


def export_compact(trained: Trained, path: Path, kept: int, inputs: Sequence[Features]) -> float:
    """Write a network, trained on sequences, narrowed and with eight bits a weight to `path`.

    Args:
        trained: the network.
        path: the file.
        kept: values between the halves of a layer, see `nnet3.narrowed`.
        inputs: features such as it will hear, a few minutes of them.

    Returns:
        The largest difference of a score for the first of `inputs` from the network's.
    """
    CompactModel.of(narrowed(AcousticModel(folded_layers(trained.network)), kept, inputs)).write(path)
    found = CompactModel.read(path).compute(inputs[0])
    return float(np.abs(found - scores(trained.network, inputs[0])[::SUBSAMPLING]).max())
