import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import piper
import pytest

from voicebot.voice import loudness
from voicebot.voice.phonemes import stress_table
from voicebot.voice.piper import PiperVoice
from voicebot.voice.synthesizer import VoiceUnavailable


def test_a_voice_without_its_weights_or_its_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VoiceUnavailable, match=r"a\.onnx is missing"):
        PiperVoice(tmp_path / "a.onnx")
    (tmp_path / "a.onnx").write_bytes(b"")
    with pytest.raises(VoiceUnavailable, match=r"a\.onnx\.json is missing"):
        PiperVoice(tmp_path / "a.onnx")


@pytest.mark.parametrize("config", ["{", "{}", "[]", json.dumps({"num_symbols": 1})])
def test_a_broken_voice_is_reported_in_one_sentence_at_its_first_words(tmp_path: Path, config: str) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no model")
    (tmp_path / "a.onnx.json").write_text(config)
    voice = PiperVoice(tmp_path / "a.onnx")
    with pytest.raises(VoiceUnavailable, match="cannot be loaded") as caught:
        voice.synthesize("пет")
    assert "\n" not in str(caught.value)


def test_weights_that_are_no_model_are_reported(tmp_path: Path) -> None:
    config = {
        "num_symbols": 1,
        "num_speakers": 1,
        "audio": {"sample_rate": 22050},
        "espeak": {"voice": "bg"},
        "phoneme_id_map": {},
    }
    (tmp_path / "a.onnx").write_bytes(b"no model")
    (tmp_path / "a.onnx.json").write_text(json.dumps(config))
    with pytest.raises(VoiceUnavailable, match="cannot be loaded"):
        PiperVoice(tmp_path / "a.onnx").synthesize("пет")


class Session:
    """An ONNX session whose sound is as long as it is told to speak slowly."""

    def run(self, _: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        return [np.sin(np.arange(round(8000 * feed["scales"][1])))]


def test_what_is_emphasised_is_said_more_slowly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {sign: [0] for sign in "^$_pˈet."}
    config = piper.config.PiperConfig(1, 1, 8000, "bg", phoneme_id_map=known, phoneme_type="espeak", length_scale=1.5)
    monkeypatch.setattr(piper.PiperVoice, "load", lambda _: piper.PiperVoice(Session(), config))
    (tmp_path / "a.onnx").touch()
    (tmp_path / "a.onnx.json").write_text("{}")
    plain, emphasised = (PiperVoice(tmp_path / "a.onnx").synthesize("пет", emphasis=slow) for slow in (False, True))
    silence_ms = loudness.LEAD_MS + loudness.TAIL_MS
    assert plain.duration_ms - silence_ms == pytest.approx(1500, abs=5)
    assert emphasised.duration_ms - silence_ms == pytest.approx(1500 / 0.9, abs=5)


def test_the_name_changes_with_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"12345")
    names = set()
    for config in ("{}", '{"inference": {"length_scale": 1.2}}'):
        (tmp_path / "a.onnx.json").write_text(config)
        names.add(PiperVoice(tmp_path / "a.onnx").name)
    assert len(names) == 2
    assert all(name.startswith("piper:a/") for name in names)


@pytest.mark.parametrize(("config", "marked"), [({"stress_marks": True}, True), ({}, False)])
def test_stress_is_marked_for_a_voice_that_was_trained_with_the_marks(
    config: dict[str, bool], marked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    engine = SimpleNamespace(
        config=SimpleNamespace(espeak_voice="bg", sample_rate=8000, phoneme_id_map={"a": [1]}, length_scale=1.0),
        phonemize=lambda sentence: said.append(sentence) or [["a"]],
        phonemes_to_ids=lambda phonemes: [1],
        phoneme_ids_to_audio=lambda ids, manner: np.sin(np.arange(8000)),
    )
    monkeypatch.setattr(piper.PiperVoice, "load", lambda _: engine)
    (tmp_path / "a.onnx").write_bytes(b"")
    (tmp_path / "a.onnx.json").write_text(json.dumps(config))
    word = next(iter(stress_table()))
    PiperVoice(tmp_path / "a.onnx").synthesize(word)
    assert said == [stress_table()[word] if marked else word]
