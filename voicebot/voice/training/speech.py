"""Speech for the training of a voice: rendering one text, and hearing whether it is what it should be."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from voicebot.acoustics.whisper import transcript
from voicebot.audio.wav import read_wav, write_wav
from voicebot.hearing.recognizer import recognize
from voicebot.hearing.vosk_recognizer import VoskRecognizer
from voicebot.language import numbers
from voicebot.voice.kokoro import KokoroVoice
from voicebot.voice.training.texts import Text

MODEL = Path(__file__).parents[3] / "models" / "bg-telephone"


def render(style: str, rate_hz: int, folder: Path, text: Text) -> None:
    """Speak a text by a Kokoro style into a WAV file of 16 bits, which appears when it is whole.

    Raises:
        VoiceUnavailable: the style or the engine is missing.
        VoicebotError: the file cannot be written.
    """
    write_wav(folder / text.file, _voice(style).synthesize(text.words).resampled(rate_hz))


def hear(folder: Path, text: Text) -> tuple[Text, float, str]:
    """The text, the share of its letters that is heard otherwise, and what is heard.

    Digits are heard by this project's recogniser, everything else by Whisper base, which has no part in any training.

    Raises:
        WhisperMissing: Whisper is not installed.
        UnreadableWav: the recording is missing or damaged.
    """
    sound = read_wav(folder / text.file)
    if text.digits:
        readings = recognize(_recognizer(), sound, "identifier")
        heard = readings[0].text if readings else ""
    else:
        heard = " ".join(transcript(sound, "bg").split())
    return text, error_rate(text.words, heard), heard


def error_rate(words: str, heard: str) -> float:
    """Edits from `words` to `heard` a letter of it; figures are written out, gaps and punctuation left out."""
    said = _letters(words)
    return Levenshtein.distance(said, _letters(heard)) / max(1, len(said))


def _letters(text: str) -> str:
    spelled = re.sub(r"\d{1,9}", lambda figures: f" {numbers.spell(int(figures[0]))} ", text.lower())
    return "".join(re.findall(r"[^\W\d_]+", spelled))


@cache
def _voice(style: str) -> KokoroVoice:
    return KokoroVoice(style, threads=1)


@cache
def _recognizer() -> VoskRecognizer:
    return VoskRecognizer(MODEL)
