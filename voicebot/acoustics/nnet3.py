"""The acoustic model as Kaldi's file: writes networks as `final.mdl`, reads them back and computes them in numpy.

It knows the part of Kaldi's nnet3 that a TDNN needs; no torch is needed here. The layout of the file is that of
Kaldi's `TransitionModel::Write`, `Nnet::Write` and `AmNnetSimple::Write` in binary mode, little-endian.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from voicebot.acoustics.features import BINS, MFCC_CONF, SUBSAMPLING, Features
from voicebot.acoustics.graph import LABELS, labelled_phone
from voicebot.acoustics.outputs import KINDS, OUTPUTS, entering, staying
from voicebot.errors import VoicebotError

Matrix = NDArray[np.floating]
Vector = NDArray[np.floating]

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
    expansion: Matrix | None = None
    """Shape (outputs, rank) where `weights`, then of shape (rank, …), give fewer values than the layer: two small
    matrices instead of a large one (Povey et al., "Semi-orthogonal low-rank matrix factorization", 2018)."""

    @property
    def whole(self) -> Matrix:
        """The weights as one matrix, shape (outputs, offsets times inputs)."""
        return self.weights if self.expansion is None else self.expansion @ self.weights

    def of_precision(self, kind: str) -> AffineLayer:
        """The layer with numbers of another type, "f" say."""
        expansion = None if self.expansion is None else self.expansion.astype(kind)
        return replace(self, weights=self.weights.astype(kind), bias=self.bias.astype(kind), expansion=expansion)

    def spliced(self, hidden: NDArray[np.floating], rate: int = 1, stride: int = 1) -> NDArray[np.floating]:
        """What it sees of its input of shape (frames, inputs): shape (fewer frames, offsets times inputs).

        Args:
            hidden: its input.
            rate: input frames of the network (10 ms) to one of `hidden`.
            stride: frames of `hidden` from one of those that are wanted to the next.
        """
        places = [(offset - min(self.offsets)) // rate for offset in self.offsets]
        count = len(hidden) - max(places)
        return np.concatenate([hidden[place : place + count : stride] for place in places], axis=1)

    def compute(self, hidden: NDArray[np.floating], rate: int = 1, stride: int = 1) -> NDArray[np.floating]:
        """What it gives for its input of shape (frames, inputs): shape (fewer frames, outputs); see `spliced`."""
        new = self.spliced(hidden, rate, stride) @ self.weights.T
        if self.expansion is not None:
            new = new @ self.expansion.T
        new = new + self.bias
        if self.relu:
            new = np.maximum(new, 0.0)
        if self.residual:
            before = -min(self.offsets) // rate
            new = new + hidden[before : before + stride * len(new) : stride]
        return new


class Layer(Protocol):
    """A layer as a model computes it, in whatever form its weights are kept."""

    @property
    def offsets(self) -> tuple[int, ...]:
        """See `AffineLayer`."""

    def compute(self, hidden: NDArray[np.floating], rate: int = 1, stride: int = 1) -> NDArray[np.floating]:
        """See `AffineLayer`."""


@dataclass(frozen=True, slots=True, eq=False)
class AcousticModel:
    """What a model file holds: layers of which the last gives log-likelihoods, up to a constant of each frame."""

    layers: tuple[AffineLayer, ...]

    @property
    def before(self) -> int:
        """Frames that an output sees before its own."""
        return _before(self.layers)

    @property
    def ahead(self) -> int:
        """Frames that an output sees behind its own."""
        return _ahead(self.layers)

    def compute(self, features: Features) -> NDArray[np.floating]:
        """See `outputs_of`."""
        return outputs_of(self.layers, features)

    def compute_every(self, features: Features) -> NDArray[np.floating]:
        """The outputs for every frame, shape (frames, `OUTPUTS`), in the precision of the weights."""
        hidden = padded(self.layers, features)
        for layer in self.layers:
            hidden = layer.compute(hidden)
        return hidden


def outputs_of(layers: Sequence[Layer], features: Features) -> NDArray[np.floating]:
    """What layers give for every third frame, shape (ceil(frames / 3), outputs); the outermost frames repeat.

    Of a layer behind which all see every third frame only, no other frames are computed.
    """
    hidden, rate = padded(layers, features), 1
    for number, layer in enumerate(layers):
        following = [offset for other in layers[number + 1 :] for offset in other.offsets]
        stride = SUBSAMPLING if rate == 1 and not any(offset % SUBSAMPLING for offset in following) else 1
        hidden = layer.compute(hidden, rate, stride)
        rate *= stride
    return hidden


def padded(layers: Sequence[Layer], features: Features) -> NDArray[np.floating]:
    """The input of the first layer, for outputs at all frames of `features`; the outermost frames repeat."""
    return np.pad(np.asarray(features), ((_before(layers), _ahead(layers)), (0, 0)), mode="edge")


def _before(layers: Sequence[Layer]) -> int:
    return -sum(min(layer.offsets) for layer in layers)


def _ahead(layers: Sequence[Layer]) -> int:
    return sum(max(layer.offsets) for layer in layers)


def mixed(first: AcousticModel, second: AcousticModel, share: float, inputs: Sequence[Features]) -> AcousticModel:
    """`second` with its weights mixed with those of `first`: `share` of its own, the rest of the other.

    A network and what further training made of it lie in one valley: between them the old is not forgotten for the new
    (Wortsman et al., "Robust fine-tuning of zero-shot models", 2022). That holds for the weights of whole layers; the
    halves of a layer turn away from each other in training. So layers are mixed whole and then parted again, see
    `factored`; for `inputs` see there.

    Raises:
        NetworkFileError: the models do not have the same layers.
    """
    if [(x.offsets, x.whole.shape) for x in first.layers] != [(x.offsets, x.whole.shape) for x in second.layers]:
        raise NetworkFileError("Only a model can be mixed that was trained further from the other one.")
    ranks, layers = [], []
    for old, new in zip(first.layers, second.layers, strict=True):
        ranks.append(None if new.expansion is None else len(new.weights))
        weights = (1 - share) * old.whole + share * new.whole
        layers.append(replace(new, weights=weights, bias=(1 - share) * old.bias + share * new.bias, expansion=None))
    return factored(replace(second, layers=tuple(layers)), ranks, inputs)


_RIDGE = 1e-4
"""Share of the mean power of a layer's inputs that each direction of them has at least."""


