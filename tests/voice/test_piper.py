import json
from pathlib import Path
from types import SimpleNamespace

import pytest

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
    said = []

    class Engine:
        config = SimpleNamespace(espeak_voice="bg", sample_rate=16_000, phoneme_id_map={"a": [1]})

        def phonemize(self, sentence: str) -> list[list[str]]:
            said.append(sentence)
            return [["a"]]

        def phonemes_to_ids(self, phonemes: list[str]) -> list[int]:
            return [1]

        def phoneme_ids_to_audio(self, ids: list[int]) -> list[float]:
            return [0.1] * 8000

    monkeypatch.setattr("piper.PiperVoice.load", lambda path: Engine())
    (tmp_path / "a.onnx").write_bytes(b"")
    (tmp_path / "a.onnx.json").write_text(json.dumps(config))
    word = next(iter(stress_table()))
    PiperVoice(tmp_path / "a.onnx").synthesize(word)
    assert said == [stress_table()[word] if marked else word]
