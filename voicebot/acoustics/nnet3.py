"""The acoustic model as Kaldi's text: writes networks as `final.mdl`, reads them back and computes them in numpy.

It knows the part of Kaldi's nnet3 that a TDNN needs; no torch is needed here. The layout of the file is that of
Kaldi's `TransitionModel::Write` and `Nnet::Write` in text mode.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicebot.acoustics.features import BINS, MFCC_CONF, SUBSAMPLING, Features
from voicebot.acoustics.graph import position_phone
from voicebot.errors import VoicebotError
from voicebot.language.phones import PHONES

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

_POSITIONS = ("begin", "internal", "end", "singleton")
_HALF = -0.6931472


class NetworkFileError(VoicebotError):
    """A model file that cannot be read."""


@dataclass(frozen=True, slots=True, eq=False)
class AffineLayer:
    """An affine function of a few frames, then perhaps a ReLU and the layer's own input added."""

    offsets: tuple[int, ...]
    """The frames that it sees, as distances in input frames (10 ms)."""
    weights: Matrix
    """Shape (outputs, offsets times inputs): the frames lie side by side in the order of `offsets`."""
    bias: Vector
    """Shape (outputs,)."""
    relu: bool = True
    residual: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class AcousticModel:
    """What a model file holds: the layers, the last of them followed by a log-softmax, and the priors."""

    layers: tuple[AffineLayer, ...]
    priors: Vector
    """Share of each phone by which the outputs are divided; no entry: they are not divided."""
    softmax: bool = True
    """Whether a log-softmax follows; without it the outputs are taken for log-likelihoods as they are."""

    @property
    def context(self) -> int:
        """Frames that an output sees on each side of its own."""
        return sum(max(layer.offsets) for layer in self.layers)

    def compute(self, features: Features) -> Matrix:
        """The outputs for every third frame, shape (ceil(frames / 3), phones); the outermost frames repeat.

        The plainest way to compute them, to check faster ones.
        """
        return self.compute_every(features)[::SUBSAMPLING].astype(np.float64)

    def compute_every(self, features: Features) -> NDArray[np.floating]:
        """The outputs for every frame, shape (frames, phones), in the precision of the weights."""
        reach = self.context
        hidden: NDArray[np.floating] = np.pad(np.asarray(features), ((reach, reach), (0, 0)), mode="edge")
        for layer in self.layers:
            least, most = min(layer.offsets), max(layer.offsets)
            count = len(hidden) - (most - least)
            spliced = np.concatenate([hidden[o - least : o - least + count] for o in layer.offsets], axis=1)
            new = spliced @ layer.weights.T + layer.bias
            if layer.relu:
                new = np.maximum(new, 0.0)
            if layer.residual:
                new = new + hidden[-least : -least + count]
            hidden = new
        if not self.softmax:
            return hidden
        shifted = hidden - hidden.max(axis=1, keepdims=True)
        scores: NDArray[np.floating] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return scores


