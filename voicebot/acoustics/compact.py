"""A network with eight bits a weight, in memory as in its file: that of the second pass of recognition."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicebot.acoustics.features import Features
from voicebot.acoustics.nnet3 import AcousticModel, AffineLayer, NetworkFileError, outputs_of
from voicebot.acoustics.outputs import OUTPUTS


@dataclass(frozen=True, slots=True, eq=False)
class CompactMatrix:
    """A matrix whose rows have a scale each."""

    numbers: NDArray[np.int8]
    """Shape (rows, columns)."""
    scales: NDArray[np.float32]
    """Shape (rows, 1)."""

    @staticmethod
    def of(matrix: NDArray[np.floating]) -> CompactMatrix:
        """The nearest one to `matrix`: each row is spread over -127 to 127."""
        scales = np.maximum(np.abs(matrix).max(axis=1, keepdims=True), 1e-12) / 127.0
        return CompactMatrix(np.round(matrix / scales).astype(np.int8), scales.astype(np.float32))

    @property
    def whole(self) -> NDArray[np.float32]:
        """The matrix in single precision."""
        return self.numbers * self.scales


@dataclass(frozen=True, slots=True, eq=False)
class CompactLayer:
    """An `AffineLayer` that is unpacked only while it computes."""

    offsets: tuple[int, ...]
    weights: CompactMatrix
    expansion: CompactMatrix | None
    bias: NDArray[np.float32]
    relu: bool
    residual: bool

    @staticmethod
    def of(layer: AffineLayer) -> CompactLayer:
        """`layer` with its matrices in eight bits."""
        expansion = None if layer.expansion is None else CompactMatrix.of(layer.expansion)
        bias = layer.bias.astype(np.float32)
        return CompactLayer(layer.offsets, CompactMatrix.of(layer.weights), expansion, bias, layer.relu, layer.residual)

    def compute(self, hidden: NDArray[np.floating], rate: int = 1, stride: int = 1) -> NDArray[np.floating]:
        """See `AffineLayer.compute`."""
        expansion = None if self.expansion is None else self.expansion.whole
        layer = AffineLayer(self.offsets, self.weights.whole, self.bias, self.relu, self.residual, expansion)
        return layer.compute(hidden, rate, stride)


@dataclass(frozen=True, slots=True, eq=False)
class CompactModel:
    """A network of such layers."""

    layers: tuple[CompactLayer, ...]

    @staticmethod
    def of(model: AcousticModel) -> CompactModel:
        """`model` with its matrices in eight bits."""
        return CompactModel(tuple(CompactLayer.of(layer) for layer in model.layers))

    def compute(self, features: Features) -> NDArray[np.floating]:
        """See `outputs_of`."""
        return outputs_of(self.layers, features)

    def write(self, path: Path) -> None:
        """Write it to `path`, which appears only when it is complete."""
        arrays: dict[str, NDArray[Any]] = {}
        for number, layer in enumerate(self.layers):
            arrays |= {
                f"{number}.offsets": np.array(layer.offsets, np.int16),
                f"{number}.flags": np.array((layer.relu, layer.residual)),
                f"{number}.bias": layer.bias,
            }
            for name, matrix in (("weights", layer.weights), ("expansion", layer.expansion)):
                if matrix is not None:
                    arrays |= {f"{number}.{name}": matrix.numbers, f"{number}.{name}.scales": matrix.scales}
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(part, path)

    @staticmethod
    def read(path: Path) -> CompactModel:
        """The model that `write` wrote to `path`.

        Raises:
            NetworkFileError: there is none, or it is cut short or of another version.
        """
        try:
            with np.load(path) as archive:
                arrays = {name: archive[name] for name in archive.files}
            count = sum(name.endswith(".offsets") for name in arrays)
            layers = tuple(_layer(arrays, number) for number in range(count))
            outputs = len(layers[-1].bias)
        except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
            raise NetworkFileError(f"{path} cannot be read as the network of a second pass: {error}.") from error
        if outputs != OUTPUTS:
            raise NetworkFileError(f"{path} is of another version: it has {outputs} outputs, not {OUTPUTS}.")
        return CompactModel(layers)


def _layer(arrays: Mapping[str, NDArray[Any]], number: int) -> CompactLayer:
    relu, residual = (bool(flag) for flag in arrays[f"{number}.flags"])
    matrices = {
        name: CompactMatrix(arrays[f"{number}.{name}"], arrays[f"{number}.{name}.scales"])
        for name in ("weights", "expansion")
        if f"{number}.{name}" in arrays
    }
    offsets = tuple(int(offset) for offset in arrays[f"{number}.offsets"])
    bias = arrays[f"{number}.bias"]
    return CompactLayer(offsets, matrices["weights"], matrices.get("expansion"), bias, relu, residual)
