"""Presses of keys as a SIP stack tells them, each counted once; pure."""

from __future__ import annotations

_APART_S = 0.06
"""Presses of one key are further apart: senders of tones pause for 65 ms or longer (ETSI ES 201 235-2)."""


class KeyPresses:
    """Counts a press once, though a telephone may tell it by RFC 4733 and by INFO.

    The stack does not say by which way it was told. The first press of a call shows whether all are told again, while
    the key is down or too soon behind. Where that one is not, equal keys that follow each other quickly were pressed,
    and only told late by a busy machine.
    """

    def __init__(self) -> None:
        self._twice: bool | None = None
        """Whether this telephone tells a press twice; None until that is known."""
        self._down: str | None = None
        self._last: str | None = None
        self._up_s = 0.0

    def down(self, key: str, now_s: float) -> bool:
        """A key goes down; returns whether it is a press that counts."""
        again = key == self._down or (key == self._last and now_s - self._up_s < _APART_S)
        if self._twice is None and (again or self._last is not None):
            self._twice = again
        self._down = key
        return not (again and self._twice)

    def up(self, now_s: float) -> None:
        """The key is up again."""
        self._last, self._down, self._up_s = self._down or self._last, None, now_s
