"""What happens in a call, as seen between its rooms: every step of the conversation, and the caller's sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields

import numpy as np

from voicebot.audio.sound import TELEPHONE_RATE_HZ, Samples, Sound
from voicebot.dialog.actions import Action, Say
from voicebot.dialog.conversation import Conversation, State, Step
from voicebot.dialog.events import DialogEvent
from voicebot.legs.leg import Attributed, CallLeg, Caption, Captioned, Frame, Media
from voicebot.legs.playback import Playback


@dataclass(frozen=True, slots=True)
class Observed:
    """One step of the conversation."""

    before: State
    event: DialogEvent
    after: State
    actions: tuple[Action, ...]

    @property
    def says(self) -> list[Say]:
        """What the bot said in it."""
        return [action for action in self.actions if isinstance(action, Say)]


@dataclass(frozen=True, slots=True)
class TurnBegun:
    """The beginning of a turn of the caller's."""

    steps: int
    """How many steps there had been."""
    at_ms: int
    ends_ms: int
    """When its sound ends."""


@dataclass(slots=True)
class Observation:
    """All of one call."""

    steps: list[Observed] = field(default_factory=list)
    turns: list[TurnBegun] = field(default_factory=list)
    said: int = 0
    """How many `Say`s there were."""
    sound: list[Samples] = field(default_factory=list, repr=False)
    """The caller's frames at 8 kHz, as they reached the bot."""
    ended_ms: int = 0

    def begin_turn(self, now_ms: int, duration_ms: int) -> None:
        """Note that the caller begins his next turn."""
        self.turns.append(TurnBegun(len(self.steps), now_ms, now_ms + duration_ms))

    def steps_of(self, turn: int) -> list[Observed]:
        """The steps from the beginning of a turn (from 0) to that of the next; -1 for those before the first."""
        begin = self.turns[turn].steps if turn >= 0 else 0
        end = self.turns[turn + 1].steps if turn + 1 < len(self.turns) else len(self.steps)
        return self.steps[begin:end]

    @property
    def caller_sound(self) -> Sound:
        """What the bot heard."""
        return Sound(np.concatenate(self.sound) if self.sound else np.zeros(0, np.int16), TELEPHONE_RATE_HZ)

    def watch(self, conversation: Conversation) -> Conversation:
        """The same conversation, each step of which is noted here."""
        knobs = {knob.name: getattr(conversation, knob.name) for knob in fields(conversation)}
        return _Watched(**knobs, note=self._note)

    def _note(self, step: Observed) -> None:
        self.steps.append(step)
        self.said += len(step.says)


@dataclass(frozen=True, slots=True)
class _Watched(Conversation):
    """A conversation that tells of each step."""

    note: Callable[[Observed], None] = print

    def step(self, state: State, event: DialogEvent) -> Step:
        """See `Conversation.step`."""
        after, actions = Conversation.step(self, state, event)
        self.note(Observed(state, event, after, tuple(actions)))
        return after, actions


class ObservedLeg:
    """A leg whose media are noted, and shown to somebody, before the bot gets them."""

    def __init__(self, leg: CallLeg, observation: Observation, show: Callable[[Frame], None] | None = None) -> None:
        self._leg = leg
        self._observation = observation
        self._show = show
        known = isinstance(leg, Attributed)
        self.channel: str = leg.channel if known else "recordings"  # type: ignore[attr-defined]
        self.visitor: str = leg.visitor if known else ""  # type: ignore[attr-defined]

    @property
    def in_band_keys(self) -> bool:
        """See `CallLeg`."""
        return self._leg.in_band_keys

    @property
    def waiting(self) -> int:
        """See `CallLeg`."""
        return self._leg.waiting

    async def receive(self) -> Media:
        """See `CallLeg`."""
        media = await self._leg.receive()
        self._observation.ended_ms = media.at_ms
        if isinstance(media, Frame):
            self._observation.sound.append(media.samples)
            if self._show is not None:
                self._show(media)
        return media

    def play(self) -> Playback:
        """See `CallLeg`."""
        return self._leg.play()

    async def transfer(self, target: str) -> bool:
        """See `CallLeg`."""
        return await self._leg.transfer(target)

    async def hang_up(self) -> None:
        """See `CallLeg`."""
        await self._leg.hang_up()

    def show(self, caption: Caption) -> None:
        """See `Captioned`; a leg that shows no captions gets none."""
        if isinstance(self._leg, Captioned):
            self._leg.show(caption)