def factored(model: AcousticModel, ranks: Sequence[int | None], inputs: Sequence[Features]) -> AcousticModel:
    """A model of whole layers with each of them as two matrices, those that change what it gives for `inputs` least.

    That is the singular value decomposition of weights times the root of the inputs' covariance (Eckart and Young,
    1936). Layers before it are those that were parted already.

    Args:
        model: its layers have no expansion.
        ranks: for each layer the values between its halves, None for a layer that stays whole.
        inputs: features such as it will hear, a few minutes of them.
    """
    hidden = [padded(model.layers, features).astype(np.float32) for features in inputs]
    layers = []
    for layer, rank in zip(model.layers, ranks, strict=True):
        if rank is not None:
            seen = np.concatenate([layer.spliced(one)[::SUBSAMPLING] for one in hidden])
            power, directions = np.linalg.eigh((seen.T @ seen / len(seen)).astype(np.float64))
            power = np.maximum(power, _RIDGE * power.mean())
            left, sizes, right = np.linalg.svd(layer.weights @ directions * np.sqrt(power), full_matrices=False)
            halves = np.sqrt(sizes[:rank])
            narrow = (halves[:, None] * right[:rank] / np.sqrt(power)) @ directions.T
            wide = left[:, :rank] * halves
            balance = np.sqrt(wide.std() / narrow.std())
            layer = replace(layer, weights=narrow * balance, expansion=wide / balance)
        single = layer.of_precision("f")
        hidden = [single.compute(one) for one in hidden]
        layers.append(layer)
    return replace(model, layers=tuple(layers))


def narrowed(model: AcousticModel, values: int, inputs: Sequence[Features]) -> AcousticModel:
    """`model` with the best `values` at most between the halves of each layer but the last; see `factored`."""
    *parted, last = model.layers
    ranks = [None if layer.expansion is None else min(values, len(layer.weights)) for layer in parted]
    layers = [replace(layer, weights=layer.whole, expansion=None) for layer in parted]
    return factored(replace(model, layers=(*layers, last)), [*ranks, None], inputs)


