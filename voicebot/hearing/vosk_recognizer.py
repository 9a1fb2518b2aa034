"""Recognition by Vosk: loads one model for each grammar and turns what Vosk hears into readings.

What the words mean is the grammar's affair, how graphs are made that of `voicebot.acoustics.graph`.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from voicebot.acoustics.compact import CompactModel
from voicebot.acoustics.graph import SECOND_PASS, SETTINGS, load_settings
from voicebot.audio.level import Levels, levels_db
from voicebot.audio.sound import TELEPHONE_RATE_HZ, Samples
from voicebot.hearing.confidence import (
    UNKNOWN_WORD,
    Calibration,
    CalibrationError,
    Evidence,
    SpokenWord,
    parse_calibrations,
)
from voicebot.hearing.kernels import suitable_kernels
from voicebot.hearing.recognizer import Reading, RecognitionError, UnknownGrammar
from voicebot.hearing.second_pass import SecondPass
from voicebot.language.lexicon import load_lexicon
from voicebot.language.srgs import Grammar, Meaning, load_grammar

with suitable_kernels():
    import vosk

_MANIFEST = "manifest.json"
_CONFIDENCE = "confidence.toml"
_POSTERIOR_SCALE = 1.0
"""What differences between scores are multiplied by before they become probabilities; the scores already carry the
acoustic scale of the model's configuration."""

_SURE_SHARE = 0.95
"""What is heard with a smaller share than this is heard again, faster and slower."""
_OTHER_TEMPOS = (0.93, 1.07)
"""How fast: tempo and pitch together, as a tape would play it."""
_SECOND_SAY = 0.5
"""How much the second pass has to say: the power of its probabilities."""
_SECOND_FLOOR = 1e-3
"""What is added to them, because what it finds impossible may still be right."""
_PATIENCE_S = 0.3
"""What took more processor time than this to hear is not heard again, because the caller waits meanwhile: that is long
music, mostly."""

