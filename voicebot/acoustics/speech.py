"""Speech for training as it is stored: `Utterance`s in shards of one file; where speech comes from is for others."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicebot.audio.sound import Samples

SPEECH_RATE_HZ = 16_000
"""Rate at which speech for training is kept; the telephone's band comes later, when lines are simulated."""

Phones = tuple[str, ...]
"""One pronunciation of a word: names of phones."""


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """A recording and what is said in it."""

    samples: Samples
    """int16 mono at `SPEECH_RATE_HZ`."""
    words: tuple[tuple[Phones, ...], ...]
    """For each word the pronunciations it may have."""
    speaker: str
    source: str
    """Name of the corpus."""
    text: str = ""
    segments: tuple[tuple[float, str], ...] = ()
    """Where timings are known: the beginning of each phone in seconds, silence included."""


def write_shard(path: Path, utterances: Sequence[Utterance]) -> None:
    """Write utterances into one file, which appears only when it is complete."""
    described = [
        {
            "words": utterance.words,
            "speaker": utterance.speaker,
            "source": utterance.source,
            "text": utterance.text,
            "segments": utterance.segments,
        }
        for utterance in utterances
    ]
    ends = np.cumsum([len(utterance.samples) for utterance in utterances])
    samples: NDArray[np.int16] = np.concatenate([utterance.samples for utterance in utterances] or [np.zeros(0, "<i2")])
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez(file, samples=samples, ends=ends, described=np.array(json.dumps(described, ensure_ascii=False)))
    os.replace(part, path)


def read_shard(path: Path) -> list[Utterance]:
    """The utterances of one file."""
    with np.load(path) as archive:
        samples, ends = archive["samples"], archive["ends"]
        described = json.loads(str(archive["described"]))
    starts = [0, *ends[:-1]]
    return [
        Utterance(
            samples[start:end],
            tuple(tuple(tuple(phones) for phones in word) for word in entry["words"]),
            entry["speaker"],
            entry["source"],
            entry["text"],
            tuple((second, phone) for second, phone in entry["segments"]),
        )
        for start, end, entry in zip(starts, ends, described, strict=True)
    ]


def read_shards(folder: Path) -> Iterator[Utterance]:
    """The utterances of all shards in `folder`, in the order of the files' names."""
    for path in sorted(folder.glob("*.npz")):
        yield from read_shard(path)
