"""The espeak-ng library with its phoneme events: formant speech whose every phone has an exact beginning.

The library is the system's (Debian: libespeak-ng1). It is one for the process and keeps its voice as state.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from voicebot.acoustics.pronunciation import phones_of_ipa
from voicebot.audio.sound import Samples
from voicebot.errors import VoicebotError
from voicebot.language.phones import SILENCE

_LIBRARY = "libespeak-ng.so.1"
_RETRIEVAL, _PHONEME_EVENTS, _PHONEMES_IN_IPA = 1, 1, 2  # speak_lib.h: output mode, bits of initialize's options
_UTF8 = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_LIST_TERMINATED, _PHONEME = 0, 7


class EspeakMissing(VoicebotError):
    """The library is not installed."""


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class Manner:
    """How espeak-ng speaks."""

    voice: str
    """Language, with a variant behind a plus: "bg+f2"."""
    words_a_minute: int
    pitch: int
    """0 to 100."""
    pitch_range: int
    """0 (flat) to 100."""


class EspeakLibrary:
    """The loaded library."""

    def __init__(self) -> None:
        """Load it; raises `EspeakMissing`."""
        try:
            self._library = ctypes.CDLL(_LIBRARY)
        except OSError as error:
            raise EspeakMissing(f"{_LIBRARY} cannot be loaded: apt install espeak-ng.") from error
        self.rate_hz: int = self._library.espeak_Initialize(_RETRIEVAL, 0, None, _PHONEME_EVENTS | _PHONEMES_IN_IPA)
        """Rate of what it says."""
        self._pieces: list[Samples] = []
        self._segments: list[tuple[float, str]] = []
        self._callback = _Callback(self._take)
        self._library.espeak_SetSynthCallback(self._callback)

    def _take(self, wave: Any, count: int, events: Any) -> int:
        if wave and count > 0:
            self._pieces.append(np.ctypeslib.as_array(wave, (count,)).copy())
        number = 0
        while events[number].type != _LIST_TERMINATED:
            if events[number].type == _PHONEME:
                name = events[number].id.string.decode("utf-8", errors="replace")
                self._segments.append((events[number].sample / self.rate_hz, name))
            number += 1
        return 0

    def say(self, text: str, manner: Manner) -> tuple[Samples, tuple[tuple[float, str], ...]]:
        """Speak `text`: samples at `rate_hz`, and the beginning of each phone in seconds.

        Raises:
            ValueError: there is no such voice.
        """
        self._pieces, self._segments = [], []
        library = self._library
        if library.espeak_SetVoiceByName(manner.voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {manner.voice!r}")
        settings = ((_RATE, manner.words_a_minute), (_PITCH, manner.pitch), (_RANGE, manner.pitch_range))
        for parameter, value in settings:
            library.espeak_SetParameter(parameter, value, 0)
        spoken = text.encode()
        library.espeak_Synth(spoken, len(spoken) + 1, 0, 1, 0, _UTF8, None, None)
        library.espeak_Synchronize()
        samples = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.int16)
        return samples, tuple(_phone_segments(self._segments))


def _phone_segments(events: list[tuple[float, str]]) -> Iterator[tuple[float, str]]:
    """Events as phones; what has no sound of its own belongs to the phone before it."""
    for second, name in events:
        if name.startswith("_") or not name:
            yield second, SILENCE
        elif phones := phones_of_ipa(name, soft=False):
            yield second, phones[-1]


@cache
def espeak_library() -> EspeakLibrary:
    """The one library of this process. Raises `EspeakMissing`."""
    return EspeakLibrary()


def variants() -> list[str]:
    """Names of the voice variants that sound like people, without effects."""
    strange = ("demonic", "croak", "robot", "robo", "whisper", "storm", "tweaky", "klatt", "antonio", "ed", "marcelo")
    folders = Path("/usr/lib").glob("*/espeak-ng-data/voices/!v")
    names = {path.name for folder in folders for path in folder.iterdir()}
    return sorted(name for name in names if not any(part in name.lower() for part in strange))
