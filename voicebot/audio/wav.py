"""WAV files to `Sound` and back: any rate, width, channels and G.711; it leaves resampling to `Sound`."""

from __future__ import annotations

import io
import os
import struct
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from voicebot.audio.sound import Sound
from voicebot.errors import VoicebotError

MAX_DURATION_S = 600
"""Longest recording that is read; a call's utterance is far shorter."""

_RIFF = {b"RIFF": "<", b"RIFX": ">"}
_UNKNOWN_SIZES = (0, 0xFFFFFFFF, 0x7FFFFFFF)
"""Sizes that programs write into a WAV header when they stream and cannot go back to mend it."""


class UnreadableWav(VoicebotError):
    """A file that is not a whole WAV recording."""


def read_wav(path: Path | str) -> Sound:
    """Read a WAV file, its channels mixed to one, at its own rate.

    Raises:
        UnreadableWav: missing, not a WAV, cut off, without samples, or longer than `MAX_DURATION_S`.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise UnreadableWav(f"{path} does not exist: give the path of a WAV file.") from None
    except OSError as error:
        raise UnreadableWav(f"{path} cannot be read: {error.strerror or error}.") from None
    return parse_wav(content, str(path))


def parse_wav(content: bytes, name: str = "The recording") -> Sound:
    """The same for a WAV in memory; `name` is what the error sentences call it."""
    if not content:
        raise UnreadableWav(f"{name} is empty: record it again.")
    promised, found = _data_sizes(content)
    if promised is None:
        raise UnreadableWav(f"{name} is not a WAV file: convert it, for example with 'sox {name} out.wav'.")
    if promised > found and promised not in _UNKNOWN_SIZES:
        raise UnreadableWav(
            f"{name} is cut off: its header promises {promised} bytes of sound and {found} are there; copy it again."
        )
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            rate_hz = file.samplerate
            if rate_hz <= 0 or file.frames > MAX_DURATION_S * rate_hz:
                raise UnreadableWav(f"{name} is longer than {MAX_DURATION_S} s: cut it into single utterances.")
            floats = file.read(dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise UnreadableWav(f"{name} is not a WAV file that can be read: {error.error_string.rstrip('.')}.") from None
    if not len(floats):
        raise UnreadableWav(f"{name} holds no sound: record it again.")
    return Sound.from_float(np.nan_to_num(floats.mean(axis=1)), rate_hz)


def write_wav(path: Path | str, sound: Sound) -> None:
    """Write 16-bit PCM; the file appears whole or not at all.

    Raises:
        VoicebotError: the folder is missing or cannot be written.
    """
    target = Path(path)
    content = to_wav(sound)
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise VoicebotError(f"{target} cannot be written: {error.strerror or error}.") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise VoicebotError(f"{target} cannot be written: {error.strerror or error}.") from None


def to_wav(sound: Sound) -> bytes:
    """`sound` as the bytes of a WAV file, 16-bit PCM."""
    buffer = io.BytesIO()
    soundfile.write(buffer, sound.samples, sound.rate_hz, subtype="PCM_16", format="WAV")
    return buffer.getvalue()


def _data_sizes(content: bytes) -> tuple[int | None, int]:
    """Bytes that the data chunk promises and bytes that are there; (None, 0) when it is no RIFF WAVE."""
    order = _RIFF.get(content[:4])
    if order is None or content[8:12] != b"WAVE":
        return None, 0
    position = 12
    while position + 8 <= len(content):
        (size,) = struct.unpack(order + "I", content[position + 4 : position + 8])
        if content[position : position + 4] == b"data":
            return size, len(content) - position - 8
        position += 8 + size + size % 2
    (size,) = struct.unpack(order + "I", content[4:8])
    return max(size, 1), 0
