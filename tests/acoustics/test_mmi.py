"""LF-MMI against the sum over all sequences, and its gradients."""

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra: pip install -e '.[train]'")

from voicebot.acoustics.examples import Example
from voicebot.acoustics.mmi import Denominator, numerators

PHONES, KINDS = 3, 2


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three phones, of which the first two are of one kind."""
    monkeypatch.setattr("voicebot.acoustics.mmi.KIND_OF_PHONE", np.array([0, 0, 1]))
    monkeypatch.setattr("voicebot.acoustics.mmi.KINDS", KINDS)


def _denominator() -> Denominator:
    follows = torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0.4, 0.4, 0.2]])
    return Denominator(torch.tensor([0.2, 0.3, 0.5]), follows)


def _scores(frames: int, seed: int) -> torch.Tensor:
    return torch.randn(1, frames, PHONES * (1 + KINDS), generator=torch.manual_seed(seed))


def _likelihood(steps: tuple[tuple[int, bool], ...], scores: torch.Tensor, denominator: Denominator) -> float:
    """Of a way given as the phone of each frame and whether it was entered just there, behind the frame before."""
    (first, _), *_ = steps
    total = denominator.first[first].log() + scores[0, first]
    for frame in range(1, len(steps)):
        (before, _), (phone, entered) = steps[frame - 1 : frame + 1]
        if entered:
            kind = (0, 0, 1)[before]
            total = total + denominator.follows[before, phone].log() + scores[frame, PHONES * (1 + kind) + phone]
        else:
            total = total + scores[frame, phone]
    return float(total) + (len(steps) - 1) * math.log(0.5)


def test_the_denominator_sums_all_sequences() -> None:
    scores, denominator = 3 * _scores(4, 1), _denominator()
    every = [
        _likelihood(tuple(steps), scores[0], denominator)
        for steps in itertools.product(itertools.product(range(PHONES), (False, True)), repeat=4)
        if not steps[0][1] and all(new[1] or new[0] == old[0] for old, new in itertools.pairwise(steps))
    ]
    assert denominator(scores).item() == pytest.approx(np.logaddexp.reduce(every), abs=1e-4)


def test_the_numerator_sums_the_ways_to_place_its_phones() -> None:
    scores, denominator = _scores(4, 2), _denominator()
    labels = np.array([[0] * 6 + [2] * 6])
    total = numerators(scores, labels, denominator, tolerance=9).item()
    ways = []
    for change in (1, 2, 3):
        steps = [(0, False)] * change + [(2, True)] + [(2, False)] * (3 - change)
        ways.append(_likelihood(tuple(steps), scores[0], denominator))
    assert total == pytest.approx(np.logaddexp.reduce(ways), abs=1e-4)


def test_a_phone_stays_near_its_place() -> None:
    scores, denominator = torch.zeros(1, 6, PHONES * (1 + KINDS)), _denominator()
    scores.requires_grad_()
    numerators(scores, np.array([[0] * 9 + [1] * 9]), denominator, tolerance=1).sum().backward()
    assert scores.grad is not None
    assert scores.grad[0, 0, 0] == pytest.approx(1.0)
    assert scores.grad[0, 5, 1] == pytest.approx(1.0)
    assert 0 < scores.grad[0, 3, 0] < 1
    entries = scores.grad[0, :, PHONES + 1]  # of the second phone behind one of the first's kind
    assert entries[2:5].sum() == pytest.approx(1.0) and entries[2:5].min() > 0


def test_the_right_phones_are_never_likelier_than_all_together() -> None:
    labels = np.repeat(np.array([0, 1, 2, 1, 0, 2, 0, 1, 2, 0], np.int8), 3)[None]
    scores = _scores(10, 3)
    assert numerators(scores, labels, _denominator(), 1) < _denominator()(scores)


def test_the_bigram_is_that_of_the_labels() -> None:
    labels = np.repeat(np.array([0, 3, 0, 3, 5], np.int8), 6)
    found = Denominator.of([Example(np.zeros((30, 40), np.float32), labels)], smoothing=0.01)
    assert found.follows[0].argmax() == 3 and found.follows[3, 0] == pytest.approx(found.follows[3, 5].item())
