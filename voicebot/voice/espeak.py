"""The last resort: the espeak-ng program of the system, for a machine that has no voice that speaks well."""

from __future__ import annotations

import io
import shutil
import subprocess

import soundfile

from voicebot.audio.sound import Sound
from voicebot.voice import loudness
from voicebot.voice.phonemes import ESPEAK_VOICES
from voicebot.voice.synthesizer import EMPHASIS_TEMPO, SynthesisFailed, VoiceUnavailable

_TIMEOUT_S = 30
_WORDS_PER_MINUTE = 175  # espeak-ng's own
_INSTALL = "install it (Debian: apt install espeak-ng) or choose a Kokoro or Piper voice"


class EspeakVoice:
    """espeak-ng's formant voice. A call must say that it is a stopgap: callers understand it badly."""

    name = f"espeak/{loudness.REVISION}"
    """Name of the voice."""

    def __init__(self, program: str = "espeak-ng") -> None:
        """Find `program`; raises `VoiceUnavailable` when it is not installed."""
        found = shutil.which(program)
        if found is None:
            raise VoiceUnavailable(f"The program {program} is not installed: {_INSTALL}.")
        self._program = found

    def synthesize(self, text: str, language: str = "bg", *, emphasis: bool = False) -> Sound:
        """Speak `text`; see `Synthesizer`."""
        if language not in ESPEAK_VOICES:
            raise SynthesisFailed(f"No voice speaks the language {language!r}: take one of {', '.join(ESPEAK_VOICES)}.")
        if not any(c.isalnum() for c in text):
            raise SynthesisFailed("There is nothing to say: the text holds no words.")
        # The text goes in by stdin: a customer's digits do not belong into the list of processes.
        command = [self._program, "-v", ESPEAK_VOICES[language], "--stdin", "--stdout"]
        if emphasis:
            command += ["-s", str(round(_WORDS_PER_MINUTE * EMPHASIS_TEMPO))]
        try:
            done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=_TIMEOUT_S, check=True)
            samples, rate_hz = soundfile.read(io.BytesIO(done.stdout), dtype="float32")
        except (OSError, subprocess.SubprocessError, soundfile.SoundFileError) as error:
            raise SynthesisFailed(f"espeak-ng gave no sound: {type(error).__name__}; {_INSTALL}.") from error
        return loudness.pcm(loudness.even(samples, rate_hz), rate_hz)
