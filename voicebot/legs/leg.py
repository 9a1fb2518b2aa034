"""The port of a call leg: where a call comes from and goes to, whatever carries its media."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from voicebot.audio.sound import Samples
from voicebot.legs.playback import Playback


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """20 ms of the caller's sound: int16 mono at 8 kHz."""

    samples: Samples
    at_ms: int
    """When the frame ended, in ms of the call's media."""
    bot_speaking: bool
    """Whether the bot was to be heard meanwhile."""


@dataclass(frozen=True, slots=True)
class KeyPress:
    """A key that the leg was told of by an event (RFC 4733, SIP INFO, a data channel), once a press."""

    key: str
    at_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class PlaybackEnded:
    """The last sample of a playback was sent, or it was stopped."""

    playback: Playback
    at_ms: int


@dataclass(frozen=True, slots=True)
class HungUp:
    """The caller ended the call, or the line died. Nothing comes after it."""

    at_ms: int


Media = Frame | KeyPress | PlaybackEnded | HungUp


class CallLeg(Protocol):
    """One call, already answered. It paces what is played and dates everything by its media clock."""

    @property
    def in_band_keys(self) -> bool:
        """Whether keys come as tones in the sound; False, from then on, where the leg delivers `KeyPress`."""

    @property
    def waiting(self) -> int:
        """How many things have happened that `receive` gives at once."""

    async def receive(self) -> Media:
        """The next thing that happens on the line."""

    def play(self) -> Playback:
        """Begin to say something, behind what is being said; feed the playback as sound is rendered."""

    async def transfer(self, target: str) -> bool:
        """Hand the caller to `target`; False when it refuses or does not answer."""

    async def hang_up(self) -> None:
        """End the call."""


@dataclass(frozen=True, slots=True)
class Caption:
    """One turn of the conversation in writing, as far as it has come; a later one of the same turn replaces it."""

    turn: int
    """Number of the turn in this call, from 0."""
    speaker: Literal["bot", "caller"]
    text: str = field(repr=False)
    """For the caller's own eyes: it may hold a customer's number in clear. "" withdraws the turn."""
    final: bool
    """Whether the turn is complete."""


@runtime_checkable
class Captioned(Protocol):
    """A leg that can show the caller what is said and heard."""

    def show(self, caption: Caption) -> None:
        """Show `caption` now."""


@runtime_checkable
class Attributed(Protocol):
    """A leg that knows who calls, and how."""

    channel: str
    """"telephone" or "browser"."""

    @property
    def visitor(self) -> str:
        """Who calls, for limits, never to be logged; "" where that is unknown."""
