"""Piper's training finds the sounds in time by a search that its wheel lacks."""

import pytest

torch = pytest.importorskip("torch", reason="needs the voice-train extra: pip install -e '.[voice-train]'")
pytest.importorskip("lightning", reason="needs the voice-train extra: pip install -e '.[voice-train]'")

from voicebot.voice.training.network import maximum_path


def test_each_frame_sounds_one_symbol_and_symbols_come_in_order() -> None:
    symbols_of_frames = [0, 0, 0, 1, 2, 2, 2, 2]
    scores = torch.full((1, 8, 3), -5.0)
    scores[0, range(8), symbols_of_frames] = 0.0
    path = maximum_path(scores, torch.ones(1, 8, 3))
    assert path.shape == (1, 8, 3)
    assert path[0].argmax(1).tolist() == symbols_of_frames
    assert path[0].sum(1).tolist() == [1.0] * 8
