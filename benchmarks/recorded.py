"""Recorded material of the test sets: people who say digits or other things, prompts, cries, effects and music."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from utterances import Item, Row, read_table

from voicebot.acoustics import telephone
from voicebot.audio.sound import TELEPHONE_RATE_HZ, Sound
from voicebot.errors import VoicebotError

HEDGEWARS = Path("/usr/share/games/hedgewars/Data/Sounds")
"""Sounds and voices of Debian's hedgewars-data."""

MUSIC = Path("/usr/share/asterisk/moh")
"""Music on hold of Debian's asterisk-moh-opsound-wav."""

PROMPTS = "usr/share/asterisk/sounds"
"""Prompts in the unpacked packages asterisk-prompt-es-co and asterisk-prompt-fr-armelle."""

CRIES = ("PoisonCough", "PoisonMoan", "Laugh", "Ooff", "Ow", "Ouch", "Hmm", "Uh-oh", "Nooo", "Jump", "Kamikaze")
"""How the names of hedgewars' voice files begin in which somebody coughs, laughs or cries out and says no words."""

CUT_SPEAKERS = ("sr-peri",)
"""Speakers whose recordings are filed under a digit but are up to ten seconds long: something is told in them."""

DIGITS: Mapping[str, Mapping[str, str]] = {
    "uk": {},
    "mk": dict(zip("нула еден два три четири пет шест седум осум девет".split(), "0123456789", strict=True)),
    "sr": dict(zip("нула један два три четири пет шест седам осам девет".split(), "0123456789", strict=True)),
    "ru": {},
    "sl": {},
    "cs": {},
    "sk": {},
    "pl": {},
    "bg": dict(zip("нула едно две три четири пет шест седем осем девет".split(), "0123456789", strict=True)),
}
"""Digits by their names where they are filed under them; what is filed under figures needs none."""


class MaterialError(VoicebotError):
    """Recordings that are not there or cannot be read."""


def load(path: Path) -> Sound:
    """A recording in any form, its channels mixed to one; what libsndfile cannot read goes through ffmpeg."""
    try:
        floats, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        return Sound.from_float(floats.mean(axis=1), rate_hz)
    except soundfile.LibsndfileError:
        command = ["ffmpeg", "-v", "quiet", "-i", str(path), "-ar", "8000", "-ac", "1", "-f", "s16le", "-"]
    try:
        raw = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise MaterialError(f"{path} cannot be read as sound (it needs ffmpeg).") from error
    return Sound(np.frombuffer(raw, "<i2").astype(np.int16), TELEPHONE_RATE_HZ)


def recorded(path: Path, row: Row) -> Item:
    """A recording as it is."""
    return Item(row, f"{path}", partial(load, path))


# People


@dataclass(frozen=True)
class Clip:
    """A recording of one digit."""

    path: Path
    digit: str


def people(
    folder: Path, language: str, collection: str, joined: int, seed: int, kind: str = "human", part: str = "test"
) -> Iterator[Item]:
    """Single digits of a collection, and `joined` strings of seven digits for each speaker who says most digits.

    Args:
        folder: has an `index.tsv` with the columns path, text, lang and speaker.
        language: which digits the texts name.
        collection: part of the paths.
        joined: strings for each speaker with eight digits or more.
        seed: of what is joined.
        kind: human or synthetic.
        part: the rest of the paths, before it.
    """
    clips: dict[str, list[Clip]] = {}
    for row in index(folder, f"{part}/{collection}/"):
        digit = DIGITS[language].get(row["text"], row["text"])
        if len(digit) == 1 and digit.isdecimal() and row["speaker"] not in CUT_SPEAKERS:
            clips.setdefault(row["speaker"], []).append(Clip(folder / row["path"], digit))

    def about(speaker: str, digits: str, grammar: str, manner: str) -> Row:
        names = {digit: name for name, digit in DIGITS[language].items()}
        text = " ".join(names.get(digit, digit) for digit in digits)
        return Row(text, digits, "", grammar, speaker, collection, language, kind, manner)

    single, string = ("identifier", "identifier") if language == "bg" else ("digit", "string")
    for speaker, own in clips.items():
        for clip in own:
            yield recorded(clip.path, about(speaker, clip.digit, single, "single"))
    rng = random.Random(f"{seed} {collection}")
    for speaker in sorted(clips):
        if len({clip.digit for clip in clips[speaker]}) < 8:
            continue
        for _ in range(joined):
            chosen = rng.choices(clips[speaker], k=7)
            gaps_s = [rng.uniform(0.08, 0.4) for _ in chosen]
            digits = "".join(clip.digit for clip in chosen)
            row = about(speaker, digits, string, "joined")
            paths = [clip.path for clip in chosen]
            yield Item(row, f"{paths} {gaps_s}", partial(join, paths, gaps_s))


def join(paths: Sequence[Path], gaps_s: Sequence[float]) -> Sound:
    """Recordings one after another, trimmed and each equally loud, with a gap behind each."""
    rate_hz = 16_000
    pieces = []
    for path, gap_s in zip(paths, gaps_s, strict=True):
        wave = load(path).resampled(rate_hz).samples.astype(np.float64)
        loud = np.flatnonzero(np.abs(wave) > 0.03 * np.abs(wave).max())
        margin = rate_hz // 25
        wave = wave[max(0, loud[0] - margin) : loud[-1] + margin]
        pieces += [0.5 * wave / np.abs(wave).max(), np.zeros(int(rate_hz * gap_s))]
    return Sound.from_float(np.concatenate(pieces), rate_hz)


