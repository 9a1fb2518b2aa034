"""What happens to a voice on its way to the recogniser: rooms, noises, line filters, codecs and lost packets.

Sounds are floats in units of int16, mono at 8 kHz, shape (n,); every effect gives a new sound of the same length.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from voicebot.audio.sound import TELEPHONE_RATE_HZ

Wave = NDArray[np.float64]
Random = np.random.Generator

_PACKET = TELEPHONE_RATE_HZ // 50


# Codecs


def encoded(wave: Wave, container: str, subtype: str, compression: float | None = None) -> Wave:
    """`wave` through a codec of libsndfile and back, made as long as it was."""
    pcm = np.clip(np.round(wave), -32768, 32767).astype(np.int16)
    file = io.BytesIO()
    raw = container == "RAW"
    soundfile.write(
        file, pcm, TELEPHONE_RATE_HZ, format=container, subtype=subtype, closefd=False, compression_level=compression
    )
    file.seek(0)
    how = {"samplerate": TELEPHONE_RATE_HZ, "channels": 1, "format": "RAW", "subtype": subtype} if raw else {}
    decoded, rate_hz = soundfile.read(file, dtype="int16", **how)
    if rate_hz != TELEPHONE_RATE_HZ:
        raise ValueError(f"{container}/{subtype} changes the rate")
    return _fitted(decoded.astype(np.float64), len(wave))


def a_law(wave: Wave) -> Wave:
    """ITU-T G.711 A-law and back."""
    return encoded(wave, "RAW", "ALAW")


def mu_law(wave: Wave) -> Wave:
    """ITU-T G.711 mu-law and back."""
    return encoded(wave, "RAW", "ULAW")


def gsm(wave: Wave) -> Wave:
    """GSM 06.10 full rate and back."""
    return encoded(wave, "WAV", "GSM610")


def adpcm(wave: Wave) -> Wave:
    """ITU-T G.721 (32 kbit/s) and back, as cordless telephones have it."""
    return encoded(wave, "AU", "G721_32")


def opus(wave: Wave, compression: float = 0.9) -> Wave:
    """Opus and back; `compression` from 0 (best sound) to 1 (fewest bits)."""
    return encoded(wave, "OGG", "OPUS", compression)


def _fitted(wave: Wave, length: int) -> Wave:
    return wave[:length] if len(wave) >= length else np.pad(wave, (0, length - len(wave)))


# Lines


def band_limited(wave: Wave, low_hz: float = 300.0, high_hz: float = 3400.0, order: int = 4) -> Wave:
    """The telephone's band."""
    sections = butter(order, (low_hz, high_hz), "bandpass", fs=TELEPHONE_RATE_HZ, output="sos")
    filtered: Wave = sosfilt(sections, wave)
    return filtered


def tilted(wave: Wave, zero: float, pole: float = 0.0) -> Wave:
    """A microphone's or a line's spectral tilt: one zero and one pole, each in (-1, 1)."""
    filtered: Wave = lfilter([1.0, -zero], [1.0, -pole], wave)
    return filtered


def microphone(wave: Wave, rng: Random, depth_db: float) -> Wave:
    """An uneven microphone: a smooth curve of gains over frequency, each of eight knots within ±`depth_db`."""
    size = len(wave)
    knots_hz = np.linspace(0.0, TELEPHONE_RATE_HZ / 2, 8)
    gains_db = np.interp(np.fft.rfftfreq(size, 1 / TELEPHONE_RATE_HZ), knots_hz, rng.uniform(-depth_db, depth_db, 8))
    heard: Wave = np.fft.irfft(np.fft.rfft(wave) * 10 ** (gains_db / 20), size)
    return heard


def clipped(wave: Wave, share: float) -> Wave:
    """Overdriven: what lies above `share` of the peak is cut off."""
    limit = share * float(np.abs(wave).max(initial=0.0))
    return np.clip(wave, -limit, limit)


def with_packet_loss(wave: Wave, rng: Random, rate: float = 0.03, conceal: bool = True) -> Wave:
    """20 ms packets lost at `rate`, in bursts; concealed by the packet before, ever softer, or silent."""
    return concealed(wave, lost_packets(len(wave), rng, rate), conceal)


