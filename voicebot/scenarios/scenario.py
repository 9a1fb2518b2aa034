"""What a scenario says: who calls over which line, what the caller does turn by turn, and what must follow.

The models here are the format of the files in `tests/scenarios/`, and the JSON schema by which editors complete them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from voicebot import settings
from voicebot.dialog.actions import Outcome
from voicebot.scenarios.lines import Line, NamedLine, NoiseKind, SoundKind

LegName = Literal["wav", "sip", "webrtc"]
LEGS: tuple[LegName, ...] = ("wav", "sip", "webrtc")

Text = Annotated[str, BeforeValidator(str), WithJsonSchema({"type": ["string", "integer"]})]
"""A string; figures without quotes are taken for one, too."""

CALLER = "kokoro:jf_gongitsune"
"""The voice of callers where a file names none; the recogniser was never trained with it."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Understood(_Part):
    """How the bot must understand a turn: the best reading of speech, or the entry on the keypad."""

    digits: Text | None = None
    """The digits; "" for none."""
    intent: str | None = None
    """A command or an answer: yes, no, operator, another, repeat, end, help; "none" for none."""
    text: str | None = None
    """The words, exactly."""
    confidence: float | None = Field(None, ge=0, le=1)
    """The least confidence."""


class Turn(_Part):
    """One thing that the caller does, when, and what must follow until he does the next."""

    say: Text | None = None
    """A sound file (WAV, FLAC, Ogg, MP3), or words in Bulgarian that `voice` speaks."""
    keys: Annotated[Text | None, Field(pattern=r"^[0-9*#]+$")] = None
    """Keys, pressed 200 ms apart."""
    noise: SoundKind | NoiseKind | None = None
    """A sound that is no speech."""
    silence: bool = False
    """Nothing, until the bot speaks again of its own accord."""
    hang_up: bool = False
    """The end of the call by the caller."""

    after_ms: int = Field(300, ge=0)
    """How long after the bot has finished speaking."""
    interrupts_after_ms: int | None = Field(None, ge=0)
    """Instead: how long after the bot has begun to speak."""
    voice: str | None = None
    """Who speaks words: a voice of `voicebot voices list`, or a Kokoro style such as kokoro:jf_alpha. Beside a file it
    only names the speaker, for the report."""
    text: str | None = None
    """What is said in a sound file, for the report's word errors."""
    as_tones: bool = False
    """Keys as tones in the sound (DTMF) and not as events."""
    for_ms: int = Field(1000, gt=0, le=60_000)
    """How long a noise lasts; short sounds such as a cough are repeated as often as they fit."""
    level_db: float = Field(0.0, ge=-60, le=30)
    """How much louder than usual."""
    spoken_number: Literal["kept", "replaced"] | None = None
    """What `voicebot record` has done with a number that a real caller said."""

    understood: Understood | None = None
    says: tuple[Text, ...] = ()
    """What the bot must say, in this order: names of prompts, or parts of what is said, in Bulgarian words."""
    never: tuple[Text, ...] = ()
    """What it must not say."""
    within_ms: int | None = Field(None, gt=0)
    """From the end of the caller's turn to the first sound of the answer, at most."""
    interrupted: bool | None = None
    """Whether what the bot is saying must be cut off, or must not."""
    silent_within_ms: int | None = Field(None, gt=0)
    """From the beginning of an interruption to the bot's silence, at most."""

    @model_validator(mode="after")
    def _one_deed(self) -> Self:
        deeds = [self.say is not None, self.keys is not None, self.noise is not None, self.silence, self.hang_up]
        if sum(deeds) != 1:
            raise ValueError("a turn does one thing: give it one of say, keys, noise, silence and hang_up")
        return self

    @property
    def what(self) -> str:
        """The deed in a few words, for people."""
        if self.say is not None:
            return f"say {self.say}"
        if self.keys is not None:
            return f"keys {self.keys}"
        return self.noise or ("silence" if self.silence else "hang up")


class Given(_Part):
    """Circumstances in which the call is held."""

    operator: Literal["answers", "refuses", "nobody"] = "answers"
    """Whether a person can be reached; a browser has no way to one."""
    hour: int = Field(12, ge=0, le=23)
    """Hour of the day at the caller's, for the greeting."""
    speech: bool = True
    """Whether callers may speak; without, they are asked for keys alone."""
    books: Literal["demonstration", "broken"] = "demonstration"
    """What the bills are; broken ones cannot be read."""
    dialog: settings.Dialog | None = None
    """Settings of the conversation in place of the run's own."""
    timers: settings.Timers | None = None
    """Settings of hearing in place of the run's own."""
    inquiries_per_call: int | None = Field(None, ge=1)
    """How many bills may be asked for in this call."""


class Scenario(_Part):
    """One call, or one for each row of `values`."""

    name: str = Field(min_length=1)
    """What the call shows, as a sentence."""
    given: Given = Given()
    legs: tuple[LegName, ...] = Field(LEGS, min_length=1)
    """By which ways it can be held: from recordings, by telephone, from a browser."""
    line: Line | NamedLine | None = None
    """What happens to the caller's sound on its way."""
    voice: str | None = None
    """Who speaks the words of all turns that name no voice."""
    opens_with: tuple[Text, ...] = ()
    """What the bot must say before the caller does anything."""
    turns: tuple[Turn, ...] = ()
    outcome: Outcome | None = None
    """How the call must end."""
    disclosed: tuple[Text, ...] | None = None
    """The numbers of which the bill must be told, in this order, and no others."""
    values: tuple[dict[str, Text], ...] = ()
    """Rows of values: the call is held once for each, with $NAME in any text replaced."""


class ScenarioFile(_Part):
    """A file of scenarios."""

    sounds: str = "."
    """The folder of sound files, from the folder of this file."""
    line: Line | NamedLine | None = None
    """The line of all scenarios that name none."""
    voice: str = CALLER
    """The voice of all scenarios that name none."""
    scenarios: tuple[Scenario, ...] = Field(min_length=1)


def schema() -> dict[str, Any]:
    """The JSON schema of a file, for editors."""
    return ScenarioFile.model_json_schema() | {"$schema": "http://json-schema.org/draft-07/schema#"}