def other_words(folder: Path, collection: str, kind: str) -> Iterator[Item]:
    """Recordings of Bulgarian words that are no numbers."""
    numbers = {"нула", "ноль", "десет", "единадесет", "дванадесет", "сто", "хиляда"} | set(DIGITS["bg"])
    for row in index(folder, f"test/{collection}/"):
        if not set(row["text"].lower().split()) & numbers:
            about = Row(row["text"], voice=row["speaker"], engine=collection, kind=kind, manner="word")
            yield recorded(folder / row["path"], about)


def index(folder: Path, beginning: str) -> list[dict[str, str]]:
    """The rows of a folder's index whose path begins so."""
    table = folder / "index.tsv"
    if not table.is_file():
        raise MaterialError(f"{table} is missing: give the folder of people's recordings as --people.")
    return [row for row in read_table(table) if row["path"].startswith(beginning)]


# Foreign speech


def foreign(folder: Path, packages: Path, each: int, seed: int) -> Iterator[Item]:
    """People who speak other languages: prompts, exclamations of a game, the hours of a clock."""
    rng = random.Random(f"{seed} foreign")
    for language, package in (("es", "asterisk-prompt-es-co"), ("fr", "asterisk-prompt-fr-armelle")):
        paths = sorted((packages / PROMPTS / language).glob("*.gsm"))
        require(bool(paths), package, packages)
        for path in rng.sample(paths, min(each, len(paths))):
            yield recorded(
                path, Row("", voice=package, engine=package, language=language, kind="human", manner="prompt")
            )
    voices = HEDGEWARS / "voices"
    require(voices.is_dir(), "hedgewars-data")
    paths = [path for path in sorted(voices.glob("*/*.ogg")) if not path.stem.startswith((*CRIES, "Firepunch"))]
    for path in rng.sample(paths, 2 * each):
        voice = f"hedgewars-{path.parent.name}"
        row = Row("", voice=voice, engine="hedgewars", language="?", kind="human", manner="exclamation")
        yield recorded(path, row)
    for row in index(folder, "test/ukrainian-clock/"):
        if len(row["text"]) > 1:  # the single digits sound as Bulgarian ones do
            about = Row("", voice=row["speaker"], engine="ukrainian-clock", language="uk", kind="human", manner="hour")
            yield recorded(folder / row["path"], about)


def require(there: bool, package: str, unpacked: Path | None = None) -> None:
    """Raise `MaterialError` with what to install, or to unpack, unless the material is there."""
    if not there and unpacked:
        raise MaterialError(
            f"{package} is missing: 'apt-get download {package}' and unpack it by 'dpkg-deb -x' into {unpacked} "
            "(installed it would push out the prompts that training reads)."
        )
    if not there:
        raise MaterialError(f"{package} is missing: apt install {package}.")


# No speech


def no_speech(seed: int) -> Iterator[Item]:
    """Coughs and cries, effects, music, lines without a caller; recordings but for the noises of `telephone`."""
    rng = random.Random(f"{seed} no speech")
    require(HEDGEWARS.is_dir(), "hedgewars-data")
    require(MUSIC.is_dir(), "asterisk-moh-opsound-wav")
    cries = [path for path in sorted((HEDGEWARS / "voices").glob("*/*.ogg")) if path.stem.startswith(CRIES)]
    coughs = [path for path in cries if path.stem == "PoisonCough"]
    others = sorted(set(cries) - set(coughs))
    for manner, paths in (
        ("cough", coughs),
        ("cry", rng.sample(others, 60)),
        ("effect", [path for path in sorted(HEDGEWARS.glob("*.ogg")) if soundfile.info(path).duration < 8]),
    ):
        for path in paths:
            kind = "recorded" if manner == "effect" else "human"
            voice = f"hedgewars-{path.parent.name}"
            yield recorded(path, Row("", voice=voice, engine="hedgewars", kind=kind, manner=manner))
    for path in sorted(MUSIC.glob("*.wav")):
        for _ in range(10):
            begin_s, length_s = round(rng.uniform(2, soundfile.info(path).duration - 8), 2), round(rng.uniform(1, 5), 2)
            row = Row("", voice=path.stem, engine="asterisk-moh", kind="recorded", manner="music")
            yield Item(row, f"{path} {begin_s} {length_s}", partial(part, path, begin_s, length_s))
    for name, noise in NOISES.items():
        for number in range(10):
            row = Row("", voice=name, engine="voicebot", kind="synthetic", manner=name)
            yield Item(row, f"{name} {number} {seed}", partial(noise_alone, noise, [seed, number]))


def part(path: Path, begin_s: float, length_s: float) -> Sound:
    """A stretch of a recording."""
    sound = load(path)
    begin = int(begin_s * sound.rate_hz)
    return Sound(sound.samples[begin : begin + int(length_s * sound.rate_hz)], sound.rate_hz)


Noise = Callable[[int, telephone.Random], telephone.Wave]

NOISES: Mapping[str, Noise] = {
    "street": telephone.street,
    "hum": telephone.hum,
    "tones": telephone.tones,
    "faint noise": lambda size, rng: 0.002 * telephone.coloured(size, rng),
    "silence": lambda size, rng: np.zeros(size),
}
"""Lines without a caller; the generators are those that training uses, the seeds are not."""


def noise_alone(noise: Noise, seed: Sequence[int]) -> Sound:
    """A few seconds of a noise."""
    rng = np.random.default_rng(seed)
    wave = noise(int(TELEPHONE_RATE_HZ * rng.uniform(1.0, 4.0)), rng)
    return Sound.from_float(np.clip(0.08 * wave, -1, 1), TELEPHONE_RATE_HZ)