_AHEAD = np.zeros(TELEPHONE_RATE_HZ * 120 // 1000, np.int16)
"""Silence that is imagined behind what was heard until a word is known: the network hears 240 ms behind a sound before
it says what it was, and half of that is enough for a guess."""
_GUESSING_S = 0.3
"""Most processor time for the guesses of an utterance, each of which hears it from its beginning."""

_CHUNK_FRAMES = 9
"""Frames of 10 ms that are decoded at a time. Vosk's 20 make the first partial reading come 100 ms later; fewer than
9 win nothing more and cost time."""

vosk.SetLogLevel(-1)


class ModelError(RecognitionError):
    """A recognition model that is missing, incomplete or damaged."""


def check_model(model: Path) -> tuple[str, ...]:
    """Check every file of a model against its manifest and return the names of its grammars.

    Vosk itself ends the process at some damaged files, so nothing reaches it unchecked.

    Raises:
        ModelError: the model or one of its files is missing or is not what the manifest says.
    """
    if not model.is_dir():
        raise ModelError(f"There is no recognition model at {model}: set the path to one that has a {_MANIFEST}.")
    try:
        manifest = json.loads((model / _MANIFEST).read_text(encoding="utf-8"))
        files: dict[str, dict[str, Any]] = manifest["files"]
        grammars = tuple(sorted(manifest["graphs"]))
        expected = {name: (entry["bytes"], entry["sha256"]) for name, entry in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{model / _MANIFEST} is missing or damaged: fetch the model again.") from error
    for name, (size, digest) in expected.items():
        path = model / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path} is missing: fetch the model again or run `make graphs`.") from error
        if len(content) != size or hashlib.sha256(content).hexdigest() != digest:
            raise ModelError(f"{path} is damaged: fetch the model again or run `make graphs`.")
    return grammars


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One word sequence that Vosk found."""

    words: tuple[str, ...]
    """The words, among them perhaps `[unk]` for a stretch of unknown ones."""
    score: float
    """Logarithm of its likelihood, up to a constant that all hypotheses of an utterance share."""
    durations_s: tuple[float, ...] = ()
    """How long each word lasts, in seconds."""
    begins_s: tuple[float, ...] = ()
    """When each word begins, in seconds of the utterance."""
    hearing: int = 0
    """In which hearing of the utterance it was scored; scores of one hearing alone can be compared."""
    second_pass: bool = False
    """Whether the score is that of the second pass."""

    @property
    def spoken(self) -> list[SpokenWord]:
        """The words with their times."""
        times = zip(self.words, self.begins_s, self.durations_s, strict=True)
        return [SpokenWord(word, begin_s, begin_s + duration_s) for word, begin_s, duration_s in times]

    @property
    def known_share(self) -> float:
        """The part of the speaking time in which known words are said, 0 to 1."""
        spoken = sum(self.durations_s)
        if not spoken:
            return 1.0
        unknown = sum(
            duration for word, duration in zip(self.words, self.durations_s, strict=True) if word == UNKNOWN_WORD
        )
        return 1.0 - unknown / spoken

    def meanings(self, grammar: Grammar) -> list[tuple[Meaning, float]]:
        """What the known words can mean, with shares that sum to 1, likeliest first, at least one.

        Nothing when unknown words stand between digits, which could be digits too.
        """
        known = [word for word in self.words if word != UNKNOWN_WORD]
        found = grammar.meanings(known) if known else []
        if not found or (found[0][0].digits and UNKNOWN_WORD in _inside(self.words)):
            return [(Meaning(), 1.0)]
        return found


def _inside(words: Sequence[str]) -> Sequence[str]:
    """What stands between the first and the last known word."""
    known = [place for place, word in enumerate(words) if word != UNKNOWN_WORD]
    return words[known[0] : known[-1] + 1] if known else ()


Judge = Callable[[Hypothesis, float], float]
"""Gives the confidence of a reading, 0 to 1, from its best hypothesis and its share among all of them."""


def plain_confidence(hypothesis: Hypothesis, share: float) -> float:
    """The share, less where unknown words are said too: for a model that was not calibrated."""
    return min(1.0, share * hypothesis.known_share)


def calibrated(calibration: Calibration, heard_db: Levels) -> Judge:
    """A judge by a model's own weights, for an utterance with these levels."""

    def confidence(hypothesis: Hypothesis, share: float) -> float:
        return calibration.probability(Evidence.of(share, hypothesis.score, hypothesis.spoken, heard_db))

    return confidence


def weighed(hypotheses: Sequence[Hypothesis], grammar: Grammar) -> dict[Meaning, tuple[float, Hypothesis]]:
    """What an utterance can mean, likeliest first, each with its probability and its likeliest hypothesis of Vosk.

    Where there was a second pass, the probabilities of both are multiplied, that of the second one to the power of
    `_SECOND_SAY`: their errors are different ones. That is so among meanings; how likely it is that nothing was said
    which has one is the first pass's to say, because the second one takes more noises for words.
    """
    shares = _shares([one for one in hypotheses if not one.second_pass], grammar)
    second = _shares([one for one in hypotheses if one.second_pass], grammar)
    if second:
        weights = {
            meaning: share * ((second[meaning][0] if meaning in second else 0.0) + _SECOND_FLOOR) ** _SECOND_SAY
            for meaning, (share, _) in shares.items()
            if meaning != Meaning()
        }
        meant = sum(share for meaning, (share, _) in shares.items() if meaning != Meaning())
        total = sum(weights.values()) or 1.0
        shares |= {meaning: (meant * weight / total, shares[meaning][1]) for meaning, weight in weights.items()}
    return dict(sorted(shares.items(), key=lambda item: -item[1][0]))


def _shares(hypotheses: Sequence[Hypothesis], grammar: Grammar) -> dict[Meaning, tuple[float, Hypothesis]]:
    """The probability of each meaning by one network, with its likeliest hypothesis.

    The probability of a hypothesis is its share among those of its hearing (their softmax); each of its meanings has
    its share of that. That of a meaning is the sum over hypotheses, and the mean over hearings.
    """
    hearings: dict[int, list[Hypothesis]] = {}
    for hypothesis in hypotheses:
        hearings.setdefault(hypothesis.hearing, []).append(hypothesis)
    shares = []
    for found in hearings.values():
        best = max(hypothesis.score for hypothesis in found)
        likelihoods = [math.exp(_POSTERIOR_SCALE * (hypothesis.score - best)) for hypothesis in found]
        total = sum(likelihoods) * len(hearings)
        shares += [(hypothesis, likelihood / total) for hypothesis, likelihood in zip(found, likelihoods, strict=True)]
    merged: dict[Meaning, tuple[float, Hypothesis]] = {}
    for hypothesis, share in sorted(shares, key=lambda pair: -pair[1]):
        for meaning, part in hypothesis.meanings(grammar):
            probability, first = merged.get(meaning, (0.0, hypothesis))
            merged[meaning] = (probability + share * part, first)
    return merged


def readings_of(hypotheses: Sequence[Hypothesis], grammar: Grammar, judge: Judge = plain_confidence) -> list[Reading]:
    """Readings, likeliest first: each meaning of each hypothesis, with equal ones made one.

    `judge` makes a confidence of the probability of a reading; confidences never sum to more than 1, and where nothing
    was understood there is none.
    """
    if not hypotheses:
        return [Reading("", 0.0)]
    readings = []
    for meaning, (probability, hypothesis) in weighed(hypotheses, grammar).items():
        if meaning == Meaning():
            readings.append(Reading("", 0.0))
        else:
            text = " ".join(word for word in hypothesis.words if word != UNKNOWN_WORD)
            confidence = judge(hypothesis, probability)
            readings.append(Reading(text, confidence, meaning.digits, meaning.intent, meaning.ordinal, meaning.month))
    excess = max(1.0, sum(reading.confidence for reading in readings))
    return [replace(reading, confidence=reading.confidence / excess) for reading in readings]


def _read_calibrations(path: Path) -> Mapping[str, Calibration]:
    """How sure readings are by grammar; none where the model was not calibrated."""
    if not path.is_file():
        return {}
    try:
        return parse_calibrations(path.read_text(encoding="utf-8"))
    except CalibrationError as error:
        raise ModelError(f"{path} cannot be used: {error}; run benchmarks/calibration.py again.") from error


class VoskStream:
    """One utterance on its way through Vosk.

    Vosk reports endpoints of its own; they are not listened to, so an utterance is one however long its pauses.
    """

    def __init__(
        self,
        decoder_at: Callable[[float], Any],
        grammar: Grammar,
        calibration: Calibration | None = None,
        second_pass: SecondPass | None = None,
    ) -> None:
        """Begin to hear.

        Args:
            decoder_at: makes a decoder of sound that has so many samples a second.
            grammar: what words mean.
            calibration: how sure readings are.
            second_pass: scores what was found in what is unsure.
        """
        self._decoder_at = decoder_at
        self._decoder = decoder_at(TELEPHONE_RATE_HZ)
        self._grammar = grammar
        self._calibration = calibration
        self._second_pass = second_pass
        self._heard: list[Samples] = []
        self._spent_s = 0.0
        self._guessing_s = _GUESSING_S

    def accept(self, samples: Samples) -> None:
        """Hear more of the utterance: int16 mono at 8 kHz, any length."""
        self._heard.append(samples)
        self._spent_s += _decode(self._decoder, samples)

    def partial(self) -> Reading:
        """The best reading of what was heard so far; its confidence is 0, because nothing was compared yet."""
        words, known = _partial(self._decoder)
        if known:
            self._guessing_s = 0.0
        guessed = self._guessing_s > 0.0
        if guessed:
            decoder = self._decoder_at(TELEPHONE_RATE_HZ)
            self._guessing_s -= _decode(decoder, np.concatenate([*self._heard, _AHEAD]))
            words, known = _partial(decoder)
        hypothesis = Hypothesis(tuple(words), 0.0)
        meaning = hypothesis.meanings(self._grammar)[0][0]
        if meaning == Meaning() and known and UNKNOWN_WORD not in _inside(words):
            meaning = self._grammar.interpret_prefix(known) or meaning
        text = " ".join(known)
        return Reading(text, 0.0, meaning.digits, meaning.intent, meaning.ordinal, meaning.month, guessed)

    def finish(self) -> list[Reading]:
        """The readings of the whole utterance, best first, at least one; the stream is spent."""
        hypotheses = self.hypotheses()
        if self._calibration is None:
            return readings_of(hypotheses, self._grammar)
        return readings_of(hypotheses, self._grammar, calibrated(self._calibration, self.heard_db))

    def hypotheses(self) -> list[Hypothesis]:
        """The word sequences that fit the whole utterance; the stream is spent.

        Where no meaning of them is sure, the utterance is heard again at other tempos, and what fits then is added:
        what is right is mostly right at each of them, what is wrong is another error at each.
        """
        found = _found(self._decoder)
        likeliest = max((share for share, _ in weighed(found, self._grammar).values()), default=1.0)
        if likeliest < _SURE_SHARE and self._spent_s <= _PATIENCE_S:
            heard = np.concatenate(self._heard)
            for hearing, tempo in enumerate(_OTHER_TEMPOS, 1):
                decoder = self._decoder_at(TELEPHONE_RATE_HZ * tempo)
                _decode(decoder, heard)
                found += _found(decoder, hearing, tempo)
            if self._second_pass is not None:
                found += _scored_again(found, heard, self._second_pass)
        return found

    @property
    def heard_db(self) -> Levels:
        """Levels of what was heard so far."""
        return levels_db(np.concatenate(self._heard)) if self._heard else np.zeros(0)


def _decode(decoder: Any, samples: Samples) -> float:
    """Let a decoder hear samples; returns the processor time that it took, in seconds."""
    begun_s = time.thread_time()
    if len(samples) and decoder.AcceptWaveform(np.asarray(samples, "<i2").tobytes()) < 0:
        raise RecognitionError("Vosk could not decode the sound.")
    return time.thread_time() - begun_s


def _partial(decoder: Any) -> tuple[list[str], list[str]]:
    """The likeliest words so far, and the known ones of them."""
    words = json.loads(decoder.PartialResult())["partial"].split()
    return words, [word for word in words if word != UNKNOWN_WORD]


def _found(decoder: Any, hearing: int = 0, tempo: float = 1.0) -> list[Hypothesis]:
    """What a decoder found in all that it heard, with times as they are at the tempo at which it was said."""
    return [
        Hypothesis(
            tuple(word["word"] for word in alternative.get("result", ())),
            alternative["confidence"],
            tuple((word["end"] - word["start"]) * tempo for word in alternative.get("result", ())),
            tuple(word["start"] * tempo for word in alternative.get("result", ())),
            hearing,
        )
        for alternative in json.loads(decoder.FinalResult())["alternatives"]
    ]


def _scored_again(found: Sequence[Hypothesis], heard: Samples, second_pass: SecondPass) -> list[Hypothesis]:
    """The word sequences of `found` that mean something, each once, with the scores of the second pass.

    None when they all mean the same: the second pass tells meanings apart and nothing else.
    """
    meanings = {one.words: {meaning for meaning, _ in one.meanings(second_pass.grammar)} for one in found}
    meant = {one.words: one for one in found if meanings[one.words] != {Meaning()}}
    if len(set().union(*(meanings[words] for words in meant))) < 2:
        return []
    scores = zip(meant.values(), second_pass.scores(heard, list(meant)), strict=True)
    again = (replace(one, score=score, hearing=0, second_pass=True) for one, score in scores)
    return [one for one in again if math.isfinite(one.score)]


class VoskRecognizer:
    """A recogniser with Vosk models; safe to share by calls and threads.

    Vosk reads one graph a model, so there is a model in memory for each grammar in use.
    """

    def __init__(self, model: Path, *, alternatives: int = 10) -> None:
        """Check the model's files; Vosk loads nothing before `load` or the first stream of a grammar.

        Args:
            model: folder of the model.
            alternatives: how many hypotheses of a hearing are compared, at least 1.

        Raises:
            ModelError: the model or one of its files is missing or damaged.
            GrammarError: a grammar of the model cannot be read.
        """
        names = check_model(model)
        self.alternatives = alternatives
        """How many hypotheses of a hearing are compared."""
        self._model = model
        self._grammars: Mapping[str, Grammar] = {
            name: load_grammar(model / "graphs" / name / "grammar.grxml") for name in names
        }
        self.calibrations = _read_calibrations(model / _CONFIDENCE)
        """How sure readings are, by grammar; a grammar that was not calibrated is missing."""
        self._network = CompactModel.read(model / SECOND_PASS) if (model / SECOND_PASS).is_file() else None
        self._second_passes: dict[str, SecondPass] = {}
        self._loaded: dict[str, Any] = {}
        self._loading = threading.Lock()

    @property
    def grammars(self) -> frozenset[str]:
        """Names of the grammars that the model has."""
        return frozenset(self._grammars)

    def load(self, grammars: Iterable[str] | None = None) -> None:
        """Load the models of `grammars` (all of them when None) now, so that no caller waits for it."""
        for name in sorted(self.grammars if grammars is None else grammars):
            self._vosk_model(name)

    def stream(self, grammar: str) -> VoskStream:
        """Begin an utterance; raises `UnknownGrammar` for a name that no grammar has."""
        model = self._vosk_model(grammar)

        def decoder_at(rate_hz: float) -> Any:
            decoder = vosk.KaldiRecognizer(model, rate_hz)
            decoder.SetMaxAlternatives(self.alternatives)
            decoder.SetWords(True)
            return decoder

        calibration, second_pass = self.calibrations.get(grammar), self._second_passes.get(grammar)
        return VoskStream(decoder_at, self._grammars[grammar], calibration, second_pass)

    def _vosk_model(self, grammar: str) -> Any:
        if grammar not in self._grammars:
            raise UnknownGrammar(f'There is no grammar "{grammar}"; there are {", ".join(sorted(self._grammars))}.')
        with self._loading:
            if grammar not in self._loaded:
                if self._network is not None:
                    lexicon = load_lexicon(self._model / "graphs" / grammar)
                    settings = load_settings(self._model / SETTINGS, grammar)
                    second_pass = SecondPass(self._network, self._grammars[grammar], lexicon, settings)
                    self._second_passes[grammar] = second_pass
                self._loaded[grammar] = self._read(grammar)
            return self._loaded[grammar]

    def _read(self, grammar: str) -> Any:
        """The Vosk model for `grammar`, read from a folder laid out as Vosk wants it."""
        source = self._model.resolve()
        with tempfile.TemporaryDirectory(prefix="voicebot-model-") as folder:
            for name, target in (("am", "am"), ("graph", f"graphs/{grammar}")):
                (Path(folder) / name).symlink_to(source / target, target_is_directory=True)
            shutil.copytree(source / "conf", Path(folder) / "conf")
            with (Path(folder) / "conf" / "model.conf").open("a", encoding="ascii") as file:
                file.write(f"--frames-per-chunk={_CHUNK_FRAMES}\n")
            try:
                return vosk.Model(folder)
            except Exception as error:  # Vosk raises nothing more special
                raise ModelError(f"Vosk cannot load {source} for the grammar {grammar}: fetch it again.") from error
