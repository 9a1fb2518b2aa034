"""Perturbations change what they say and nothing else."""

import numpy as np

from voicebot.acoustics.features import BINS, cosine_transform
from voicebot.acoustics.perturbation import Perturbation

NOTHING = {"channel": 0.0, "band": 0.0, "noise": 0.0, "babble": 0.0, "gap": 0.0}
NO_NOISES = np.zeros((0, 60, BINS), np.float32)


def _batch() -> np.ndarray:
    return (5 * np.random.default_rng(1).standard_normal((3, 60, BINS))).astype(np.float32)


def _mels(cepstra: np.ndarray) -> np.ndarray:
    return cepstra @ np.linalg.inv(cosine_transform().T)


def test_without_chance_of_change_features_stay_as_they_are() -> None:
    changed = Perturbation(**NOTHING)(_batch(), NO_NOISES, np.random.default_rng(2))
    assert np.abs(changed - _batch()).max() < 1e-3


def test_a_channel_moves_each_band_by_the_same_amount_in_all_frames() -> None:
    changed = Perturbation(**{**NOTHING, "channel": 1.0})(_batch(), NO_NOISES, np.random.default_rng(2))
    moved = _mels(changed) - _mels(_batch())
    assert np.ptp(moved, axis=1).max() < 1e-2
    assert np.abs(moved).max() > 0.5


def test_noise_only_adds_energy() -> None:
    noises = np.ones((1, 60, BINS), np.float32)
    changed = Perturbation(**{**NOTHING, "noise": 1.0})(_batch(), noises, np.random.default_rng(2))
    assert (_mels(changed) - _mels(_batch())).min() > -1e-2
    assert (_mels(changed) - _mels(_batch())).max() > 0.5


def test_babble_is_made_of_the_other_chunks_and_leaves_what_is_loudest() -> None:
    batch = _batch()
    batch[1:] = batch[0]
    batch[0, 20:40] = _mels(batch[0, 20:40]).min(axis=0) @ cosine_transform().T - 40.0
    changed = Perturbation(**{**NOTHING, "babble": 1.0})(batch, NO_NOISES, np.random.default_rng(2))
    added = _mels(changed) - _mels(batch)
    assert added.min() > -1e-2
    assert added[0, 20:40].max() > 0.5
    loudest = np.unravel_index(_mels(batch)[1].argmax(), added[1].shape)
    assert added[1][loudest] < np.log(1 + 10**-0.4)


def test_lost_bands_hold_still_in_time() -> None:
    changed = Perturbation(**{**NOTHING, "band": 1.0})(_batch(), NO_NOISES, np.random.default_rng(2))
    still = np.ptp(_mels(changed), axis=1) < 1e-2
    assert 1 <= still.sum(1).min() and still.sum(1).max() <= 6
