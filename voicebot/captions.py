"""Captions of one call: what is said and heard, in writing, for a leg that can show it to the caller.

They hold a customer's number in clear, so they go to the leg alone: never into a log or a record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, count

from voicebot.hearing.events import HearingEvent, KeyPressed, KeysEntered, PartialReading, TurnEnded
from voicebot.language.numbers import grouped_figures
from voicebot.legs.leg import CallLeg, Caption, Captioned

NOT_UNDERSTOOD = "…"
"""What stands for a turn in which nothing was understood."""


class Captions:
    """The captions of one call; a leg that shows none is asked for nothing."""

    def __init__(self, leg: CallLeg) -> None:
        self._show = leg.show if isinstance(leg, Captioned) else _show_nothing
        self._turns = count()
        self._caller_turn: int | None = None

    def say(self, sentences: Sequence[str]) -> list[Callable[[], None]]:
        """A turn of the bot: for each of its sentences, what is to be called when it begins to sound."""
        self._withdraw()
        turn = next(self._turns)
        texts = accumulate(sentences, "{} {}".format)
        return [
            partial(self._show, Caption(turn, "bot", text, final=i == len(sentences)))
            for i, text in enumerate(texts, start=1)
        ]

    def hear(self, event: HearingEvent) -> None:
        """Show what the caller said or keyed."""
        match event:
            case PartialReading():
                digits = event.reading.digits
                threes = " ".join(digits[i : i + 3] for i in range(0, len(digits), 3))
                self._show_caller(threes or event.reading.text, final=False)
            case TurnEnded():
                best = event.readings[0]
                self._show_caller(grouped_figures(best.digits) or best.text or NOT_UNDERSTOOD, final=True)
            case KeysEntered():
                self._show_caller(grouped_figures(event.digits), final=True)
            case KeyPressed():
                self._withdraw()

    def _show_caller(self, text: str, *, final: bool) -> None:
        if not text:
            self._withdraw()
            return
        turn = next(self._turns) if self._caller_turn is None else self._caller_turn
        self._caller_turn = None if final else turn
        self._show(Caption(turn, "caller", text, final))

    def _withdraw(self) -> None:
        """Take back what the caller seemed to be saying."""
        if self._caller_turn is not None:
            self._show(Caption(self._caller_turn, "caller", "", final=True))
            self._caller_turn = None


def _show_nothing(_: Caption) -> None:
    pass