def write_model(model: AcousticModel, folder: Path, acoustic_scale: float) -> None:
    """Write `am/final.mdl`, `conf/mfcc.conf` and `conf/model.conf` into `folder`, as Vosk expects them."""
    for name in ("am", "conf"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    part = folder / "am" / "final.mdl.part"
    with part.open("w", encoding="ascii") as file:
        file.writelines(_model_text(model))
    part.replace(folder / "am" / "final.mdl")
    (folder / "conf" / "mfcc.conf").write_text(MFCC_CONF, encoding="ascii")
    (folder / "conf" / "model.conf").write_text(_MODEL_CONF.format(scale=acoustic_scale), encoding="ascii")


_MODEL_CONF = """\
--min-active=200
--max-active=3000
--beam=13.0
--lattice-beam=4.0
--acoustic-scale={scale:g}
--frame-subsampling-factor=3
--endpoint.silence-phones=1:2
--endpoint.rule2.min-trailing-silence=0.8
--endpoint.rule3.min-trailing-silence=1.2
--endpoint.rule4.min-trailing-silence=2.0
--phone-determinize=false
"""


def _position_phones() -> list[int]:
    """For each label of a phone at a position, in order, the output that scores it."""
    outputs: dict[int, int] = {}
    for index, phone in enumerate(PHONES):
        for position in ("nonword",) if index < 2 else _POSITIONS:
            outputs[position_phone(phone.name, position)] = index
    return [outputs[label] for label in sorted(outputs)]


def _model_text(model: AcousticModel) -> Iterator[str]:
    outputs = _position_phones()
    labels = range(1, len(outputs) + 1)
    yield "<TransitionModel> \n<Topology> \n<TopologyEntry> \n<ForPhones> \n"
    yield " ".join(map(str, labels)) + "\n</ForPhones> \n"
    yield "<State> 0 <PdfClass> 0 <Transition> 0 0.5 <Transition> 1 0.5 </State> \n<State> 1 </State> \n"
    yield f"</TopologyEntry> \n</Topology> \n<Triples> {len(outputs)} \n"
    yield from (f"{label} 0 {output} \n" for label, output in zip(labels, outputs, strict=True))
    yield (
        "</Triples> \n<LogProbs> \n [ 0 " + f"{_HALF} " * (2 * len(outputs)) + "]\n</LogProbs> \n</TransitionModel> \n"
    )
    nodes, components = [f"input-node name=input dim={BINS}"], list[str]()
    last = "input"
    for number, layer in enumerate(model.layers):
        frames = ", ".join(last if not offset else f"Offset({last}, {offset})" for offset in layer.offsets)
        affine = f"affine{number}"
        nodes.append(f"component-node name={affine} component={affine} input=Append({frames})")
        components.append(_affine(affine, layer))
        before, last = last, affine
        if layer.relu:
            last = f"relu{number}"
            nodes.append(f"component-node name={last} component={last} input={affine}")
            components.append(_nonlinear(last, "RectifiedLinear", len(layer.bias)))
        if layer.residual:
            total = f"sum{number}"
            nodes.append(f"component-node name={total} component={total} input=Sum({last}, {before})")
            dimension = f"<Dim> {len(layer.bias)} <BackpropScale> 1"
            components.append(f"<ComponentName> {total} <NoOpComponent> {dimension} </NoOpComponent> \n")
            last = total
    if model.softmax:
        nodes.append(f"component-node name=log-softmax component=log-softmax input={last}")
        components.append(_nonlinear("log-softmax", "LogSoftmax", len(model.layers[-1].bias)))
        last = "log-softmax"
    nodes.append(f"output-node name=output input={last} objective=linear")
    yield "<Nnet3> \n" + "\n".join(nodes) + f"\n\n<NumComponents> {len(components)} \n"
    yield from components
    yield f"</Nnet3> \n<LeftContext> {model.context} <RightContext> {model.context} <Priors> {_vector(model.priors)}"


def _affine(name: str, layer: AffineLayer) -> str:
    rows = "\n".join("  " + " ".join(f"{value:.6g}" for value in row) for row in layer.weights)
    linear = f"<LinearParams>  [\n{rows} ]\n<BiasParams> {_vector(layer.bias)}"
    return f"<ComponentName> {name} <FixedAffineComponent> {linear}</FixedAffineComponent> \n"


def _nonlinear(name: str, kind: str, dimension: int) -> str:
    statistics = "<ValueAvg>  [ ]\n<DerivAvg>  [ ]\n<Count> 0 <OderivRms>  [ ]\n<OderivCount> 0 "
    repair = "<NumDimsSelfRepaired> 0 <NumDimsProcessed> 0 <SelfRepairScale> 0 "
    return f"<ComponentName> {name} <{kind}Component> <Dim> {dimension} {statistics}{repair}</{kind}Component> \n"


def _vector(values: Vector) -> str:
    return " [ " + " ".join(f"{value:.6g}" for value in values) + " ]\n"


_NODE = re.compile(r"^component-node name=(\S+) component=\S+ input=(.+)$", re.MULTILINE)
_AFFINE = re.compile(
    r"<ComponentName> (\S+) <FixedAffineComponent> <LinearParams>\s*\[(.*?)\]\s*<BiasParams>\s*\[(.*?)\]", re.DOTALL
)
_PRIORS = re.compile(r"<Priors>\s*\[(.*?)\]", re.DOTALL)


def read_model(path: Path) -> AcousticModel:
    """The model in a file that `write_model` wrote.

    Raises:
        NetworkFileError: it is no such file, or it is cut short.
    """
    try:
        text = path.read_text(encoding="ascii")
        priors = _PRIORS.search(text)
        if priors is None:
            raise ValueError("it has no priors")
        affine = {name: (_rows(weights), _rows(bias)[0]) for name, weights, bias in _AFFINE.findall(text)}
        layers: list[AffineLayer] = []
        softmax = False
        for name, wanted in _NODE.findall(text):
            if name in affine:
                offsets = tuple(int(offset or 0) for offset in _offsets(wanted))
                layers.append(AffineLayer(offsets, *affine[name], relu=False))
            elif name.startswith("relu"):
                layers[-1] = _changed(layers[-1], relu=True)
            elif name.startswith("sum"):
                layers[-1] = _changed(layers[-1], residual=True)
            else:
                softmax = True
    except (OSError, ValueError, IndexError) as error:
        raise NetworkFileError(f"{path} cannot be read as an acoustic model: {error}.") from error
    return AcousticModel(tuple(layers), np.array(priors[1].split(), np.float64), softmax)


def _offsets(splice: str) -> Sequence[str]:
    """The offsets in "Append(Offset(x, -1), x, Offset(x, 1))"; "" for a frame as it is."""
    inside = splice.removeprefix("Append(").removesuffix(")")
    return [offset for offset, _ in re.findall(r"Offset\([^,]+, (-?\d+)\)|()[\w-]+", inside)]


def _changed(layer: AffineLayer, *, relu: bool | None = None, residual: bool = False) -> AffineLayer:
    return AffineLayer(
        layer.offsets, layer.weights, layer.bias, layer.relu if relu is None else relu, layer.residual or residual
    )


def _rows(text: str) -> Matrix:
    return np.array([line.split() for line in text.strip().splitlines()], np.float64)
