"""What the bot says on its way to the caller: playbacks in a row, cut into frames, stopped at once when told.

A playback is begun before its sound is rendered, so that a leg knows that something is coming. Every leg paces
`Playout.next_frame` by its own clock and reports the playbacks that have ended.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import numpy as np

from voicebot.audio.sound import FRAME_MS, Samples, Sound

FADE_MS = 5
"""In which a playback that is stopped falls silent, so that it does not end in a click."""


class Playback:
    """One thing that is being said; sound is fed to it as it is rendered."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        """Rate at which it is played."""
        self._pending: deque[tuple[Samples, Callable[[], None] | None]] = deque()
        self._taken = 0
        self._fed = asyncio.Event()
        self.complete = False
        """Whether all of its sound was fed."""
        self.stopped = False
        """Whether it was cut off."""

    def feed(self, sound: Sound, began: Callable[[], None] | None = None) -> None:
        """Append sound of any rate; what is fed to a stopped playback is dropped.

        Args:
            sound: what is to be played behind what was fed before.
            began: called when its first sample is played, never when it is dropped.
        """
        if not self.stopped and len(sound.samples):
            self._pending.append((sound.resampled(self.rate_hz).samples, began))
            self._fed.set()

    def end(self) -> None:
        """Say that nothing more will be fed."""
        self.complete = True
        self._fed.set()

    def stop(self) -> float:
        """Drop what was not yet played but for a fade of `FADE_MS`; returns how many ms were played before it."""
        heard_ms = self.heard_ms
        if not self.stopped:
            self.stopped = True
            rest = np.concatenate([np.zeros(0, np.int16), *(samples for samples, _ in self._pending)])
            tail = rest[: self.rate_hz * FADE_MS // 1000] if heard_ms else rest[:0]
            self._pending.clear()
            if len(tail):
                fade = np.linspace(1.0, 0.0, len(tail), endpoint=False)
                self._pending.append(((tail * fade).astype(np.int16), None))
        self.end()
        return heard_ms

    @property
    def heard_ms(self) -> float:
        """How much of it was played."""
        return self._taken * 1000.0 / self.rate_hz

    @property
    def ended(self) -> bool:
        """Whether nothing is left to play and nothing will come."""
        return self.complete and not self._pending

    @property
    def starved(self) -> bool:
        """Whether it waits for sound to be rendered."""
        return not self.complete and not self._pending

    async def fed(self) -> None:
        """Wait until it is starved no longer."""
        while self.starved:
            self._fed.clear()
            await self._fed.wait()

    def take(self, count: int) -> Samples:
        """Up to `count` samples from its front."""
        parts: list[Samples] = []
        while count and self._pending:
            head, began = self._pending.popleft()
            if began is not None:
                began()
            if len(head) > count:
                self._pending.appendleft((head[count:], None))
                head = head[:count]
            parts.append(head)
            count -= len(head)
            self._taken += len(head)
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)


class Playout:
    """The playbacks of one call, in the order in which they were begun."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        """Rate of the frames that come out."""
        self._frame_samples = rate_hz * FRAME_MS // 1000
        self._queue: deque[Playback] = deque()

    def begin(self) -> Playback:
        """A new playback behind those that are queued."""
        playback = Playback(self.rate_hz)
        self._queue.append(playback)
        return playback

    @property
    def current(self) -> Playback | None:
        """The playback that sounds now or will next."""
        return self._queue[0] if self._queue else None

    def next_frame(self) -> tuple[Samples, list[Playback]]:
        """The next 20 ms (silence where there is nothing) and the playbacks that ended in it."""
        frame = np.zeros(self._frame_samples, np.int16)
        filled, ended = 0, []
        while self._queue:
            samples = self._queue[0].take(self._frame_samples - filled)
            frame[filled : filled + len(samples)] = samples
            filled += len(samples)
            if not self._queue[0].ended:
                break
            ended.append(self._queue.popleft())
        return frame, ended
