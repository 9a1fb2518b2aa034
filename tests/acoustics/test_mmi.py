"""LF-MMI against the sum over all sequences, and its gradients."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra: pip install -e '.[train]'")

from voicebot.acoustics.examples import Example
from voicebot.acoustics.mmi import Denominator, numerators
from voicebot.language.phones import PHONES


def _denominator() -> Denominator:
    follows = torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0.4, 0.4, 0.2]])
    return Denominator(torch.tensor([0.2, 0.3, 0.5]), follows)


def _likelihood(path: tuple[int, ...], scores: torch.Tensor, denominator: Denominator) -> float:
    step = 0.5 * torch.eye(3) + 0.5 * denominator.follows
    total = denominator.first[path[0]].log() + scores[0, path[0]]
    for frame in range(1, len(path)):
        total = total + step[path[frame - 1], path[frame]].log() + scores[frame, path[frame]]
    return float(total)


def test_the_denominator_sums_all_sequences() -> None:
    scores, denominator = 3 * torch.randn(1, 5, 3, generator=torch.manual_seed(1)), _denominator()
    every = [_likelihood(path, scores[0], denominator) for path in itertools.product(range(3), repeat=5)]
    assert denominator(scores).item() == pytest.approx(np.logaddexp.reduce(every), abs=1e-4)


def test_the_numerator_sums_the_ways_to_place_its_phones() -> None:
    scores, denominator = torch.randn(1, 4, 3, generator=torch.manual_seed(2)), _denominator()
    labels = np.array([[0] * 6 + [2] * 6])
    total = numerators(scores, labels, denominator, tolerance=9).item()
    half = np.log(0.5)
    ways = []
    for change in (1, 2, 3):
        path = [0] * change + [2] * (4 - change)
        emitted = sum(float(scores[0, frame, phone]) for frame, phone in enumerate(path))
        ways.append(float(denominator.first[0].log() + denominator.follows[0, 2].log()) + 3 * half + emitted)
    assert total == pytest.approx(np.logaddexp.reduce(ways), abs=1e-4)


def test_a_phone_stays_near_its_place() -> None:
    scores, denominator = torch.zeros(1, 6, 3), _denominator()
    scores.requires_grad_()
    numerators(scores, np.array([[0] * 9 + [1] * 9]), denominator, tolerance=1).sum().backward()
    assert scores.grad is not None
    assert scores.grad[0, 0, 0] == pytest.approx(1.0)
    assert scores.grad[0, 5, 1] == pytest.approx(1.0)
    assert 0 < scores.grad[0, 3, 0] < 1


def test_the_right_phones_are_never_likelier_than_all_together() -> None:
    examples = [Example(np.zeros((30, 40), np.float32), np.repeat(np.arange(10, dtype=np.int8), 3))]
    denominator = Denominator.of(examples)
    scores = torch.randn(1, 10, len(PHONES), generator=torch.manual_seed(3))
    labels = examples[0].labels[None]
    assert numerators(scores, labels, denominator, 1) < denominator(scores)
