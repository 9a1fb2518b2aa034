"""Piper voices (VITS): one `.onnx` file and its `.onnx.json` beside it; finding and fetching them is `voices`' work."""

from __future__ import annotations

import hashlib
import json
import threading
import tomllib
from collections.abc import Container, Mapping, Sequence
from functools import cache, cached_property
from importlib import resources
from pathlib import Path

import numpy as np
import piper
from numpy.typing import NDArray

from voicebot.audio.sound import Sound
from voicebot.voice import loudness
from voicebot.voice.phonemes import ESPEAK_LOCK, ESPEAK_VOICES, mark_stress, stress_table
from voicebot.voice.synthesizer import (
    EMPHASIS_TEMPO,
    SENTENCE_PAUSE_MS,
    SynthesisFailed,
    VoiceUnavailable,
    split_sentences,
)


class PiperVoice:
    """A Piper voice that speaks the one language that it was trained for. It is loaded at the first sentence."""

    def __init__(self, path: Path, *, espeak_voice: str | None = None) -> None:
        """Choose the voice.

        Args:
            path: the `.onnx` file; its configuration lies beside it as `.onnx.json`.
            espeak_voice: drives the voice with the phonemes of another language than its own, such as "bg".

        Raises:
            VoiceUnavailable: one of the two files is missing.
        """
        for file in (path, _config_path(path)):
            if not file.is_file():
                raise VoiceUnavailable(
                    f"The Piper voice {path.stem} is not complete: {file} is missing; a voice is an .onnx file with "
                    "its .onnx.json beside it."
                )
        self._path = path
        self._espeak_voice = espeak_voice
        self._lock = threading.Lock()

    @cached_property
    def name(self) -> str:
        """Name of the voice, with a digest of its configuration and the size of its weights."""
        config = hashlib.sha256(_config_path(self._path).read_bytes()).hexdigest()[:8]
        language = f":{self._espeak_voice}" if self._espeak_voice else ""
        return f"piper:{self._path.stem}{language}/{loudness.REVISION}-{config}-{self._path.stat().st_size}"

    def synthesize(self, text: str, language: str = "bg", *, emphasis: bool = False) -> Sound:
        """Speak `text`; see `Synthesizer`. Raises `SynthesisFailed` for a language that the voice was not made for."""
        voice = self._voice
        spoken = voice.config.espeak_voice
        if ESPEAK_VOICES.get(language, language).split("-")[0] != spoken.split("-")[0]:
            raise SynthesisFailed(
                f"The Piper voice {self._path.stem} speaks {spoken!r}, not {language!r}: choose another voice for it."
            )
        rate_hz = voice.config.sample_rate
        length_scale = voice.config.length_scale / (EMPHASIS_TEMPO if emphasis else 1.0)
        manner = piper.SynthesisConfig(length_scale=length_scale)
        pieces: list[NDArray[np.float32]] = []
        for sentence in split_sentences(text):
            with ESPEAK_LOCK:
                parts = voice.phonemize(mark_stress(sentence, self._stress))
            known = to_known([phoneme for part in parts for phoneme in part], voice.config.phoneme_id_map)
            sound = voice.phoneme_ids_to_audio(voice.phonemes_to_ids(known), manner)
            if pieces:
                pieces.append(np.zeros(rate_hz * SENTENCE_PAUSE_MS // 1000, np.float32))
            pieces.append(loudness.even(np.asarray(sound, np.float32).reshape(-1), rate_hz))
        if not pieces:
            raise SynthesisFailed("There is nothing to say: the text holds no words.")
        return loudness.pcm(np.concatenate(pieces), rate_hz)

    @cached_property
    def _stress(self) -> Mapping[str, str]:
        """Words whose stress is marked: those of a voice that was trained with the marks, as its configuration says."""
        config = json.loads(_config_path(self._path).read_bytes())
        return stress_table() if config.get("stress_marks") else {}

    @property
    def _voice(self) -> piper.PiperVoice:
        with self._lock:
            return self._loaded

    @cached_property
    def _loaded(self) -> piper.PiperVoice:
        try:
            voice = piper.PiperVoice.load(self._path)
        except Exception as error:  # ONNX Runtime and the configuration's reader raise classes of many kinds
            raise VoiceUnavailable(
                f"The Piper voice {self._path.stem} cannot be loaded from {self._path}: {_first_line(error)}. "
                "Fetch or copy its two files anew."
            ) from error
        if self._espeak_voice:
            voice.config.espeak_voice = self._espeak_voice
        return voice


def to_known(phonemes: Sequence[str], known: Container[str]) -> list[str]:
    """`phonemes` in the symbols that a voice knows; Piper itself would leave out the others.

    Raises:
        SynthesisFailed: the voice knows neither a phoneme nor what `piper.toml` has in its place.
    """
    mapped = [sign for phoneme in phonemes for sign in ([phoneme] if phoneme in known else _nearest(phoneme, known))]
    unknown = sorted({sign for sign in mapped if sign not in known})
    if unknown:
        codes = ", ".join(f"{sign!r} (U+{ord(sign):04X})" for sign in unknown)
        raise SynthesisFailed(
            f"The Piper voice has no sound for {codes}: spell the text in the letters of its language, or add the "
            "phoneme to voicebot/voice/piper.toml."
        )
    return mapped


def _nearest(phoneme: str, known: Container[str]) -> str:
    """The first way to say `phoneme` in known symbols; the phoneme itself where there is none."""
    return next((way for way in _table().get(phoneme, ()) if all(sign in known for sign in way)), phoneme)


@cache
def _table() -> Mapping[str, Sequence[str]]:
    table: dict[str, list[str]] = tomllib.loads(
        resources.files(__package__).joinpath("piper.toml").read_text(encoding="utf-8")
    )["nearest"]
    return table


def _config_path(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _first_line(error: Exception) -> str:
    """What went wrong in a few words, without the full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
