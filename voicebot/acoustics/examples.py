"""Training examples: utterances sent over simulated lines, as features with a phone for each frame, in shards."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from voicebot.acoustics.features import BINS, FRAME_SHIFT, Features, mfcc
from voicebot.acoustics.speech import SPEECH_RATE_HZ, Utterance
from voicebot.acoustics.telephone import Event, Line, Random, Wave
from voicebot.audio.sound import TELEPHONE_RATE_HZ
from voicebot.language.phones import NOISE, PHONE_INDEX, SILENCE

Labels = NDArray[np.int8]
"""Index of the phone of each frame, shape (frames,)."""

_CENTRE = TELEPHONE_RATE_HZ // 80  # samples from a frame's beginning to its middle


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """Features with their labels."""

    features: NDArray[np.float16] | Features
    labels: Labels


@dataclass(frozen=True, slots=True)
class Variation:
    """How far copies of an utterance may differ from it."""

    rates: tuple[float, float]
    """Slowest and fastest playing, which moves tempo, pitch and formants alike."""
    warps: tuple[float, float]
    """Least and most warp of the formants alone."""


SYNTHETIC = Variation((0.84, 1.22), (0.88, 1.14))
"""For synthetic voices, which are few."""
HUMAN = Variation((0.84, 1.2), (0.84, 1.18))
"""For people, who are fewer than the kinds of throats that there are."""


def at_telephone_rate(utterance: Utterance, rate: float = 1.0) -> Wave:
    """The utterance at 8 kHz, played `rate` times as fast."""
    wave: Wave = soxr.resample(utterance.samples.astype(np.float64), SPEECH_RATE_HZ * rate, TELEPHONE_RATE_HZ)
    return wave


def example_of(utterance: Utterance, line: Line, variation: Variation, rng: Random) -> Example:
    """One copy of an utterance whose `segments` are known, as a telephone delivers it."""
    rate = rng.uniform(*variation.rates)
    call = line.through(at_telephone_rate(utterance, rate), rng)
    features = mfcc(call.wave, rng.uniform(*variation.warps))
    end = len(utterance.samples) / SPEECH_RATE_HZ
    segments = [*utterance.segments, (end, SILENCE)]
    labels = labels_of([(call.lead + s / rate * TELEPHONE_RATE_HZ, phone) for s, phone in segments], len(features))
    mark_events(labels, call.events)
    return Example(features.astype(np.float16), labels)


def example_without_speech(line: Line, rng: Random) -> Example:
    """A line on which nobody speaks."""
    call = line.without_speech(rng)
    features = mfcc(call.wave)
    labels = labels_of([], len(features))
    mark_events(labels, call.events)
    return Example(features.astype(np.float16), labels)


def labels_of(segments: Sequence[tuple[float, str]], frames: int) -> Labels:
    """The phone in the middle of each frame; silence before the first segment.

    Args:
        segments: the first sample of each phone, in order.
        frames: how many.
    """
    begins = np.array([-np.inf, *(begin for begin, _ in segments)])
    phones = np.array([PHONE_INDEX[SILENCE], *(PHONE_INDEX[phone] for _, phone in segments)], np.int8)
    middles = np.arange(frames) * FRAME_SHIFT + _CENTRE
    return phones[np.searchsorted(begins, middles, side="right") - 1]


def mark_events(labels: Labels, events: Iterable[Event]) -> None:
    """Label the frames whose middle lies in an event as noise, where they are silence so far."""
    middles = np.arange(len(labels)) * FRAME_SHIFT + _CENTRE
    for event in events:
        inside = (middles >= event.begin) & (middles < event.end) & (labels == PHONE_INDEX[SILENCE])
        labels[inside] = PHONE_INDEX[NOISE]


def segments_of(labels: NDArray[np.integer], names: Sequence[str]) -> tuple[tuple[float, str], ...]:
    """The beginning of each run of equal labels in seconds, and its phone: the inverse of `labels_of`.

    A boundary lies halfway between the middles of the two frames that it parts.
    """
    starts = [0, *(np.flatnonzero(np.diff(labels)) + 1)]
    half = FRAME_SHIFT / 2
    seconds = [max(0.0, (s * FRAME_SHIFT + _CENTRE - half) / TELEPHONE_RATE_HZ) if s else 0.0 for s in starts]
    return tuple((second, names[labels[start]]) for second, start in zip(seconds, starts, strict=True))


def write_examples(path: Path, examples: Sequence[Example]) -> None:
    """Write examples into one file, which appears only when it is complete."""
    ends = np.cumsum([len(example.labels) for example in examples])
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez(
            file,
            features=np.concatenate([e.features for e in examples] or [np.zeros((0, BINS), np.float16)]),
            labels=np.concatenate([e.labels for e in examples] or [np.zeros(0, np.int8)]),
            ends=ends,
        )
    os.replace(part, path)


def read_examples(path: Path) -> list[Example]:
    """The examples of one file."""
    with np.load(path) as archive:
        features, labels, ends = archive["features"], archive["labels"], archive["ends"]
    starts = [0, *ends[:-1]]
    return [Example(features[s:e], labels[s:e]) for s, e in zip(starts, ends, strict=True)]
