"""Real speech for training: reads what Debian packages carry and folders of recordings with their texts.

Where speech has no timings it gets, for each word, the phones that espeak-ng gives it in its language; where in the
recording they are is for `alignment` to find.
"""

from __future__ import annotations

import csv
import gzip
import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from voicebot.acoustics.pronunciation import Words, espeak_ipa, words_of_ipa
from voicebot.acoustics.speech import SPEECH_RATE_HZ, Utterance
from voicebot.audio.sound import Samples, Sound
from voicebot.errors import VoicebotError
from voicebot.language.phones import PHONE_INDEX
from voicebot.voice.phonemes import stress_table

SHORTEST_S, LONGEST_S = 0.25, 12.0
"""Recordings outside of these lengths are left out."""


class CorpusError(VoicebotError):
    """Speech for training that cannot be read."""


@cache
def corpus_table() -> dict[str, Any]:
    """What stands in corpora.toml."""
    text = resources.files(__package__).joinpath("corpora.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def debian_packages() -> list[str]:
    """The Debian packages that carry speech for training."""
    table = corpus_table()
    languages = table["asterisk"]["voices"].values()
    asterisk = [table["asterisk"]["packages"].format(language=language) for language in languages]
    fillets = [table["fillets"]["packages"].format(language=language) for language in table["fillets"]["languages"]]
    others = [table[name]["package"] for name in ("festvox_russian", "tuxpaint", "klettres")]
    return [*others, table["fillets"]["package"], *fillets, *asterisk]


def require(path: Path, package: str) -> None:
    """Raise `CorpusError` with the package to install when `path` does not exist."""
    if not path.exists():
        raise CorpusError(f"{path} is missing: apt install {package}.")


def festvox_russian() -> Iterator[Utterance]:
    """The Russian sentences of festvox-ru, with its own phone timings. Raises `CorpusError`."""
    table = corpus_table()["festvox_russian"]
    folder = Path(table["folder"])
    require(folder, table["package"])
    for path in sorted((folder / "wav").glob("*.wav")):
        labels = folder / "lab" / f"{path.stem}.lab"
        if labels.is_file():
            segments = tuple(_festvox_segments(labels.read_text(encoding="latin-1"), table["labels"]))
            yield Utterance(_read(path), (), "festvox-ru", "festvox", "", segments)


def _festvox_segments(text: str, names: dict[str, str]) -> Iterator[tuple[float, str]]:
    """Beginnings and phones of a label file, whose lines give the end of each label."""
    begin = 0.0
    for line in text.splitlines():
        columns = line.split()
        if len(columns) == 3:
            label = columns[2]
            doubled = f"{label[0]}ʲ" if label[1:] == label[0] else label
            phone = names.get(label) or next(p for p in (label, doubled, label[0]) if p in PHONE_INDEX)
            yield begin, phone
            begin = float(columns[0])


def asterisk_prompts() -> Iterator[Utterance]:
    """The prompts, numbers and letters of the Asterisk sound packages. Raises `CorpusError`."""
    table = corpus_table()["asterisk"]
    for voice, language in table["voices"].items():
        folder = Path(table["sounds"]) / voice
        texts = Path(table["texts"].format(language=language))
        for path in (folder, texts):
            require(path, table["packages"].format(language=language))
        for line in gzip.decompress(texts.read_bytes()).decode("utf-8", errors="replace").splitlines():
            name, _, text = line.partition(":")
            path = folder / f"{name.strip()}.wav"
            text = re.sub(r"\[.*?\]|\(.*?\)", " ", text).strip()
            if text and not line.startswith(";") and path.is_file():
                yield from _told(path, text, language, f"asterisk-{language}", "asterisk")


def tuxpaint_descriptions() -> Iterator[Utterance]:
    """The spoken descriptions of Tux Paint's stamps: children's words and sentences. Raises `CorpusError`."""
    table = corpus_table()["tuxpaint"]
    folder = Path(table["folder"])
    require(folder, table["package"])
    for path in sorted(folder.rglob("*.txt")):
        texts = dict(line.split(".utf8=", 1) for line in _lines(path) if ".utf8=" in line)
        for language in table["languages"]:
            recording = path.with_name(f"{path.stem}_desc_{language}.ogg")
            text = re.sub(r"\(.*?\)", " ", texts.get(language, "")).strip()
            if text and recording.is_file():
                yield from _told(recording, text, language, f"tuxpaint-{language}", "tuxpaint")


def fillets_dialogues() -> Iterator[Utterance]:
    """The dialogues of the game Fish Fillets, played by Czech and by Dutch actors. Raises `CorpusError`."""
    table = corpus_table()["fillets"]
    folder = Path(table["folder"])
    for language in table["languages"]:
        require(folder / "sound" / "airplane" / language, table["packages"].format(language=language))
        for path in sorted((folder / "script").glob(f"*/*dialogs_{language}.lua")):
            for name, font, text in _LUA_DIALOGUE.findall(path.read_text(encoding="utf-8", errors="replace")):
                recording = folder / "sound" / path.parent.name / language / f"{name}.ogg"
                if recording.is_file():
                    yield from _told(
                        recording, text.replace("\\", ""), language, f"fillets-{language}-{font}", "fillets"
                    )


_LUA_DIALOGUE = re.compile(r'dialogId\("([^"]+)", "([^"]*)".*\s*dialogStr\("((?:[^"\\]|\\.)*)"')


def klettres_sounds() -> Iterator[Utterance]:
    """The letters and syllables of KLettres, one speaker for each language. Raises `CorpusError`."""
    table = corpus_table()["klettres"]
    folder = Path(table["folder"])
    require(folder, table["package"])
    for path in sorted(folder.glob("*/sounds.xml")):
        language = path.parent.name
        for text, file in _KLETTRES_SOUND.findall(path.read_text(encoding="utf-8", errors="replace")):
            recording = folder / file
            if language not in table["left_out"] and recording.is_file():
                yield from _told(recording, text.lower(), language, f"klettres-{language}", "klettres")


_KLETTRES_SOUND = re.compile(r'<sound\s+name="([^"]+)"\s+file="([^"]+)"')


def sound_effects() -> Iterator[Samples]:
    """Sounds that are no speech, at `SPEECH_RATE_HZ`: the animals, engines and tools of Tux Paint's stamps."""
    table = corpus_table()["tuxpaint"]
    require(Path(table["folder"]), table["package"])
    for path in sorted(Path(table["folder"]).rglob("*")):
        if path.suffix in (".ogg", ".wav") and "_desc" not in path.name:
            samples = _read(path)
            if len(samples) > SPEECH_RATE_HZ // 10:
                yield samples


def music() -> Iterator[Samples]:
    """Pieces of music at `SPEECH_RATE_HZ`: those of Fish Fillets."""
    table = corpus_table()["fillets"]
    folder = Path(table["folder"]) / "music"
    require(folder, table["package"])
    for path in sorted(folder.glob("*.ogg")):
        yield _read(path)


def folder_of_recordings(folder: Path) -> Iterator[Utterance]:
    """The recordings of a folder, in one of two layouts.

    Either `index.tsv` with the columns path, text, lang, speaker; or a data set of Common Voice, with `validated.tsv`
    and a folder `clips`.

    Raises:
        CorpusError: the folder has neither, or a table without these columns.
    """
    index, common_voice = folder / "index.tsv", folder / "validated.tsv"
    if index.is_file():
        base, table, columns = folder, index, ("path", "text", "lang", "speaker")
    elif common_voice.is_file():
        base, table, columns = folder / "clips", common_voice, ("path", "sentence", "locale", "client_id")
    else:
        raise CorpusError(f"{folder} is no corpus: it has neither index.tsv nor validated.tsv.")
    with table.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        missing = [name for name in columns if name not in (rows.fieldnames or ())]
        if missing:
            raise CorpusError(f"{table} lacks the column {missing[0]}.")
        for row in rows:
            path, text, language, speaker = (row[name] for name in columns)
            yield from _told(base / path, text, language, speaker[:24], folder.name)


def _told(path: Path, text: str, language: str, speaker: str, source: str) -> Iterator[Utterance]:
    """The recording at `path` as an utterance, unless it is too short, too long, too quiet or cannot be said."""
    samples = _read(path)
    if not SHORTEST_S <= len(samples) / SPEECH_RATE_HZ <= LONGEST_S or np.abs(samples.astype(np.int32)).max() < 200:
        return
    words = pronounce(text, language)
    if words:
        yield Utterance(samples, words, speaker, source, text)


def pronounce(text: str, language: str) -> Words:
    """How espeak-ng says `text`; nothing for a language that it does not know."""
    voice = corpus_table()["espeak_voices"].get(language, language).lower()
    try:
        ipa = espeak_ipa(text, voice, stress_table() if language == "bg" else None)
    except (RuntimeError, ValueError):
        return ()
    for sign, meant in corpus_table()["espeak_signs"].get(language, {}).items():
        ipa = ipa.replace(sign, meant)
    return words_of_ipa(ipa, soft=language != "bg")


def _read(path: Path) -> Samples:
    """A recording as mono at `SPEECH_RATE_HZ`; what libsndfile cannot read goes through ffmpeg."""
    try:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.SoundFileError:
        return _read_by_ffmpeg(path)
    return Sound.from_float(samples.mean(axis=1), rate_hz).resampled(SPEECH_RATE_HZ).samples


def _read_by_ffmpeg(path: Path) -> Samples:
    command = ["ffmpeg", "-v", "quiet", "-i", str(path), "-ar", str(SPEECH_RATE_HZ), "-ac", "1", "-f", "s16le", "-"]
    try:
        raw = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise CorpusError(f"{path} cannot be read as sound (ffmpeg must be installed for such files).") from error
    return np.frombuffer(raw, "<i2").astype(np.int16)


def _lines(path: Path) -> Iterable[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()
