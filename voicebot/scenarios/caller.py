"""The scripted caller: does the turns of a scenario one by one, each when its moment has come.

Pure: it is told what the bot does, frame by frame, and says what he does; each leg carries that out in its own way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from voicebot.audio.sound import Sound
from voicebot.observation import Observation
from voicebot.scenarios.scenario import Turn

KEY_INTERVAL_MS = 200
"""Pause between two keys."""
LONGEST_CALL_MS = 300_000
"""When a caller gives up, so that a run ends though a bot does not."""


@dataclass(frozen=True, slots=True, eq=False)
class Speak:
    """Make a sound, at once."""

    sound: Sound


@dataclass(frozen=True, slots=True)
class Press:
    """Press a key."""

    key: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""


Deed = Speak | Press | HangUp


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A turn with its sound, made ready."""

    turn: Turn
    sound: Sound | None = None


class Caller:
    """One caller. After the last turn he hears the answer out and hangs up."""

    def __init__(self, parts: Sequence[Part], observation: Observation) -> None:
        self._parts = parts
        self._observation = observation
        self._next = 0
        self._busy_until_ms = 0
        self._keys: deque[str] = deque()
        self._said_before = 0
        self._said = 0
        self._speaking_since_ms: int | None = None
        self._quiet_since_ms: int | None = None
        self._unheard = False
        self._gone = False

    def tick(self, now_ms: int, *, bot_speaking: bool) -> Deed | None:
        """What the caller does at `now_ms`; called every 20 ms.

        Args:
            now_ms: time of the call's media.
            bot_speaking: whether the bot is to be heard or about to be.
        """
        self._follow_bot(now_ms, bot_speaking)
        if self._gone or now_ms < self._busy_until_ms:
            return None
        if self._keys:
            self._busy_until_ms = now_ms + KEY_INTERVAL_MS
            return Press(self._keys.popleft())
        if now_ms >= LONGEST_CALL_MS or (self._next == len(self._parts) and self._may_speak(now_ms, 300)):
            self._gone = True
            return HangUp()
        if self._next < len(self._parts) and self._is_due(self._parts[self._next].turn, now_ms):
            return self._begin(self._parts[self._next], now_ms)
        return None

    def _follow_bot(self, now_ms: int, bot_speaking: bool) -> None:
        said = self._observation.said
        if said > self._said:  # frames from before it may still come
            self._said, self._speaking_since_ms, self._quiet_since_ms, self._unheard = said, None, None, True
        if bot_speaking:
            self._speaking_since_ms = now_ms if self._speaking_since_ms is None else self._speaking_since_ms
            self._quiet_since_ms, self._unheard = None, False
        elif not self._unheard:
            self._quiet_since_ms = now_ms if self._quiet_since_ms is None else self._quiet_since_ms
            self._speaking_since_ms = None

    def _is_due(self, turn: Turn, now_ms: int) -> bool:
        if turn.interrupts_after_ms is None:
            return self._may_speak(now_ms, turn.after_ms)
        if self._speaking_since_ms is None or not self._is_answered:
            return False
        return now_ms - self._speaking_since_ms >= turn.interrupts_after_ms

    def _may_speak(self, now_ms: int, after_ms: int) -> bool:
        """Whether the bot has answered, and has been quiet for so long."""
        return self._is_answered and self._quiet_since_ms is not None and now_ms - self._quiet_since_ms >= after_ms

    @property
    def _is_answered(self) -> bool:
        """Whether the bot has spoken since the last turn; a noise needs no answer."""
        last = self._parts[self._next - 1].turn if self._next else None
        return self._said > self._said_before or (last is not None and last.noise is not None and self._said > 0)

    def _begin(self, part: Part, now_ms: int) -> Deed | None:
        self._next += 1
        self._said_before = self._said
        duration_ms = round(part.sound.duration_ms) if part.sound else 0
        self._observation.begin_turn(now_ms, duration_ms)
        self._busy_until_ms = now_ms + duration_ms
        if part.sound is not None:
            return Speak(part.sound)
        if part.turn.hang_up:
            self._gone = True
            return HangUp()
        if part.turn.keys:
            self._keys.extend(part.turn.keys[1:])
            self._busy_until_ms = now_ms + KEY_INTERVAL_MS
            return Press(part.turn.keys[0])
        return None
