"""The way of a caller's sound to the bot: level, room noise, codec, lost and late packets, the bot's own echo.

What a voice meets in training is made by `voicebot.acoustics.telephone`; so is this, with the values that are asked
for instead of drawn ones.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from voicebot.acoustics import telephone
from voicebot.acoustics.telephone import Random, Wave
from voicebot.audio.level import active_level_db
from voicebot.audio.sound import FRAME_MS, FRAME_SAMPLES, TELEPHONE_RATE_HZ, Samples, Sound

JITTER_BUFFER_MS = 60
"""What comes later than this is lost; many telephones begin with as much."""

SPEECH_DB = -22.0
"""Level of synthesised speech, in dB below full scale; it is what a telephone line often carries (ours)."""

EDGE_MS = 200
"""What is sent of the line before and behind everything that the caller says."""

NoiseKind = Literal["white", "hum", "street", "music", "tones", "car"]
SoundKind = Literal["cough", "click", "breath", "knock", "crackle"]
Codec = Literal["none", "a-law", "mu-law", "gsm", "g721", "opus"]

_NOISES: Mapping[str, Callable[[int, Random], Wave]] = {
    "white": telephone.white,
    "hum": telephone.hum,
    "street": telephone.street,
    "music": telephone.music,
    "tones": telephone.tones,
    "car": telephone.coloured,
}
_SOUNDS: Mapping[str, Callable[[Random], Wave]] = {
    "cough": telephone.cough,
    "click": telephone.click,
    "breath": telephone.breath,
    "knock": telephone.knock,
    "crackle": telephone.crackle,
}
_CODECS: Mapping[str, Callable[[Wave], Wave]] = {
    "none": lambda wave: wave,
    "a-law": telephone.a_law,
    "mu-law": telephone.mu_law,
    "gsm": telephone.gsm,
    "g721": telephone.adpcm,
    "opus": telephone.opus,
}


class Line(BaseModel):
    """What a line does to the caller's sound."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    codec: Codec = "none"
    """What it is coded by on its way; the legs of telephone and browser have codecs of their own besides."""
    level_db: float = Field(0.0, ge=-60, le=30)
    """How much louder than it was recorded."""
    noise: NoiseKind | None = None
    """What is to be heard around the caller all the time."""
    snr_db: float = Field(20.0, ge=-10, le=60)
    """How much weaker that is than the caller's speech."""
    loss: float = Field(0.0, ge=0, le=0.5)
    """Share of packets of 20 ms that are lost, in bursts."""
    jitter_ms: float = Field(0.0, ge=0, le=500)
    """Mean of the packets' random delay; what comes more than 60 ms late is lost."""
    echo_ms: int | None = Field(None, ge=20, le=1000)
    """After how long the bot's own voice comes back; only where recordings call."""
    echo_db: float = Field(-30.0, ge=-60, le=0)
    """How loud it comes back."""


@cache
def named_lines() -> Mapping[str, Line]:
    """The lines that have names."""
    text = resources.files(__package__).joinpath("lines.toml").read_text(encoding="utf-8")
    return TypeAdapter(dict[str, Line]).validate_python(tomllib.loads(text))


NamedLine = Literal[
    "clean", "a-law", "mu-law", "opus", "gsm", "loss-2", "loss-5", "jitter", "street-20", "street-10", "echo"
]
"""The names in `lines.toml`."""
assert set(get_args(NamedLine)) == set(named_lines())


def line_label(line: Line | NamedLine | None) -> str:
    """What reports call a line."""
    if line is None or isinstance(line, str):
        return line or "clean"
    return ", ".join(f"{name} {value}" for name, value in line.model_dump(exclude_defaults=True).items()) or "clean"


