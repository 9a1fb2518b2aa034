"""The exported file computes what the network computes."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra: pip install -e '.[train]'")

from voicebot.acoustics.export import ExportError, export, export_compact, unfolded
from voicebot.acoustics.features import BINS
from voicebot.acoustics.network import LAYERS, LAYERS_OF_WHOLES, LayerShape, Tdnn, Trained, context, scores
from voicebot.acoustics.nnet3 import read_model
from voicebot.acoustics.outputs import KINDS, OUTPUTS
from voicebot.errors import VoicebotError
from voicebot.language.phones import PHONES


def _trained(layers: tuple[LayerShape, ...] = LAYERS) -> Trained:
    torch.manual_seed(3)
    network = Tdnn(8, 4, layers)
    network.set_normalisation(_features(200) * 4 + 2)
    network.train()
    for _ in range(5):  # gives batch norm statistics of its own
        network(torch.randn(4, BINS, 200) * 4 + 2)
    network.eval()
    network.add_likelihoods(np.full(len(PHONES), 1 / len(PHONES)))
    return Trained(network, np.full(len(PHONES), 1 / len(PHONES)))


def _features(frames: int = 50) -> np.ndarray:
    return np.random.default_rng(2).standard_normal((frames, BINS)).astype(np.float32)


def test_file_and_network_agree_number_for_number(tmp_path: Path) -> None:
    assert export(_trained(), tmp_path, _features()) < 2e-4


def test_a_file_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicebot.acoustics.export.scores", lambda network, probe: np.zeros((len(probe), OUTPUTS)))
    with pytest.raises(ExportError, match="do not use it"):
        export(_trained(), tmp_path, _features())


def test_at_first_a_phone_is_as_likely_behind_every_other_one() -> None:
    trained, features = _trained(), _features(200)
    found = scores(trained.network, features)
    trained.network.likelihood = None
    posteriors = scores(trained.network, features)
    assert posteriors.shape == (200, len(PHONES))
    assert np.allclose(found, np.tile(posteriors, 1 + KINDS) - posteriors[:, :1] + found[:, :1], atol=1e-3)


def test_every_frame_gets_the_scores_of_its_own_third() -> None:
    trained, features = _trained(), _features(200)
    found = scores(trained.network, features)
    assert found.shape == (200, OUTPUTS)
    later = scores(trained.network, features[1:])
    inside = slice(context().before, 200 - context().ahead - 1)
    assert np.abs(found[1:][inside] - later[inside]).max() < 1e-4


def test_a_backward_layer_costs_no_delay() -> None:
    trained, features = _trained(), _features(200)
    changed = features.copy()
    changed[100 + context().ahead + 3 :] += 1.0
    found, again = scores(trained.network, features), scores(trained.network, changed)
    assert np.abs(found[:100] - again[:100]).max() < 1e-4
    assert context().ahead == context(far=False).ahead < context(far=False).before + context().ahead
    assert context().before > context(far=False).before


def test_a_network_of_whole_utterances_sees_as_far_behind_as_before() -> None:
    reach, near = context(LAYERS_OF_WHOLES), context(LAYERS_OF_WHOLES, far=False)
    assert near == context(far=False)
    assert reach.before - near.before == reach.ahead - near.ahead > 0


@pytest.mark.parametrize("layers", [LAYERS, LAYERS_OF_WHOLES])
def test_a_chunk_without_what_lies_far_is_as_an_utterance_that_is_no_longer(layers: tuple[LayerShape, ...]) -> None:
    network, near, reach = _trained(layers).network, context(layers, far=False), context(layers)
    still = torch.ones(1, BINS, 31 + near.before + near.ahead)
    longer = torch.ones(1, BINS, 31 + reach.before + reach.ahead)
    with torch.no_grad():
        assert torch.allclose(network.hidden(still, far=False), network.hidden(longer), atol=1e-5)


def test_a_saved_network_is_loaded_as_it_was(tmp_path: Path) -> None:
    trained = _trained(LAYERS_OF_WHOLES)
    trained.save(tmp_path / "network.pt")
    loaded = Trained.load(tmp_path / "network.pt")
    assert np.array_equal(scores(loaded.network, _features()), scores(trained.network, _features()))


def test_the_second_pass_says_nearly_what_its_network_says(tmp_path: Path) -> None:
    trained = _trained(LAYERS_OF_WHOLES)
    difference = export_compact(trained, tmp_path / "second_pass.npz", trained.network.rank, [_features()])
    assert 0.0 < difference < 0.05 * np.abs(scores(trained.network, _features())).max()


def test_a_network_of_another_shape_is_refused_by_name(tmp_path: Path) -> None:
    torch.save({"width": 8, "rank": 4, "state": {}, "priors": np.ones(3)}, tmp_path / "network.pt")
    with pytest.raises(VoicebotError, match=r"network\.pt is of a network of another shape: delete it first"):
        Trained.load(tmp_path / "network.pt")


def test_a_model_file_becomes_the_network_that_it_was_made_of(tmp_path: Path) -> None:
    trained = _trained()
    export(trained, tmp_path, _features())
    inputs = torch.from_numpy(np.stack([_features(200).T, 2 * _features(200).T + 1]))
    again = unfolded(read_model(tmp_path / "am" / "final.mdl"), inputs)
    assert np.abs(scores(again, _features()) - scores(trained.network, _features())).max() < 1e-3
    again.train()
    trained.network.eval()
    with torch.no_grad():
        ours, theirs = (network.hidden(inputs, far=False) for network in (again, trained.network))
    assert torch.allclose(ours, theirs, atol=1e-2)


def test_a_model_of_other_layers_is_not_trained_further(tmp_path: Path) -> None:
    trained = _trained(LAYERS[:-1])
    export(trained, tmp_path, _features())
    with pytest.raises(ExportError, match="of the same layers"):
        unfolded(read_model(tmp_path / "am" / "final.mdl"), torch.zeros(1, BINS, 200))
