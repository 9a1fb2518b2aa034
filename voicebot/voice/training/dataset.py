"""What the training reads: a folder in Piper's layout, and the same in one small file that travels."""

from __future__ import annotations

import csv
import io
import os
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import soundfile

from voicebot.audio.wav import read_wav
from voicebot.voice.phonemes import mark_stress, stress_table

OPUS_LEVEL = 0.9
"""libsndfile's measure of compression: 6 + 250 · (1 - level) kbit/s, so about 31."""


@dataclass(frozen=True, slots=True)
class Quality:
    """A size of Piper's network, under the name that Piper's voices have."""

    rate_hz: int
    channels: int
    """Hidden and latent channels."""
    filter_channels: int


QUALITIES: Mapping[str, Quality] = {"x_low": Quality(16_000, 96, 384), "medium": Quality(22_050, 192, 768)}


def write_metadata(folder: Path, recordings: Iterable[tuple[str, str]]) -> None:
    """Write `metadata.csv`: files of `folder`/wavs and what is said in them, with the stress marked where it must be.

    Args:
        folder: of the dataset.
        recordings: names of files and texts.
    """
    rows = [(name, mark_stress(words, stress_table())) for name, words in recordings]
    partial = folder / "metadata.part"
    with partial.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="|").writerows(rows)
    os.replace(partial, folder / "metadata.csv")


def read_metadata(folder: Path) -> list[tuple[str, str]]:
    """Names of files and their texts."""
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return [(name, words) for name, words in csv.reader(file, delimiter="|")]


def pack(folder: Path, target: Path) -> None:
    """The dataset in one tar file, its speech as Opus; unpacked, Piper reads it as it is."""
    names = read_metadata(folder)
    partial = target.with_suffix(".part")
    with tarfile.open(partial, "w") as tar:
        for name, _ in names:
            sound = read_wav(folder / "wavs" / name)
            sound = sound.resampled(16_000 if sound.rate_hz <= 16_000 else 24_000)  # Opus has no 22,050 Hz
            content, coding = io.BytesIO(), {"format": "OGG", "subtype": "OPUS", "compression_level": OPUS_LEVEL}
            soundfile.write(content, sound.samples, sound.rate_hz, **coding)
            _add(tar, f"wavs/{Path(name).stem}.opus", content.getvalue())
        table = io.StringIO(newline="")
        csv.writer(table, delimiter="|").writerows((f"{Path(name).stem}.opus", words) for name, words in names)
        _add(tar, "metadata.csv", table.getvalue().encode())
    os.replace(partial, target)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
