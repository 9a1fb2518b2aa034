"""Voice activity: webrtcvad's verdict on each frame, smoothed into the beginning of speech.

webrtcvad takes most noise for speech and holds on for some frames behind a word. That is good for a beginning, which
should not be missed, but not for an end: there a frame has to be nearly as loud as the voice, too, and louder than the
noise. The margins were chosen on the development set (`benchmarks/end_of_turn.py`).
"""

from __future__ import annotations

from collections import deque

import webrtcvad

from voicebot.audio.level import level_db
from voicebot.audio.sound import FRAME_MS, FRAME_SAMPLES, TELEPHONE_RATE_HZ, Samples

_OVER_NOISE_DB = 6.0
"""How much louder than the quietest of the last frames speech is."""
_UNDER_VOICE_DB = 15.0
"""How much quieter than its loudest syllables speech may be."""
_FORGET_DB = 0.1
"""By which the loudest syllable is forgotten in each frame: 5 dB a second, so that a slammed door hushes nobody."""
_SMOOTHED_FRAMES = 3
_NOISE_FRAMES = 100
"""In 2 s of speech there is a closure as quiet as the noise."""


class VoiceActivity:
    """Tells voiced frames from others; speech begins where most of a short window is voiced."""

    def __init__(self, aggressiveness: int = 2, window_ms: int = 160, voiced_share: float = 0.6) -> None:
        """Begin.

        Args:
            aggressiveness: webrtcvad's mode, 0 (takes most for speech) to 3 (takes least).
            window_ms: how much sound must be mostly voiced for speech to have begun.
            voiced_share: what "mostly" means, 0 to 1.
        """
        self._vad = webrtcvad.Vad(aggressiveness)
        self._window: deque[bool] = deque(maxlen=window_ms // FRAME_MS)
        self._levels_db: deque[float] = deque(maxlen=_SMOOTHED_FRAMES)
        self._noise_db: deque[float] = deque(maxlen=_NOISE_FRAMES)
        self._loudest_db = 0.0
        self._needed = voiced_share * window_ms / FRAME_MS

    @property
    def window_ms(self) -> int:
        """How far back speech may have begun when it is noticed."""
        return (self._window.maxlen or 0) * FRAME_MS

    def accept(self, frame: Samples, *, echo: bool = False) -> bool:
        """Whether somebody still speaks in `frame` (int16 mono, 20 ms at 8 kHz); in an echo nobody does.

        Raises:
            ValueError: a frame of another length.
        """
        if len(frame) != FRAME_SAMPLES:
            raise ValueError(f"a frame has {FRAME_SAMPLES} samples, not {len(frame)}")
        voiced = bool(self._vad.is_speech(frame.tobytes(), TELEPHONE_RATE_HZ)) and not echo
        self._window.append(voiced)
        return self._stands_out(frame) and voiced

    def _stands_out(self, frame: Samples) -> bool:
        """Whether `frame` is louder than the noise and not much quieter than the voice."""
        now_db = level_db(frame)
        self._levels_db.append(now_db)
        self._noise_db.append(now_db)
        smoothed_db = sum(self._levels_db) / len(self._levels_db)
        self._loudest_db = max(smoothed_db, self._loudest_db - _FORGET_DB)
        return smoothed_db >= max(min(self._noise_db) + _OVER_NOISE_DB, self._loudest_db - _UNDER_VOICE_DB)

    @property
    def speech(self) -> bool:
        """Whether most of the last window was voiced."""
        return sum(self._window) >= self._needed

    def forget(self) -> None:
        """Start the window and the voice anew, as after a turn has ended."""
        self._window.clear()
        self._loudest_db = 0.0
