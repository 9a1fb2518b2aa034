"""Several voices behind one port: when the one that was chosen fails, the next takes over, and the log says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import structlog

from voicebot.audio.sound import Sound
from voicebot.errors import VoicebotError
from voicebot.voice.synthesizer import SynthesisFailed, Synthesizer, VoiceUnavailable

log = structlog.get_logger()


class FallbackSynthesizer:
    """A `Synthesizer` that speaks with the first of its voices that works.

    A voice that fails is not tried again until the bot starts anew, so a call does not change its voice back and
    forth; only a text that a voice cannot speak (`SynthesisFailed`) is left to the next one alone.
    """

    def __init__(self, voices: Sequence[tuple[str, Callable[[], Synthesizer]]]) -> None:
        """Open the first voice that can be opened.

        Args:
            voices: names and what opens each, the chosen one first.

        Raises:
            VoiceUnavailable: none of them can be opened; the sentence is that of the first.
        """
        self._waiting = list(voices)
        self._lock = threading.Lock()
        self.failure = ""
        """Why the chosen voice does not speak; "" while it does."""
        self._open_next(None)

    @property
    def name(self) -> str:
        """Name of the voice that speaks now."""
        return self._voice.name

    def synthesize(self, text: str, language: str = "bg", *, emphasis: bool = False) -> Sound:
        """Speak `text`; see `Synthesizer`. Raises what the first voice raised when no other can speak it."""
        voice = self._voice
        try:
            return voice.synthesize(text, language, emphasis=emphasis)
        except SynthesisFailed as error:
            return self._by_another(text, language, emphasis, error)
        except Exception as error:  # engines raise classes of many kinds; a caller is to hear somebody all the same
            with self._lock:
                if voice is self._voice:  # another thread may have met the same failure
                    self._open_next(error)
            return self.synthesize(text, language, emphasis=emphasis)

    def _open_next(self, failed: Exception | None) -> None:
        """Let the next voice that can be opened speak; raises what the first failure was when there is none."""
        first = failed
        while self._waiting:
            name, opened = self._waiting[0]
            del self._waiting[0]
            try:
                voice = opened()
            except VoiceUnavailable as error:
                first = first or error
                if self._waiting:
                    log.error("voice failed", voice=name, reason=str(error))
                continue
            if first is not None:
                self.failure = self.failure or _sentence(first)
                log.error("voice replaced", voice=name, reason=_sentence(first))
            self._voice = voice
            return
        assert first is not None
        raise first if isinstance(first, VoicebotError) else VoiceUnavailable(_sentence(first)) from first

    def _by_another(self, text: str, language: str, emphasis: bool, error: SynthesisFailed) -> Sound:
        for name, opened in list(self._waiting):
            try:
                sound = opened().synthesize(text, language, emphasis=emphasis)
            except VoicebotError:
                continue
            log.error("voice replaced", voice=name, reason=str(error))
            return sound
        raise error


def _sentence(error: Exception) -> str:
    """The sentence of an error that has one, else its class: an engine's own words may hold what was to be said."""
    return str(error) if isinstance(error, VoicebotError) else f"The voice failed ({type(error).__name__})."
