"""Trials: lets a recogniser hear recordings, each with what is said in it, the time it took and the memory it needs."""

from __future__ import annotations

import re
import resource
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from voicebot.audio.sound import Sound
from voicebot.evaluation.recordings import Recording, read_sound
from voicebot.evaluation.scoring import Said, Trial
from voicebot.hearing.recognizer import Recognizer, recognize
from voicebot.language.srgs import Grammar, Meaning

_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text in small letters, without punctuation and stress marks."""
    plain = unicodedata.normalize("NFC", re.sub("[\u0300\u0301]", "", text))
    return tuple(_WORD.findall(plain.lower()))


def said_in(recording: Recording, grammar: Grammar) -> Said:
    """What is known to be said in a recording; what its table leaves open is taken from the words by the grammar."""
    words = words_of(recording.text) if recording.text is not None else None
    figures = "".join(words) if words and all(word.isascii() and word.isdecimal() for word in words) else ""
    meaning = (grammar.interpret(words) if words and not figures else None) or Meaning(digits=figures)
    digits = meaning.digits if recording.digits is None else recording.digits
    intent = meaning.intent if recording.intent is None else recording.intent or None
    return Said(digits, intent, None if figures else words, meaning.ordinal, meaning.month)


def hear(
    recognizer: Recognizer, sound: Sound, grammar: str, said: Said, name: str, recording: Recording | None = None
) -> Trial:
    """One trial; `recording` tells whose voice it is."""
    began = time.process_time()
    readings = recognize(recognizer, sound, grammar)
    spent = time.process_time() - began
    about = recording or Recording(Path())
    return Trial(
        name,
        said,
        readings,
        about.voice,
        about.line,
        about.snr,
        about.kind,
        sound_s=sound.duration_ms / 1000,
        cpu_s=spent,
    )


def hear_all(
    recognizer: Recognizer, recordings: Iterable[Recording], grammars: Callable[[str], Grammar], default: str
) -> Iterator[Trial]:
    """A trial for each recording, by the grammar that its table names, else by the default one.

    Raises:
        VoicebotError: a sound cannot be read, or the recogniser lacks the grammar.
    """
    for recording in recordings:
        grammar = recording.grammar or default
        said = said_in(recording, grammars(grammar))
        yield hear(recognizer, read_sound(recording.path), grammar, said, str(recording.path), recording)


def peak_memory_mb() -> float:
    """The most memory that this process has had in use, in megabytes of 10^6 bytes (Linux counts in 1024 bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
