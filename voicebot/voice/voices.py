"""Known voices and how to get one: the table, fetching a voice's files with their digests checked, opening by name."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import tempfile
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import IO, Any

import platformdirs

from voicebot.voice.espeak import EspeakVoice
from voicebot.voice.kokoro import KokoroVoice
from voicebot.voice.piper import PiperVoice
from voicebot.voice.synthesizer import Synthesizer, VoiceUnavailable

DEFAULT_VOICE = "kokoro:jm_kumo"
"""The voice that works on a machine without network."""

OWN_VOICES = Path(__file__).parents[2] / "models" / "voices"
"""Where the recipe of `voicebot.voice.training` puts the voices that it makes."""

CONNECT_TIMEOUT_S = 20.0
"""Longest wait for a server's answer, and for each block of data from it."""

_BLOCK = 1 << 16
_LARGEST_UNSTATED = 1 << 20  # bytes that a file without a stated size may have

Progress = Callable[[str, int, int | None], None]
"""Told of a download: name of the file, bytes so far, bytes in all if known."""


class FetchFailed(VoiceUnavailable):
    """A voice that could not be brought from its source; nothing was left behind."""


@dataclass(frozen=True, slots=True)
class VoiceFile:
    """One file of a voice at its source."""

    name: str
    """Name of the file, here and there."""
    size: int | None = None
    """Bytes, when they are known beforehand."""
    md5: str | None = None
    """Digest in hexadecimal, as the catalogue of Piper's voices states it; guards against damage, not malice."""


@dataclass(frozen=True, slots=True)
class KnownVoice:
    """What the table says of a voice."""

    name: str
    """What `open_voice` takes."""
    engine: str
    """"piper", "kokoro" or "espeak"."""
    language: str
    """Language that it speaks best."""
    licence: str
    """Under which it may be used."""
    source: str
    """Address of the folder that its files lie in, or of the package's page."""
    note: str
    """One sentence for people."""
    files: tuple[VoiceFile, ...] = field(default=())
    """What `fetch` brings; empty for a voice that comes with a package."""


def default_folder() -> Path:
    """Where fetched voices are kept if the settings name no other folder."""
    return platformdirs.user_data_path("voicebot") / "voices"


def default_voice(folder: Path = OWN_VOICES) -> str:
    """The voice of whoever chooses none: the first Piper voice that lies complete in `folder`, else `DEFAULT_VOICE`."""
    made = sorted(path for path in folder.glob("*.onnx") if path.with_name(f"{path.name}.json").is_file())
    return str(made[0]) if made else DEFAULT_VOICE


@cache
def known_voices() -> Mapping[str, KnownVoice]:
    """The table of voices, by name."""
    table = tomllib.loads(resources.files(__package__).joinpath("voices.toml").read_text(encoding="utf-8"))
    return {
        name: KnownVoice(name=name, **{**entry, "files": tuple(VoiceFile(**file) for file in entry.get("files", ()))})
        for name, entry in table.items()
    }


def open_voice(
    name: str = DEFAULT_VOICE, *, folder: Path | None = None, threads: int = 2, speed: float = 1.0
) -> Synthesizer:
    """The voice called `name`, ready to speak.

    Args:
        name: "kokoro:STYLE" or "kokoro"; "espeak"; the path of a Piper `.onnx` file, or the name of one in `folder`.
        folder: of Piper voices; `default_folder()` if None.
        threads: of one inference, for Kokoro.
        speed: tempo, for Kokoro.

    Raises:
        VoiceUnavailable: with a sentence that says how to get the voice.
    """
    engine, _, style = name.partition(":")
    if engine == "kokoro":
        return KokoroVoice(style or "jm_kumo", speed, threads=threads)
    if name == "espeak":
        return EspeakVoice()
    voices = folder or default_folder()
    path = Path(name) if name.endswith(".onnx") else voices / f"{name}.onnx"
    if path.is_file() or name.endswith(".onnx"):
        return PiperVoice(path)
    known = known_voices().get(name)
    if known and known.files:
        raise VoiceUnavailable(
            f"The voice {name} is not here yet: run voicebot voices fetch {name}. {_by_hand(known, voices)}"
        )
    names = ", ".join(known_voices())
    raise VoiceUnavailable(
        f"There is no voice {name!r} in {voices}: take one of {names}, or the path of an .onnx file."
    )