def write_model(model: AcousticModel, folder: Path) -> None:
    """Write `am/final.mdl`, `conf/mfcc.conf` and `conf/model.conf` into `folder`, as Vosk expects them."""
    for name in ("am", "conf"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    part = folder / "am" / "final.mdl.part"
    with part.open("wb") as file:
        file.writelines(_model_bytes(model))
    part.replace(folder / "am" / "final.mdl")
    (folder / "conf" / "mfcc.conf").write_text(MFCC_CONF, encoding="ascii")
    (folder / "conf" / "model.conf").write_text(_MODEL_CONF, encoding="ascii")


_MODEL_CONF = """\
--min-active=50
--max-active=1000
--beam=16.5
--lattice-beam=4.0
--acoustic-scale=1
--frame-subsampling-factor=3
--endpoint.silence-phones=1:2
--endpoint.rule2.min-trailing-silence=0.8
--endpoint.rule3.min-trailing-silence=1.2
--endpoint.rule4.min-trailing-silence=2.0
--phone-determinize=false
--max-mem=4000000
"""
"""How Vosk decodes. A narrower beam loses people with an accent, and the unknown words that noise should be."""


def _model_bytes(model: AcousticModel) -> Iterator[bytes]:
    yield b"\0B"
    yield from _transition_model()
    nodes, components = [f"input-node name=input dim={BINS}"], list[bytes]()
    last = "input"
    for number, layer in enumerate(model.layers):
        frames = ", ".join(last if not offset else f"Offset({last}, {offset})" for offset in layer.offsets)
        before, spliced, weights = last, f"Append({frames})", layer.weights
        if layer.expansion is not None:
            narrow = f"narrow{number}"
            nodes.append(f"component-node name={narrow} component={narrow} input={spliced}")
            components.append(_affine(narrow, weights, np.zeros(len(weights))))
            spliced, weights = narrow, layer.expansion
        last = affine = f"affine{number}"
        nodes.append(f"component-node name={affine} component={affine} input={spliced}")
        components.append(_affine(affine, weights, layer.bias))
        if layer.relu:
            last = f"relu{number}"
            nodes.append(f"component-node name={last} component={last} input={affine}")
            components.append(_nonlinear(last, "RectifiedLinear", len(layer.bias)))
        if layer.residual:
            total = f"sum{number}"
            nodes.append(f"component-node name={total} component={total} input=Sum({last}, {before})")
            dimension = _token("<Dim>") + _int(len(layer.bias)) + _token("<BackpropScale>") + _float(1.0)
            components.append(_component(total, "NoOp", dimension))
            last = total
    nodes.append(f"output-node name=output input={last} objective=linear")
    yield _token("<Nnet3>") + ("\n" + "\n".join(nodes) + "\n\n").encode("ascii")
    yield _token("<NumComponents>") + _int(len(components))
    yield from components
    yield _token("</Nnet3>") + _token("<LeftContext>") + _int(model.before)
    yield _token("<RightContext>") + _int(model.ahead) + _token("<Priors>") + _vector(np.zeros(0))


def _transition_model() -> Iterator[bytes]:
    """Every phone label has one state, which is kept or left with probability 1/2.

    In the graphs one gets into a phone by the way that leaves its state here, and stays in it by the loop; so the first
    is scored as its beginning, behind each kind of phone by an output of its own.
    """
    topologies = np.concatenate([[-1], np.zeros(len(LABELS))])  # for each label: all have the only one
    yield _token("<TransitionModel>") + _token("<Topology>") + _ints(np.array(LABELS)) + _ints(topologies)
    emitting = _int(0) + _int(1) + _int(2) + _int(0) + _float(0.5) + _int(1) + _float(0.5)
    final = _int(-1) + _int(-1) + _int(0)
    yield _int(-1) + _int(1) + _int(2) + emitting + final + _token("</Topology>")
    yield _token("<Tuples>") + _int(len(LABELS) * KINDS)
    for label in LABELS:
        phone = labelled_phone(label)
        for left in range(KINDS):
            yield _int(label) + _int(0) + _int(entering(phone, left)) + _int(staying(phone))
    halves = np.concatenate([[0.0], np.full(2 * len(LABELS) * KINDS, _HALF)])
    yield _token("</Tuples>") + _token("<LogProbs>") + _vector(halves)
    yield _token("</LogProbs>") + _token("</TransitionModel>")


def _component(name: str, kind: str, body: bytes) -> bytes:
    begin = _token("<ComponentName>") + _token(name) + _token(f"<{kind}Component>")
    return begin + body + _token(f"</{kind}Component>")


def _affine(name: str, weights: Matrix, bias: Vector) -> bytes:
    rows, columns = weights.shape
    matrix = b"FM " + _int(rows) + _int(columns) + weights.astype("<f4").tobytes()
    return _component(name, "FixedAffine", _token("<LinearParams>") + matrix + _token("<BiasParams>") + _vector(bias))


def _nonlinear(name: str, kind: str, dimension: int) -> bytes:
    nothing = _vector(np.zeros(0))
    statistics = _token("<ValueAvg>") + nothing + _token("<DerivAvg>") + nothing + _token("<Count>") + _float(0.0)
    derivatives = _token("<OderivRms>") + nothing + _token("<OderivCount>") + _float(0.0)
    repair = b"".join(
        _token(mark) + _float(0.0) for mark in ("<NumDimsSelfRepaired>", "<NumDimsProcessed>", "<SelfRepairScale>")
    )
    return _component(name, kind, _token("<Dim>") + _int(dimension) + statistics + derivatives + repair)


def _token(text: str) -> bytes:
    return f"{text} ".encode("ascii")


def _int(value: int) -> bytes:
    return struct.pack("<bi", 4, value)


def _float(value: float) -> bytes:
    return struct.pack("<bf", 4, value)


def _ints(values: NDArray[np.number]) -> bytes:
    return struct.pack("<bi", 4, len(values)) + values.astype("<i4").tobytes()


def _vector(values: Vector) -> bytes:
    return b"FV " + _int(len(values)) + values.astype("<f4").tobytes()


_NODE = re.compile(r"^component-node name=(\S+) component=\S+ input=(.+)$", re.MULTILINE)


def read_model(path: Path) -> AcousticModel:
    """The model in a file that `write_model` wrote.

    Raises:
        NetworkFileError: it is no such file, or it is cut short.
    """
    try:
        content = path.read_bytes()
        begin = content.index(b"<Nnet3> \n")
        end = content.index(b"\n\n", begin)
        affine: dict[str, tuple[Matrix, Vector]] = {}
        place = end
        for _ in range(content.count(b"<FixedAffineComponent> ", end)):
            place = content.index(b"<FixedAffineComponent> ", place)
            name = content[:place].rpartition(b"<ComponentName> ")[2].decode("ascii").strip()
            weights, place = _numbers(content, content.index(b"<LinearParams> FM ", place) + 18, 2)
            vector, place = _numbers(content, content.index(b"<BiasParams> FV ", place) + 16, 1)
            affine[name] = weights, vector
        content.index(b"<Priors> FV ", place)
        layers: list[AffineLayer] = []
        narrow: tuple[tuple[int, ...], Matrix] | None = None
        for name, wanted in _NODE.findall(content[begin:end].decode("ascii")):
            if name.startswith("narrow"):
                narrow = tuple(_offsets(wanted)), affine[name][0]
            elif name in affine and narrow is not None:
                expansion, bias = affine[name]
                layers.append(AffineLayer(*narrow, bias, relu=False, expansion=expansion))
                narrow = None
            elif name in affine:
                layers.append(AffineLayer(tuple(_offsets(wanted)), *affine[name], relu=False))
            elif name.startswith("relu"):
                layers[-1] = replace(layers[-1], relu=True)
            else:
                layers[-1] = replace(layers[-1], residual=True)
    except (OSError, ValueError, struct.error) as error:
        raise NetworkFileError(f"{path} cannot be read as an acoustic model: {error}.") from error
    if len(layers[-1].bias) != OUTPUTS:
        raise NetworkFileError(f"{path} is of another version: it has {len(layers[-1].bias)} outputs, not {OUTPUTS}.")
    return AcousticModel(tuple(layers))


def _numbers(content: bytes, place: int, dimensions: int) -> tuple[NDArray[np.float64], int]:
    """The matrix or vector whose sizes stand at `place`, and the place behind it."""
    sizes = [struct.unpack_from("<bi", content, place + 5 * number)[1] for number in range(dimensions)]
    first, count = place + 5 * dimensions, int(np.prod(sizes))
    return np.frombuffer(content, "<f4", count, first).astype(np.float64).reshape(sizes), first + 4 * count


def _offsets(splice: str) -> Iterator[int]:
    """The offsets in "Append(Offset(x, -1), x, Offset(x, 1))"; 0 for a frame as it is."""
    inside = splice.removeprefix("Append(").removesuffix(")")
    for offset, _ in re.findall(r"Offset\([^,]+, (-?\d+)\)|()[\w-]+", inside):
        yield int(offset or 0)
