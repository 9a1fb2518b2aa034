"""The phrase cache: what a voice has said once is kept on disk and in memory; how it is said is left to the voice."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import soundfile

from voicebot.audio.sound import Sound
from voicebot.voice.synthesizer import EMPHASIS_TEMPO, SENTENCE_PAUSE_MS, Synthesizer, VoiceUnavailable, split_sentences

DEFAULT_MAX_BYTES = 256 * 1024 * 1024
"""Bound of the files on disk: more than three hours of speech at 24 kHz."""

DEFAULT_MEMORY_BYTES = 32 * 1024 * 1024
"""Bound of the samples that are kept in memory."""

_SUFFIX = ".flac"
_KEY_FILE = "key"


class CachedSynthesizer:
    """A `Synthesizer` in front of another that renders each sentence once.

    A sentence may hold a customer's digits. So a file's name is a keyed hash (HMAC-SHA-256 with a random key that lies
    in the folder, readable to its owner alone) and nothing but sound is in the file; with `keep=False` a sentence
    leaves no file at all. Whoever can read the folder can listen to the files: keep it as safe as recordings of calls.
    """

    def __init__(
        self,
        voice: Synthesizer,
        folder: Path,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
    ) -> None:
        """Open the cache in `folder`, which is made if it is not there.

        Args:
            voice: speaks what is not cached.
            folder: of this cache alone; any number of voices and processes may share it.
            max_bytes: the least recently used files go when all of them together pass this.
            memory_bytes: likewise for the samples in memory; 0 keeps none.

        Raises:
            VoiceUnavailable: the folder cannot be written.
        """
        self._voice = voice
        self._folder = folder
        self._max_bytes = max_bytes
        self._memory_bytes = memory_bytes
        self._memory: OrderedDict[str, Sound] = OrderedDict()
        self._in_memory = 0
        self._rendering: dict[str, Future[Sound]] = {}
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._key = _open_key(folder / _KEY_FILE)
            self._on_disk = sum(path.stat().st_size for path in folder.glob(f"*{_SUFFIX}"))
        except OSError as error:
            raise VoiceUnavailable(
                f"The phrase cache in {folder} cannot be used: {error.strerror or error}. "
                "Name a folder that can be written in the settings."
            ) from error

    @property
    def name(self) -> str:
        """Name of the voice behind the cache."""
        return self._voice.name

    @property
    def bytes_on_disk(self) -> int:
        """What its files take, as far as this process knows."""
        return self._on_disk

    def synthesize(self, text: str, language: str = "bg", *, emphasis: bool = False, keep: bool = True) -> Sound:
        """Speak `text`; see `Synthesizer`. With `keep=False` nothing that was not there before reaches the disk."""
        parts = list(self.stream(text, language, emphasis=emphasis, keep=keep))
        return parts[0].then(*parts[1:]) if len(parts) > 1 else parts[0]

    def stream(self, text: str, language: str = "bg", *, emphasis: bool = False, keep: bool = True) -> Iterator[Sound]:
        """Speak `text` sentence by sentence, each as soon as it is there; a pause leads all but the first.

        Sentences are cached one by one: the first sound of a long answer waits for its first sentence only, and a
        sentence that two answers share is rendered once.
        """
        for number, sentence in enumerate(split_sentences(text) or [text]):
            sound = self._sentence(sentence, language, emphasis, keep)
            yield Sound.silence(SENTENCE_PAUSE_MS, sound.rate_hz).then(sound) if number else sound

    def holds(self, text: str, language: str = "bg", *, emphasis: bool = False) -> bool:
        """Whether every sentence of `text` can be spoken without rendering."""
        keys = [self._key_of(sentence, language, emphasis) for sentence in split_sentences(text)]
        with self._lock:
            return all(key in self._memory or self._path(key).is_file() for key in keys)

    def _sentence(self, sentence: str, language: str, emphasis: bool, keep: bool) -> Sound:
        """One sentence from memory, from disk or from the voice; who comes second waits for the first."""
        key = self._key_of(sentence, language, emphasis)
        with self._lock:
            if key in self._memory:
                self._memory.move_to_end(key)
                return self._memory[key]
            waiting = self._rendering.get(key)
            if waiting is None:
                mine = self._rendering[key] = Future()
        if waiting is not None:
            return waiting.result()
        try:
            sound = self._read(key)
            if sound is None:
                sound = self._voice.synthesize(sentence, language, emphasis=emphasis)
                if keep:
                    self._write(key, sound)
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(sound)
            with self._lock:
                self._remember(key, sound)
            return sound
        finally:
            with self._lock:
                del self._rendering[key]

    def _key_of(self, sentence: str, language: str, emphasis: bool) -> str:
        manner = (f"emphasis {EMPHASIS_TEMPO:g}",) if emphasis else ()
        message = "\0".join((self._voice.name, language, sentence, *manner)).encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"

    def _read(self, key: str) -> Sound | None:
        """The sound on disk, or None if it is not there; a damaged file is removed."""
        path = self._path(key)
        try:
            samples, rate_hz = soundfile.read(path, dtype="int16")
        except (OSError, RuntimeError):  # libsndfile's own errors are RuntimeErrors
            with contextlib.suppress(OSError):
                size = path.stat().st_size
                path.unlink()
                self._shrink_count(size)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # what was used last goes last
        return Sound(np.ascontiguousarray(samples), rate_hz)

    def _write(self, key: str, sound: Sound) -> None:
        """Store `sound` under its name in one step; a full disk only costs the next caller a rendering."""
        try:
            with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as file:
                try:
                    soundfile.write(file, sound.samples, sound.rate_hz, format="FLAC", subtype="PCM_16")
                    file.close()
                    size = Path(file.name).stat().st_size
                    os.replace(file.name, self._path(key))
                finally:
                    Path(file.name).unlink(missing_ok=True)
        except (OSError, RuntimeError):
            return
        with self._lock:
            self._on_disk += size
            too_much = self._on_disk > self._max_bytes
        if too_much:
            self._evict()

    def _evict(self) -> None:
        """Remove the files that were used longest ago until nine tenths of the bound are kept."""
        entries = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(OSError):  # another process may have removed it
                status = path.stat()
                entries.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self._max_bytes * 9 // 10:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size
        with self._lock:
            self._on_disk = total

    def _shrink_count(self, size: int) -> None:
        with self._lock:
            self._on_disk -= size

    def _remember(self, key: str, sound: Sound) -> None:
        """Keep `sound` in memory, if it fits, and forget what was used longest ago. The lock is held."""
        if sound.samples.nbytes > self._memory_bytes or key in self._memory:
            return
        self._memory[key] = sound
        self._in_memory += sound.samples.nbytes
        while self._in_memory > self._memory_bytes:
            _, forgotten = self._memory.popitem(last=False)
            self._in_memory -= forgotten.samples.nbytes


def _open_key(path: Path) -> bytes:
    """The cache's own random key, made when the folder is new; two processes that begin together agree on one."""
    with contextlib.suppress(FileExistsError), tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part") as fresh:
        fresh.write(secrets.token_bytes(32))
        fresh.flush()
        os.link(fresh.name, path)
    key = path.read_bytes()
    if len(key) != 32:
        raise OSError(f"{path} is damaged: remove the folder")
    return key
