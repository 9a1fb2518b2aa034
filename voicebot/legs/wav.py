"""A call from recordings: a scripted caller who waits for the bot to finish before each thing that he says.

Its media clock runs as fast as the bot can work, or in real time. While the bot still renders what it is about to
say, the fast clock stands still, so the timing of the conversation is that of a real call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

import numpy as np

from voicebot.audio.sound import FRAME_MS, FRAME_SAMPLES, TELEPHONE_RATE_HZ, Samples, Sound
from voicebot.legs.leg import Frame, HungUp, KeyPress, Media, PlaybackEnded
from voicebot.legs.playback import Playback, Playout

REACTION_MS = 300
"""Pause between the bot's last word and the caller's first."""
KEY_INTERVAL_MS = 200
"""Pause between two keys."""
WAIT_FOR_QUESTION = ","
"""Among the keys: wait until the bot has finished its next question."""


class WavLeg:
    """A caller made of recordings and keys."""

    def __init__(
        self,
        utterances: Iterable[Sound] = (),
        *,
        keys: str = "",
        realtime: bool = False,
        hang_up_after_ms: int | None = None,
        transfer_succeeds: bool = True,
    ) -> None:
        """Prepare the call.

        Args:
            utterances: each is one thing that the caller says once the bot has finished; afterwards he is silent.
            keys: pressed one by one from the start, ahead of the questions; a comma waits for the next question.
            realtime: let the media clock follow the wall clock.
            hang_up_after_ms: when the caller hangs up, in ms of the call.
            transfer_succeeds: whether a person takes the call.
        """
        self._utterances = deque(sound.resampled(TELEPHONE_RATE_HZ) for sound in utterances)
        self._keys = deque(keys)
        self._realtime = realtime
        self._hang_up_after_ms = hang_up_after_ms
        self._transfer_succeeds = transfer_succeeds
        self._playout = Playout(TELEPHONE_RATE_HZ)
        self._ready: deque[Media] = deque()
        self._speaking: deque[Samples] = deque()
        self._now_ms = 0
        self._began_s: float | None = None
        self._next_key_ms = KEY_INTERVAL_MS
        self._bot_finished_ms: int | None = None
        self._hung_up = False
        self._reply: list[Samples] = []
        self.transferred_to: str | None = None
        """Whom the caller was handed to."""

    @property
    def in_band_keys(self) -> bool:
        """Recordings may hold tones; the keys of the script come as events and make none."""
        return True

    @property
    def reply(self) -> Sound:
        """What the caller heard from answering to the end, at 8 kHz."""
        return Sound(np.concatenate(self._reply) if self._reply else np.zeros(0, np.int16), TELEPHONE_RATE_HZ)

    def play(self) -> Playback:
        """Begin to say something to the caller."""
        return self._playout.begin()

    async def transfer(self, target: str) -> bool:
        """Note the target; a recorded caller is taken by whoever the script says."""
        if self._transfer_succeeds:
            self.transferred_to = target
        return self._transfer_succeeds

    async def hang_up(self) -> None:
        """End the call."""
        self._hung_up = True

    @property
    def waiting(self) -> int:
        """What `receive` gives at once."""
        return len(self._ready)

    async def receive(self) -> Media:
        """The next frame, key, end of playback or hang-up."""
        while not self._ready:
            await self._pace()
            self._advance()
        return self._ready.popleft()

    async def _pace(self) -> None:
        if self._realtime:
            loop = asyncio.get_running_loop()
            self._began_s = loop.time() if self._began_s is None else self._began_s
            await asyncio.sleep(self._began_s + (self._now_ms + FRAME_MS) / 1000 - loop.time())
        elif self._playout.current is not None:
            await self._playout.current.fed()
        else:
            await asyncio.sleep(0)

    def _advance(self) -> None:
        """Let 20 ms pass on the line."""
        self._now_ms += FRAME_MS
        now_ms = self._now_ms
        if self._hung_up or (self._hang_up_after_ms is not None and now_ms >= self._hang_up_after_ms):
            self._ready.append(HungUp(now_ms))
            return
        bot_speaking = self._playout.current is not None
        bot_frame, ended = self._playout.next_frame()
        self._reply.append(bot_frame)
        if ended and self._playout.current is None:
            self._bot_finished_ms = now_ms
        if key := self._key_now(now_ms):
            self._ready.append(KeyPress(key, now_ms))
        self._ready.append(Frame(self._caller_frame(now_ms), now_ms, bot_speaking))
        self._ready.extend(PlaybackEnded(playback, now_ms) for playback in ended)

    def _asked(self, now_ms: int) -> bool:
        """Whether the bot has asked and waits; one answer uses the question up."""
        if self._bot_finished_ms is None or self._playout.current is not None:
            return False
        return now_ms - self._bot_finished_ms >= REACTION_MS

    def _key_now(self, now_ms: int) -> str | None:
        if not self._keys or now_ms < self._next_key_ms:
            return None
        if self._keys[0] == WAIT_FOR_QUESTION:
            if self._asked(now_ms):
                self._keys.popleft()
                self._bot_finished_ms = None
            return None
        self._next_key_ms = now_ms + KEY_INTERVAL_MS
        return self._keys.popleft()

    def _caller_frame(self, now_ms: int) -> Samples:
        if not self._speaking and self._utterances and not self._keys and self._asked(now_ms):
            self._bot_finished_ms = None
            self._speaking.extend(self._utterances.popleft().frames())
        return self._speaking.popleft() if self._speaking else np.zeros(FRAME_SAMPLES, np.int16)