def lost_packets(size: int, rng: Random, rate: float) -> NDArray[np.bool_]:
    """Which 20 ms packets of `size` samples are lost: at `rate`, behind a lost one at 0.4; never the first."""
    lost = np.zeros(-(-size // _PACKET), np.bool_)
    for packet in range(1, len(lost)):
        lost[packet] = rate > 0 and rng.random() < (0.4 if lost[packet - 1] else rate)
    return lost


def concealed(wave: Wave, lost: NDArray[np.bool_], conceal: bool = True) -> Wave:
    """`wave` without its `lost` packets: the one before, ever softer, stands in their place, or silence."""
    lossy = wave.copy()
    fading = 1.0
    for packet, is_lost in enumerate(lost):
        fading = fading * 0.6 if is_lost else 1.0
        if is_lost:
            start = packet * _PACKET
            piece = lossy[max(0, start - _PACKET) : start][: len(wave) - start]
            place = lossy[start : start + _PACKET]
            place[:] = 0.6 * piece if conceal and fading > 0.1 and len(piece) == len(place) else 0.0
    return lossy


def gated(noise: Wave, begin: int, end: int, rng: Random) -> Wave:
    """`noise` as a sender lets it through that says nothing in pauses (DTX, 3GPP TS 26.093), or opens a microphone.

    It is whole from a little before sample `begin` to a little behind `end`, and at least 12 dB softer elsewhere.
    """
    opened, closed = (int(TELEPHONE_RATE_HZ * rng.uniform(0.05, 0.5)) for _ in range(2))
    softer = noise * (0.0 if rng.random() < 0.5 else 10 ** (rng.uniform(-40, -12) / 20))
    heard = slice(max(0, begin - opened), end + closed)
    softer[heard] = noise[heard]
    return softer


def in_room(wave: Wave, rng: Random, reverberation_s: float, wetness: float) -> Wave:
    """With the echo of a room: noise that dies away by 60 dB in `reverberation_s`, `wetness` of the direct sound."""
    size = max(2, int(TELEPHONE_RATE_HZ * reverberation_s))
    response = rng.standard_normal(size) * np.exp(-6.9 * np.arange(size) / size)
    response[: TELEPHONE_RATE_HZ // 500] = 0.0
    response *= wetness / np.sqrt(np.square(response).sum() + 1e-12)
    response[0] = 1.0
    echoed: Wave = fftconvolve(wave, response)[: len(wave)]
    return echoed


# Noises, each of power 1


def _unit(wave: Wave) -> Wave:
    return wave / (np.sqrt(np.square(wave).mean()) + 1e-9)


def white(size: int, rng: Random) -> Wave:
    """White noise."""
    return rng.standard_normal(size)


def coloured(size: int, rng: Random) -> Wave:
    """Noise that falls towards high frequencies, as in rooms and cars."""
    return _unit(lfilter([1.0], [1.0, -rng.uniform(0.5, 0.98)], rng.standard_normal(size)))


def hum(size: int, rng: Random) -> Wave:
    """Mains hum of 50 Hz with its harmonics over faint noise."""
    time = np.arange(size) / TELEPHONE_RATE_HZ
    wave = 0.2 * rng.standard_normal(size)
    for harmonic in range(1, 14):
        strength = rng.uniform(0.1, 1.0) / harmonic
        wave += strength * np.sin(2 * np.pi * 50 * harmonic * time + rng.uniform(0, 2 * np.pi))
    return _unit(wave)


def street(size: int, rng: Random) -> Wave:
    """Traffic: low noise that swells and fades, with engines in it."""
    time = np.arange(size) / TELEPHONE_RATE_HZ
    wave = np.zeros(size)
    for _ in range(rng.integers(2, 5)):
        swell = 1.1 + np.sin(2 * np.pi * rng.uniform(0.1, 0.8) * time + rng.uniform(0, 2 * np.pi))
        wave += rng.uniform(0.2, 1.0) * swell * coloured(size, rng)
    base_hz = rng.uniform(60, 160)
    drift = np.cumsum(1.0 + 0.1 * np.sin(2 * np.pi * rng.uniform(0.05, 0.4) * time)) / TELEPHONE_RATE_HZ
    engine = sum(np.sin(2 * np.pi * base_hz * harmonic * drift) / harmonic for harmonic in range(1, 8))
    return _unit(_unit(wave) + rng.uniform(0.0, 0.7) * np.asarray(engine))


def music(size: int, rng: Random) -> Wave:
    """Tunes: struck and held notes of a scale, one to three at a time, with a beat."""
    wave = np.zeros(size)
    beat = int(TELEPHONE_RATE_HZ * rng.uniform(0.12, 0.5))
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16])
    root = 110 * 2 ** (rng.integers(0, 24) / 12)
    decay_s = rng.uniform(0.08, 1.2)
    for start in range(0, size, beat):
        for _ in range(rng.integers(0, 4)):
            length = min(size - start, int(beat * rng.uniform(1, 4)))
            time = np.arange(length) / TELEPHONE_RATE_HZ
            pitch = root * 2 ** (rng.choice(scale) / 12)
            overtones = [h for h in range(1, 8) if pitch * h < 3900]
            note = sum(np.sin(2 * np.pi * pitch * h * time) / h ** rng.uniform(0.7, 2.0) for h in overtones)
            wave[start : start + length] += np.asarray(note) * np.exp(-time / decay_s) * rng.uniform(0.3, 1.0)
        if rng.random() < 0.5:
            drum = rng.standard_normal(min(size - start, 800))
            wave[start : start + len(drum)] += drum * np.exp(-np.arange(len(drum)) / rng.uniform(30, 200))
    return _unit(wave + 1e-3 * rng.standard_normal(size))


def tones(size: int, rng: Random) -> Wave:
    """Tones of a telephone network: dial, busy and ring-back tones, and pressed keys, with their cadence."""
    time = np.arange(size) / TELEPHONE_RATE_HZ
    if rng.random() < 0.5:
        pair = (rng.choice([697, 770, 852, 941]), rng.choice([1209, 1336, 1477]))
    else:
        pair = (rng.choice([350, 400, 425, 440, 480, 950, 1400]), rng.choice([0, 440, 450, 620]))
    period_s, duty = rng.choice([0.2, 0.5, 1.0, 4.0]), rng.uniform(0.25, 0.9)
    on = (time % period_s) < duty * period_s
    wave = np.sin(2 * np.pi * pair[0] * time) + np.sin(2 * np.pi * pair[1] * time)
    return _unit(wave * on + 1e-3 * rng.standard_normal(size))


def babble(size: int, rng: Random, pool: Sequence[Wave], voices: int | None = None) -> Wave:
    """As many `voices` of the `pool` at once, each begun somewhere; three to eight of them when None."""
    wave = np.zeros(size)
    for _ in range(voices or rng.integers(3, 9)):
        voice = _unit(pool[rng.integers(len(pool))])
        wave += np.resize(np.roll(voice, rng.integers(len(voice))), size) * rng.uniform(0.4, 1.0)
    return _unit(wave)


# Events: short loud sounds that are no speech, with a peak of 1


def _peak_one(wave: Wave) -> Wave:
    return wave / (np.abs(wave).max() + 1e-9)


def click(rng: Random) -> Wave:
    """One or a few clicks, as from a handset that is moved."""
    wave = np.zeros(int(TELEPHONE_RATE_HZ * rng.uniform(0.03, 0.4)))
    for _ in range(rng.integers(1, 5)):
        start = rng.integers(0, len(wave))
        tail = rng.standard_normal(min(300, len(wave) - start))
        wave[start : start + len(tail)] += tail * np.exp(-np.arange(len(tail)) / rng.uniform(3, 80))
    return _peak_one(wave)


def breath(rng: Random) -> Wave:
    """A breath: noise of a wide band that swells and fades."""
    size = int(TELEPHONE_RATE_HZ * rng.uniform(0.2, 1.0))
    low, high = rng.uniform(100, 900), rng.uniform(1500, 3800)
    noise = band_limited(rng.standard_normal(size), low, high, order=1)
    return _peak_one(noise * np.hanning(size) ** rng.uniform(0.4, 1.5))


def cough(rng: Random) -> Wave:
    """A cough: a sharp burst, a rough voiced part, a puff."""
    size = int(TELEPHONE_RATE_HZ * rng.uniform(0.2, 0.5))
    time = np.arange(size) / TELEPHONE_RATE_HZ
    pitch = rng.uniform(80, 300) * (1 - 0.4 * time / time[-1])
    rough = np.sign(np.sin(2 * np.pi * np.cumsum(pitch) / TELEPHONE_RATE_HZ)) * rng.uniform(0.0, 0.7)
    source = rng.standard_normal(size) + rough
    resonance_hz, radius = rng.uniform(400, 1400), rng.uniform(0.85, 0.96)
    turn = 2 * np.pi * resonance_hz / TELEPHONE_RATE_HZ
    shaped = lfilter([1.0], [1.0, -2 * radius * np.cos(turn), radius**2], source)
    return _peak_one(shaped * np.exp(-time / rng.uniform(0.04, 0.15)))


def knock(rng: Random) -> Wave:
    """A knock or a thump: a damped resonance."""
    size = int(TELEPHONE_RATE_HZ * rng.uniform(0.05, 0.4))
    turn = 2 * np.pi * rng.uniform(100, 3000) / TELEPHONE_RATE_HZ
    excited = rng.standard_normal(size) * np.exp(-np.arange(size) / rng.uniform(100, 2000))
    return _peak_one(lfilter([1.0], [1.0, -1.94 * np.cos(turn), 0.94], excited))


def beep(rng: Random) -> Wave:
    """A short stretch of telephone tones."""
    return _peak_one(tones(int(TELEPHONE_RATE_HZ * rng.uniform(0.08, 0.8)), rng))


def jingle(rng: Random) -> Wave:
    """A short stretch of music."""
    return _peak_one(music(int(TELEPHONE_RATE_HZ * rng.uniform(0.3, 1.5)), rng))


def crackle(rng: Random) -> Wave:
    """A line that crackles."""
    size = int(TELEPHONE_RATE_HZ * rng.uniform(0.1, 0.8))
    time = np.arange(size) / TELEPHONE_RATE_HZ
    return _peak_one(rng.standard_normal(size) * (np.sin(2 * np.pi * rng.uniform(2, 40) * time) > rng.uniform(0, 0.9)))


EVENTS: tuple[Callable[[Random], Wave], ...] = (click, breath, breath, cough, knock, beep, jingle, crackle)
BACKGROUNDS: tuple[Callable[[int, Random], Wave], ...] = (white, coloured, coloured, hum, street, street, music, tones)
CODECS: Mapping[str, tuple[float, Callable[[Wave], Wave]]] = {
    "none": (0.2, lambda wave: wave),
    "A-law": (0.4, a_law),
    "mu-law": (0.1, mu_law),
    "GSM": (0.12, gsm),
    "G.721": (0.04, adpcm),
    "Opus": (0.14, opus),
}
"""The codecs of the simulated lines with their shares."""


@dataclass(frozen=True, slots=True)
class Event:
    """A loud sound that is no speech."""

    begin: int
    """First sample."""
    end: int
    """The sample behind its last."""


@dataclass(frozen=True, slots=True)
class Call:
    """An utterance as it comes out of the telephone."""

    wave: Wave
    lead: int
    """Samples before the utterance's own first."""
    events: tuple[Event, ...]


class Line:
    """Draws a way through room, noise, line and codec for each utterance."""

    def __init__(self, voices: Sequence[Wave], effects: Sequence[Wave], tunes: Sequence[Wave] = ()) -> None:
        """Choose the material.

        Args:
            voices: speech for babble, at least one.
            effects: recorded sounds that are no speech; may be none.
            tunes: recorded pieces of music; may be none.
        """
        self._voices = voices
        self._effects = effects
        self._tunes = tunes

    def through(self, wave: Wave, rng: Random) -> Call:
        """Speech as a caller's line delivers it."""
        wave = self._from_the_mouth(wave, rng)
        level = _level(rng)
        wave = wave / (np.abs(wave).max(initial=0.0) + 1e-9) * level
        lead, tail = (int(TELEPHONE_RATE_HZ * rng.uniform(0.05, longest)) for longest in (0.9, 1.2))
        size = lead + len(wave) + tail
        call = np.zeros(size)
        call[lead : lead + len(wave)] = wave
        call, events = self._with_events(call, lead, tail, level, rng)
        background = self._background(size, np.square(wave).mean(), rng)
        call += gated(background, lead, lead + len(wave), rng) if rng.random() < 0.25 else background
        call = self._over_the_line(call, rng)
        return Call(call, lead, events)

    def without_speech(self, rng: Random) -> Call:
        """What is heard while nobody speaks, for 2 to 6 s: others far away, effects, noise, events, or nothing."""
        size = int(TELEPHONE_RATE_HZ * rng.uniform(2.0, 6.0))
        half, level = size // 2, _level(rng)
        call, events = self._with_events(np.zeros(size), half, size - half, level, rng)
        call += self._alone(size, rng) * level / 4
        return Call(self._over_the_line(call, rng), size, events)

    def _from_the_mouth(self, wave: Wave, rng: Random) -> Wave:
        if rng.random() < 0.4:
            wave = in_room(wave, rng, rng.uniform(0.08, 0.6), rng.uniform(0.05, 0.7))
        if rng.random() < 0.5:
            wave = tilted(wave, rng.uniform(-0.6, 0.6), rng.uniform(-0.4, 0.4))
        if rng.random() < 0.4:
            wave = microphone(wave, rng, rng.uniform(2.0, 10.0))
        return wave

    def _with_events(
        self, call: Wave, lead: int, tail: int, level: float, rng: Random
    ) -> tuple[Wave, tuple[Event, ...]]:
        """Sounds that are no speech, beside the utterance, where they can be told from it."""
        events = []
        for begin, end in ((0, lead), (len(call) - tail, len(call))):
            room = end - begin - 2 * FRAME
            if room < 400 or rng.random() > 0.3:
                continue
            sound = self._event(rng)[:room]
            at = begin + FRAME + int(rng.integers(0, room - len(sound) + 1))
            strength = level * 10 ** (rng.uniform(-24, 3) / 20)
            call[at : at + len(sound)] += strength * sound
            loud = np.flatnonzero(np.abs(sound) > 0.05)
            if strength > level / 10 and len(loud):
                events.append(Event(at + int(loud[0]), at + int(loud[-1]) + 1))
        return call, tuple(events)

    def _event(self, rng: Random) -> Wave:
        if self._effects and rng.random() < 0.4:
            effect = self._effects[rng.integers(len(self._effects))]
            start = int(rng.integers(0, max(1, len(effect) - 2000)))
            return _peak_one(effect[start : start + int(rng.uniform(0.1, 1.0) * TELEPHONE_RATE_HZ)])
        return EVENTS[rng.integers(len(EVENTS))](rng)

    def _alone(self, size: int, rng: Random) -> Wave:
        """A background that nobody speaks in front of, with a power of about 1; none at all now and then."""
        chance = rng.random()
        if chance < 0.05:
            return np.zeros(size)
        if chance < 0.3:
            return babble(size, rng, self._voices)
        if chance < 0.6 and self._effects:
            chosen = rng.integers(len(self._effects), size=4)
            return _unit(np.resize(np.concatenate([_peak_one(self._effects[number]) for number in chosen]), size))
        if chance < 0.75 and self._tunes:
            return self._tune(size, rng)
        return BACKGROUNDS[rng.integers(len(BACKGROUNDS))](size, rng)

    def _tune(self, size: int, rng: Random) -> Wave:
        """A stretch of recorded music."""
        tune = self._tunes[rng.integers(len(self._tunes))]
        return _unit(np.resize(np.roll(tune, -int(rng.integers(len(tune)))), size))

    def _background(self, size: int, speech_power: float, rng: Random) -> Wave:
        chance = rng.random()
        if chance < 0.12:
            return np.zeros(size)
        if chance < 0.44:
            noise, ratio_db = babble(size, rng, self._voices), rng.uniform(3, 27)
        elif chance < 0.50:  # the bot's own echo, or somebody else in the room
            noise, ratio_db = babble(size, rng, self._voices, voices=1), rng.uniform(18, 40)
        elif chance < 0.58 and self._effects:
            noise = _unit(np.resize(self._effects[rng.integers(len(self._effects))], size))
            ratio_db = rng.uniform(5, 35)
        elif chance < 0.62 and self._tunes:
            noise, ratio_db = self._tune(size, rng), rng.uniform(2, 35)
        else:
            noise, ratio_db = BACKGROUNDS[rng.integers(len(BACKGROUNDS))](size, rng), rng.uniform(2, 35)
        return noise * np.sqrt(speech_power / 10 ** (ratio_db / 10))

    def _over_the_line(self, call: Wave, rng: Random) -> Wave:
        if rng.random() < 0.6:
            call = band_limited(call, rng.uniform(100, 320), rng.uniform(3200, 3700), int(rng.integers(1, 5)))
        if rng.random() < 0.08:
            call = clipped(call, rng.uniform(0.2, 0.8))
        names = list(CODECS)
        shares = np.array([CODECS[name][0] for name in names])
        call = CODECS[names[rng.choice(len(names), p=shares / shares.sum())]][1](call)
        if rng.random() < 0.1:
            call = with_packet_loss(call, rng, rng.uniform(0.005, 0.05), bool(rng.random() < 0.7))
        return np.clip(np.round(call), -32768, 32767)


def _level(rng: Random) -> float:
    """The peak of a caller's sound."""
    return 10 ** float(rng.uniform(-36, -6) / 20) * 32768


FRAME = TELEPHONE_RATE_HZ // 100
"""Samples in 10 ms, the least distance between an event and the utterance."""