class OpenLine:
    """A line during one call. The same seed and the same speech give the same sound."""

    def __init__(self, line: Line, seed: str, speech: Sequence[Sound] = ()) -> None:
        """Begin a call.

        Args:
            line: what it does.
            seed: where its noise and losses come from.
            speech: what the caller will say; its mean level is what the noise is measured against.
        """
        self._line = line
        self._rng = np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]))
        waves = [_wave(sound) for sound in speech]
        levels = [active_level_db(wave / 32768.0, TELEPHONE_RATE_HZ) for wave in waves if wave.any()]
        self._speech_db = float(np.mean(levels)) if levels else SPEECH_DB
        self._around = self._noise(10 * TELEPHONE_RATE_HZ)
        self._position = 0
        self._bot: deque[Samples] = deque([np.zeros(FRAME_SAMPLES, np.int16)] * ((line.echo_ms or 0) // FRAME_MS))

    def carry(self, sound: Sound) -> Sound:
        """What comes out when the caller makes `sound`, at 8 kHz, with a little of the line around it."""
        edge = np.zeros(EDGE_MS * TELEPHONE_RATE_HZ // 1000)
        wave = np.concatenate([edge, _wave(sound) * 10 ** (self._line.level_db / 20), edge])
        wave = np.pad(wave, (0, -len(wave) % FRAME_SAMPLES))
        if self._line.noise is not None:
            wave += np.resize(np.roll(self._around, -self._position), len(wave))
        wave = _CODECS[self._line.codec](np.clip(wave, -32768, 32767))
        lost = telephone.lost_packets(len(wave), self._rng, self._line.loss)
        if self._line.jitter_ms:
            lost |= self._rng.exponential(self._line.jitter_ms, len(lost)) > JITTER_BUFFER_MS
        return Sound(_pcm(telephone.concealed(wave, lost)), TELEPHONE_RATE_HZ)

    def between(self) -> Samples:
        """The next 20 ms while the caller makes no sound."""
        return _pcm(self._around[self._position : self._position + FRAME_SAMPLES])

    def pass_on(self, frame: Samples, bot: Samples) -> Samples:
        """Let 20 ms pass: `frame` as it reaches the bot, which now says `bot`."""
        self._position = (self._position + FRAME_SAMPLES) % len(self._around)
        if self._line.echo_ms is None:
            return frame
        self._bot.append(bot)
        return _pcm(frame + self._bot.popleft() * 10 ** (self._line.echo_db / 20))

    def _noise(self, size: int) -> Wave:
        if self._line.noise is None:
            return np.zeros(size)
        level = 32768.0 * 10 ** ((self._speech_db + self._line.level_db - self._line.snr_db) / 20)
        return _NOISES[self._line.noise](size, self._rng) * level


def sound_of(kind: SoundKind | NoiseKind, for_ms: int, seed: str) -> Sound:
    """A noise, or a short sound as often as it fits, about as loud as speech."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]))
    size = for_ms * TELEPHONE_RATE_HZ // 1000
    if kind in _NOISES:
        wave = _NOISES[kind](size, rng) * 32768.0 * 10 ** (SPEECH_DB / 20)
    else:
        wave, pause = _SOUNDS[kind](rng), np.zeros(TELEPHONE_RATE_HZ // 4)
        while len(longer := np.concatenate([wave, pause, _SOUNDS[kind](rng)])) <= size:
            wave = longer
        wave = wave * 32768.0 * 10 ** (-12 / 20)
    return Sound(_pcm(wave), TELEPHONE_RATE_HZ)


def levelled(sound: Sound, level_db: float) -> Sound:
    """`sound` made louder by `level_db`; what passes full scale is clipped."""
    return Sound(_pcm(sound.samples * 10 ** (level_db / 20)), sound.rate_hz)


def at_speech_level(sound: Sound) -> Sound:
    """Speech at `SPEECH_DB`."""
    return levelled(sound, SPEECH_DB - active_level_db(sound.samples / 32768.0, sound.rate_hz))


def _wave(sound: Sound) -> Wave:
    return sound.resampled(TELEPHONE_RATE_HZ).samples.astype(np.float64)


def _pcm(wave: NDArray[np.floating]) -> Samples:
    return np.clip(np.round(wave), -32768, 32767).astype(np.int16)