def fetch(
    name: str,
    folder: Path | None = None,
    *,
    source: str | None = None,
    progress: Progress | None = None,
    timeout_s: float = CONNECT_TIMEOUT_S,
) -> Path:
    """Bring a voice's files from its source and check them; files that are here and whole are left as they are.

    Args:
        name: of a voice in the table that has files.
        folder: where they go; `default_folder()` if None.
        source: address of another folder that holds the same files, such as a mirror in the house.
        progress: told after every block.
        timeout_s: longest wait for an answer and for each block.

    Returns:
        The `.onnx` file.

    Raises:
        FetchFailed: no network, a wrong digest, a file cut short: in every case no file is left half-written.
        VoiceUnavailable: the table has no such voice, or it needs no fetching.
    """
    known = known_voices().get(name)
    if known is None or not known.files:
        can = ", ".join(voice.name for voice in known_voices().values() if voice.files)
        reason = "comes with a package and needs no fetching" if known else "is not in the table of voices"
        raise VoiceUnavailable(f"The voice {name} {reason}: what can be fetched is {can}.")
    target = folder or default_folder()
    base = (source or known.source).rstrip("/") + "/"
    try:
        target.mkdir(parents=True, exist_ok=True)
        for file in known.files:
            if not _is_whole(target / file.name, file):
                _download(base + file.name, target / file.name, file, progress, timeout_s)
    except _Rejected as error:
        raise FetchFailed(f"The voice {name} was not fetched: {error}. {_by_hand(known, target)}") from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise FetchFailed(
            f"The voice {name} was not fetched: {base} does not answer ({_reason(error)}). {_by_hand(known, target)}"
        ) from error
    except OSError as error:
        raise FetchFailed(f"The voice {name} was not stored in {target}: {error.strerror or error}.") from error
    return target / known.files[0].name


class _Rejected(Exception):
    """What came is not what the table says."""


def _download(url: str, path: Path, file: VoiceFile, progress: Progress | None, timeout_s: float) -> None:
    """Stream `url` into a temporary file beside `path`, check it, and only then give it its name."""
    request = urllib.request.Request(url, headers={"User-Agent": "voicebot"})
    with (
        urllib.request.urlopen(request, timeout=timeout_s) as answer,
        tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as partial,
    ):
        try:
            _copy(answer, partial, file, progress)
            partial.close()
            if not _is_whole(Path(partial.name), file):
                raise _Rejected(f"{file.name} from {url} is not the file that was expected")
            os.chmod(partial.name, 0o644)
            os.replace(partial.name, path)
        finally:
            Path(partial.name).unlink(missing_ok=True)


def _copy(answer: Any, target: IO[bytes], file: VoiceFile, progress: Progress | None) -> None:
    limit = file.size if file.size is not None else _LARGEST_UNSTATED
    stated = answer.headers.get("Content-Length")
    total = int(stated) if stated and stated.isdecimal() else file.size
    done = 0
    while block := answer.read(_BLOCK):
        done += len(block)
        if done > limit:
            raise _Rejected(f"{file.name} is larger than the {limit} bytes that were expected")
        target.write(block)
        if progress:
            progress(file.name, done, total)
    if total is not None and done < total:
        raise _Rejected(f"{file.name} was cut short: {done} of {total} bytes came")


def _is_whole(path: Path, file: VoiceFile) -> bool:
    """Whether `path` is there and is what the table says of `file`."""
    if not path.is_file() or (file.size is not None and path.stat().st_size != file.size):
        return False
    if file.md5 is not None:
        with path.open("rb") as content:
            return hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == file.md5
    try:
        return "phoneme_id_map" in json.loads(path.read_bytes())
    except ValueError:
        return False


def _by_hand(known: KnownVoice, folder: Path) -> str:
    """The way without network, as one sentence."""
    names = " and ".join(file.name for file in known.files)
    return f"Without network, copy {names} from {known.source} into {folder}."


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP status {error.code}"
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, OSError):
        return error.reason.strerror or type(error.reason).__name__
    return str(error) or type(error).__name__
