"""A network in eight bits says nearly what the whole one says, and is read back as it was written."""

from pathlib import Path

import numpy as np
import pytest

from tests.acoustics.test_nnet3 import tiny_model
from voicebot.acoustics.compact import CompactMatrix, CompactModel
from voicebot.acoustics.features import BINS
from voicebot.acoustics.nnet3 import NetworkFileError


def _features(frames: int = 31) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((frames, BINS)).astype(np.float32)


def test_a_number_is_off_by_half_a_step_at_most() -> None:
    matrix = np.random.default_rng(2).standard_normal((4, 30))
    off = np.abs(CompactMatrix.of(matrix).whole - matrix)
    assert (off <= np.abs(matrix).max(axis=1, keepdims=True) / 127 / 2 + 1e-6).all()


def test_a_row_of_zeros_stays_one() -> None:
    assert not CompactMatrix.of(np.zeros((2, 3))).whole.any()


def test_a_compact_model_computes_nearly_what_the_whole_one_does() -> None:
    model = tiny_model()
    whole, near = model.compute(_features()), CompactModel.of(model).compute(_features())
    assert np.abs(near - whole).max() < 0.02 * np.abs(whole).max()


def test_what_is_read_computes_what_was_written(tmp_path: Path) -> None:
    model = CompactModel.of(tiny_model())
    model.write(tmp_path / "model.npz")
    assert (CompactModel.read(tmp_path / "model.npz").compute(_features()) == model.compute(_features())).all()


def test_a_file_that_is_missing_cut_short_or_another_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    with pytest.raises(NetworkFileError, match=r"model\.npz cannot be read"):
        CompactModel.read(path)
    CompactModel.of(tiny_model()).write(path)
    content = path.read_bytes()
    for damaged in (content[:-100], content[:200], b""):
        path.write_bytes(damaged)
        with pytest.raises(NetworkFileError, match=r"model\.npz cannot be read"):
            CompactModel.read(path)
    CompactModel.of(tiny_model(outputs=7)).write(path)
    with pytest.raises(NetworkFileError, match="of another version: it has 7 outputs"):
        CompactModel.read(path)
