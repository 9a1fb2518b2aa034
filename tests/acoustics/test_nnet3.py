"""The model file says the network's numbers, and it is read back as it was written."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from voicebot.acoustics.features import BINS
from voicebot.acoustics.graph import entry, loop, position_phone
from voicebot.acoustics.nnet3 import (
    AcousticModel,
    AffineLayer,
    NetworkFileError,
    factored,
    mixed,
    narrowed,
    read_model,
    write_model,
)
from voicebot.acoustics.outputs import KINDS, OUTPUTS, entering, staying
from voicebot.language.phones import PHONES


def tiny_model(seed: int = 0, outputs: int = OUTPUTS) -> AcousticModel:
    """A model of random weights with each kind of layer."""
    rng = np.random.default_rng(seed)

    def layer(offsets: tuple[int, ...], inputs: int, size: int, **flags: bool) -> AffineLayer:
        weights = rng.standard_normal((size, len(offsets) * inputs)) * 0.1
        return AffineLayer(offsets, weights, rng.standard_normal(size), **flags)

    layers = (
        layer((-1, 0, 1), BINS, 6),
        layer((-3, 0, 3), 6, 6, residual=True),
        replace(
            layer((-3, 0), 6, 4), bias=rng.standard_normal(6), expansion=rng.standard_normal((6, 4)), residual=True
        ),
        layer((0,), 6, outputs, relu=False),
    )
    return AcousticModel(layers)


def _features(frames: int = 31) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((frames, BINS)).astype(np.float32)


def test_what_is_read_computes_what_was_written(tmp_path: Path) -> None:
    model = tiny_model()
    write_model(model, tmp_path)
    read = read_model(tmp_path / "am" / "final.mdl")
    assert [(one.offsets, one.relu, one.residual, one.weights.shape) for one in read.layers] == [
        (one.offsets, one.relu, one.residual, one.weights.shape) for one in model.layers
    ]
    assert np.abs(read.compute(_features()) - model.compute(_features())).max() < 1e-4


@pytest.mark.parametrize("frames", [30, 31, 32])
def test_an_output_comes_for_every_third_frame(frames: int) -> None:
    model = tiny_model()
    found, every = model.compute(_features(frames)), model.compute_every(_features(frames))
    assert found.shape == (-(-frames // 3), OUTPUTS)
    np.testing.assert_allclose(found, every[::3], atol=1e-9)


def test_a_layer_is_an_affine_function_of_its_frames() -> None:
    first, second, factored, third = tiny_model().layers
    features = _features(9).astype(np.float64)
    features[0] = features[1]  # beyond the beginning the first frame repeats
    hidden = {}
    for frame in (1, 4, 7):
        seen = np.concatenate([features[frame - 1], features[frame], features[frame + 1]])
        hidden[frame] = np.maximum(first.weights @ seen + first.bias, 0)
    seen = np.concatenate([hidden[1], hidden[4], hidden[7]])
    top = np.maximum(second.weights @ seen + second.bias, 0) + hidden[4]
    expected = third.weights @ top + third.bias
    found = AcousticModel((first, second, third)).compute(features[1:].astype(np.float32))
    assert found[1] == pytest.approx(expected, abs=1e-5)
    assert factored.expansion is not None
    whole = replace(factored, weights=factored.expansion @ factored.weights, expansion=None)
    models = [AcousticModel((first, second, layer, third)) for layer in (factored, whole)]
    assert models[0].compute(_features()) == pytest.approx(models[1].compute(_features()), abs=1e-9)


@pytest.mark.parametrize("shipped", [False, True])
def test_every_phone_at_every_position_has_its_transition(tmp_path: Path, shipped: bool) -> None:
    write_model(tiny_model(), tmp_path)
    folder = Path("models/bg-telephone") if shipped else tmp_path
    content = (folder / "am" / "final.mdl").read_bytes()
    states = content.partition(b"<Tuples> ")[2].partition(b"</Tuples> ")[0]
    numbers = np.frombuffer(states, np.dtype([("size", "i1"), ("value", "<i4")]))["value"]
    assert numbers[0] == len(numbers[1:]) / 4
    found = [tuple(state) for state in numbers[1:].reshape(-1, 4)]
    assert found == sorted(set(found))  # Kaldi looks them up by halving
    for index, phone in enumerate(PHONES):
        for position in ["nonword"] if index < 2 else ["begin", "internal", "end", "singleton"]:
            label = position_phone(phone.name, position)
            assert found[(loop(label) - 1) // 2][0] == label
            for left in range(KINDS):
                state = found[(entry(label, left) - 1) // 2]
                assert state == (label, 0, entering(phone.name, left), staying(phone.name))


def test_a_file_cut_short_is_refused_by_name(tmp_path: Path) -> None:
    write_model(tiny_model(), tmp_path)
    path = tmp_path / "am" / "final.mdl"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(NetworkFileError, match=r"final\.mdl cannot be read as an acoustic model"):
        read_model(path)


def test_a_model_with_other_phones_is_refused_by_name(tmp_path: Path) -> None:
    model = tiny_model()
    last = replace(model.layers[-1], weights=model.layers[-1].weights[:3], bias=model.layers[-1].bias[:3])
    write_model(replace(model, layers=(*model.layers[:-1], last)), tmp_path)
    with pytest.raises(NetworkFileError, match=r"final\.mdl is of another version: it has 3 outputs"):
        read_model(tmp_path / "am" / "final.mdl")


def test_vosk_is_told_the_scale_and_the_features(tmp_path: Path) -> None:
    write_model(tiny_model(), tmp_path)
    assert "--acoustic-scale=1\n" in (tmp_path / "conf" / "model.conf").read_text()
    assert "--num-ceps=40\n" in (tmp_path / "conf" / "mfcc.conf").read_text()


def test_a_mixture_lies_between_its_models() -> None:
    first, second = tiny_model(0), tiny_model(5)
    inputs = [_features(200)]
    for share, model in ((0.0, first), (1.0, second)):
        assert np.allclose(
            mixed(first, second, share, inputs).compute(_features()), model.compute(_features()), atol=1e-3
        )
    half = mixed(first, second, 0.5, inputs)
    assert np.allclose(half.layers[1].weights, (first.layers[1].weights + second.layers[1].weights) / 2)
    assert np.allclose(half.layers[2].bias, (first.layers[2].bias + second.layers[2].bias) / 2)
    assert half.layers[2].weights.shape == second.layers[2].weights.shape


def test_layers_are_mixed_whole_although_their_halves_differ() -> None:
    model = tiny_model()
    part = model.layers[2]
    assert part.expansion is not None
    turned = replace(part, weights=-2.0 * part.weights[::-1], expansion=-0.5 * part.expansion[:, ::-1])
    same = replace(model, layers=(*model.layers[:2], turned, model.layers[3]))
    found = mixed(model, same, 0.5, [_features(200)]).compute(_features())
    assert np.allclose(found, model.compute(_features()), atol=1e-3)


def test_a_layer_is_parted_where_it_costs_least() -> None:
    rng = np.random.default_rng(4)
    seen = rng.standard_normal((300, BINS)) * np.where(np.arange(BINS) < 5, 1.0, 0.01)
    whole = AffineLayer((0,), rng.standard_normal((8, BINS)), rng.standard_normal(8), relu=False)
    model = AcousticModel((whole,))
    (parted,) = factored(model, [5], [seen]).layers
    assert parted.weights.shape == (5, BINS) and parted.expansion is not None
    error = np.abs(parted.compute(seen) - whole.compute(seen)).max()
    plain = np.linalg.svd(whole.weights)
    truncated = replace(whole, weights=plain[0][:, :5] * plain[1][:5] @ plain[2][:5])
    assert error < 0.2 < np.abs(truncated.compute(seen) - whole.compute(seen)).max()


def test_a_model_without_values_that_say_nothing_new_says_the_same() -> None:
    model = tiny_model()
    *before, parted, last = model.layers
    assert parted.expansion is not None
    parted = replace(parted, weights=np.vstack([parted.weights[:3], parted.weights[:1] + parted.weights[1:2]]))
    model = replace(model, layers=(*before, parted, replace(last, expansion=np.eye(OUTPUTS))))
    found = narrowed(model, 3, [_features(200)])
    assert [len(layer.weights) for layer in found.layers] == [6, 6, 3, OUTPUTS]
    assert np.allclose(found.compute(_features()), model.compute(_features()), atol=1e-3)


def test_models_of_other_layers_are_not_mixed() -> None:
    first, second = tiny_model(0), tiny_model(5)
    moved = replace(second, layers=(replace(second.layers[0], offsets=(-2, 0, 2)), *second.layers[1:]))
    for other in (moved, replace(second, layers=second.layers[1:])):
        with pytest.raises(NetworkFileError, match="trained further"):
            mixed(first, other, 0.5, [_features()])
