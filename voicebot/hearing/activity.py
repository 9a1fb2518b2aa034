"""Voice activity: webrtcvad's verdict on each frame, smoothed into the beginning of speech."""

from __future__ import annotations

from collections import deque

import webrtcvad

from voicebot.audio.sound import FRAME_MS, FRAME_SAMPLES, TELEPHONE_RATE_HZ, Samples


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
        self._needed = voiced_share * window_ms / FRAME_MS

    @property
    def window_ms(self) -> int:
        """How far back speech may have begun when it is noticed."""
        return (self._window.maxlen or 0) * FRAME_MS

    def accept(self, frame: Samples, *, echo: bool = False) -> bool:
        """Whether `frame` (int16 mono, 20 ms at 8 kHz) is voiced; an echo is not.

        Raises:
            ValueError: a frame of another length.
        """
        if len(frame) != FRAME_SAMPLES:
            raise ValueError(f"a frame has {FRAME_SAMPLES} samples, not {len(frame)}")
        voiced = bool(self._vad.is_speech(frame.tobytes(), TELEPHONE_RATE_HZ)) and not echo
        self._window.append(voiced)
        return voiced

    @property
    def speech(self) -> bool:
        """Whether most of the last window was voiced."""
        return sum(self._window) >= self._needed

    def forget(self) -> None:
        """Start the window anew, as after a turn has ended."""
        self._window.clear()
