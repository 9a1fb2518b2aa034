"""A training that was interrupted goes on and ends where it would have ended."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra: pip install -e '.[train]'")

from voicebot.acoustics.examples import Example
from voicebot.acoustics.features import BINS
from voicebot.acoustics.network import Tdnn
from voicebot.acoustics.training import CheckpointError, Chunks, Schedule, train

SCHEDULE = Schedule(epochs=2, batch=2, chunk=30, sequences=True)


def _examples() -> list[Example]:
    rng = np.random.default_rng(5)
    labels = np.repeat([0, 3, 5, 9, 4, 0], 20).astype(np.int8)
    return [Example(rng.standard_normal((len(labels), BINS)).astype(np.float16), labels) for _ in range(4)]


def _network() -> Tdnn:
    torch.manual_seed(1)
    return Tdnn(8, 4)


class _Interrupted(Exception):
    pass


def test_an_interrupted_training_ends_as_a_whole_one_does(tmp_path: Path) -> None:
    examples, checkpoint = _examples(), tmp_path / "checkpoint"
    whole = train(_network(), examples, SCHEDULE, seed=3).network
    batches = Chunks(_network(), examples, SCHEDULE, seed=3).batches

    def stop(step: int, steps: int, loss: float, right: float) -> None:
        if step == batches + 2:
            raise _Interrupted

    with pytest.raises(_Interrupted):
        train(_network(), examples, SCHEDULE, seed=3, report=stop, checkpoint=checkpoint)
    steps: list[int] = []
    resumed = train(_network(), examples, SCHEDULE, 3, lambda step, *_: steps.append(step), checkpoint).network
    assert steps[0] == batches + 1
    for name, value in whole.state_dict().items():
        assert torch.allclose(value.double(), resumed.state_dict()[name].double(), atol=1e-5), name


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    train(_network(), _examples(), SCHEDULE, seed=3, checkpoint=checkpoint)
    with pytest.raises(CheckpointError, match="delete it first"):
        train(_network(), _examples(), replace(SCHEDULE, epochs=3), seed=3, checkpoint=checkpoint)


def test_the_share_of_batches_is_that_of_the_chunks() -> None:
    assert Chunks(_network(), _examples(), replace(SCHEDULE, batch=4), seed=3).batches == 4
