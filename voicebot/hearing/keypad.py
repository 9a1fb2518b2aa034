"""Key presses to entries: the terminator, the inter-digit timer and type-ahead."""

from __future__ import annotations

from collections import deque

from voicebot.hearing.events import KeysEntered
from voicebot.hearing.expectation import Completeness, Expectation

TERMINATOR = "#"
CLEAR = "*"


class Keypad:
    """Collects keys into entries. Keys that come while nothing is asked are kept for the next question.

    An entry ends with `#`, or as soon as it is complete, or when `inter_digit_ms` pass without a key; `*` clears
    it. Once a key was pressed no other timer counts (VoiceXML 2.0, section 6.3.3).
    """

    def __init__(self, inter_digit_ms: int = 3000) -> None:
        self.inter_digit_ms = inter_digit_ms
        """Longest pause between two keys of one entry."""
        self._waiting: deque[tuple[str, int]] = deque()
        self._entry = ""
        self._last_ms = 0
        self._ended_by_itself = False
        self._expectation: Expectation | None = None

    @property
    def busy(self) -> bool:
        """Whether an entry has been begun."""
        return bool(self._entry or self._waiting)

    def expect(self, expectation: Expectation | None, now_ms: int) -> None:
        """Ask for an entry (None: ask for none, and keep what comes)."""
        self._expectation = expectation
        self._last_ms = max(self._last_ms, now_ms)

    def press(self, key: str, now_ms: int) -> bool:
        """Take one key; False for a terminator behind an entry that had ended by itself, which says nothing.

        Raises:
            ValueError: a sign that is on no telephone.
        """
        if len(key) != 1 or key not in "0123456789*#ABCD":
            raise ValueError(f"{key!r} is not a telephone key")
        if key == TERMINATOR and self._ended_by_itself and not self.busy:
            self._ended_by_itself = False
            return False
        self._waiting.append((key, now_ms))
        return True

    def poll(self, now_ms: int) -> KeysEntered | None:
        """The entry that is finished at `now_ms`, once; further keys wait for the next question."""
        while self._waiting and self._expectation is not None:
            key, pressed_ms = self._waiting.popleft()
            entry = self._take(key, pressed_ms)
            if entry is not None:
                return entry
        if self._entry and self._expectation is not None and now_ms - self._last_ms >= self.inter_digit_ms:
            return self._finish(by_itself=True)
        return None

    def _take(self, key: str, pressed_ms: int) -> KeysEntered | None:
        needless = key == TERMINATOR and not self._entry and self._ended_by_itself
        self._ended_by_itself = False
        self._last_ms = max(self._last_ms, pressed_ms)
        if key == TERMINATOR:
            return None if needless else self._finish(by_itself=False)
        if key == CLEAR:
            self._entry = ""
            return None
        if not key.isdecimal():
            return None
        self._entry += key
        assert self._expectation is not None
        if self._expectation.keyed(self._entry) is Completeness.COMPLETE:
            return self._finish(by_itself=True)
        return None

    def _finish(self, *, by_itself: bool) -> KeysEntered:
        entry = KeysEntered(self._entry)
        self._entry = ""
        self._ended_by_itself = by_itself
        self._expectation = None
        return entry
