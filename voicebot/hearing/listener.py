"""The ears of one call: frames and keys go in, hearing events come out; activity, timers and recognition meet here.

It has no clock: the time of the call's media comes in with each frame. Only the recogniser's stream behind its port
does heavy work: while somebody is `reading`, `accept` belongs in an executor.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from voicebot.audio.level import SlowGain, level_db
from voicebot.audio.sound import FRAME_MS, Samples
from voicebot.audio.tones import ToneDetector
from voicebot.hearing.activity import VoiceActivity
from voicebot.hearing.events import BargeIn, HearingEvent, KeyPressed, NoInput, PartialReading, TurnEnded
from voicebot.hearing.expectation import Completeness, Expectation
from voicebot.hearing.keypad import Keypad
from voicebot.hearing.recognizer import Reading, Recognizer, RecognizerStream
from voicebot.hearing.turn import EndOfTurn

ECHO_MS = 300
"""How late the bot's own voice may come back."""
ECHO_DB = 40.0
"""What is quieter until then is taken for it: in dB above one step of int16, as `level_db` has it."""


@dataclass(frozen=True, slots=True)
class ListenerTimers:
    """The timers of hearing, in ms of the call's media."""

    end_of_turn: EndOfTurn = field(default_factory=EndOfTurn)
    no_input_ms: int = 5000
    """Silence after a question before the caller is asked again."""
    inter_digit_ms: int = 3000
    """Longest pause between two keys of one entry."""
    pre_roll_ms: int = 400
    """Sound from before speech was noticed that the recogniser hears too, so that no first word is lost."""
    partial_ms: int = 60
    """How often the recogniser is asked for its partial reading."""


@dataclass(slots=True)
class _Turn:
    pre_roll: tuple[Samples, ...]
    began_ms: int
    last_voiced_ms: int
    during_prompt: bool
    """Whether the bot was still speaking when the caller was last heard, or is when the turn ends."""
    next_partial_ms: int
    completeness: Completeness = Completeness.INCOMPLETE
    interrupting: bool = False
    """Whether the last partial reading had said enough to stop a prompt."""
    barged_in: bool = False
    partial_text: str = ""
    """The words of the last partial reading."""
    known_text: str = ""
    """Those of the last one that was no guess."""
    last_word_ms: int = 0
    """When these last changed; if they never did, when the caller's time began."""
    stream: RecognizerStream | None = None
    """Opened with the first frame behind the pre-roll."""


class Listener:
    """What one caller says and keys."""

    def __init__(
        self,
        recognizer: Recognizer | None,
        timers: ListenerTimers | None = None,
        *,
        activity: VoiceActivity | None = None,
        in_band_keys: bool = False,
    ) -> None:
        """Begin to listen, expecting nothing.

        Args:
            recognizer: where utterances are read; None: only keys are taken.
            timers: the policy of waiting.
            activity: the voice activity detector.
            in_band_keys: whether to listen for keys as tones: only where the leg delivers no key events.
        """
        self._recognizer = recognizer
        self._timers = timers or ListenerTimers()
        self._activity = activity or VoiceActivity()
        self.in_band_keys = in_band_keys
        """Whether to listen for keys as tones; it may change in mid-call."""
        self._tones = ToneDetector()
        self._gain = SlowGain()
        self._keypad = Keypad(self._timers.inter_digit_ms)
        self._pre_roll: deque[Samples] = deque(maxlen=max(1, self._timers.pre_roll_ms // FRAME_MS))
        self._expectation: Expectation | None = None
        self._turn: _Turn | None = None
        self._quiet_since_ms = 0
        self._echo_until_ms = 0

    @property
    def reading(self) -> bool:
        """Whether the next frame is for the recogniser, which takes its time."""
        return self._turn is not None and not self._keypad.busy

    def expect(self, expectation: Expectation | None, now_ms: int) -> list[HearingEvent]:
        """Listen for the answers of a new question; what was keyed ahead answers it at once."""
        self._expectation = expectation
        self._turn = None
        self._quiet_since_ms = now_ms
        self._keypad.expect(expectation, now_ms)
        return self._poll_keypad(now_ms)

    def press(self, key: str, now_ms: int) -> list[HearingEvent]:
        """Take one key from the leg."""
        if not self._keypad.press(key, now_ms):
            return []
        self._turn = None
        return [KeyPressed(now_ms), *self._poll_keypad(now_ms)]

    def accept(self, frame: Samples, now_ms: int, *, bot_speaking: bool) -> list[HearingEvent]:
        """Hear one frame (int16 mono, 20 ms at 8 kHz) that ends at `now_ms`."""
        events: list[HearingEvent] = []
        for key in self._tones.accept(frame) if self.in_band_keys else ():
            events += self.press(key, now_ms)
        if bot_speaking:
            self._echo_until_ms = now_ms + ECHO_MS
        echo = now_ms < self._echo_until_ms and level_db(frame) < ECHO_DB
        frame = self._gain.accept(frame, learn=not echo)
        self._pre_roll.append(frame)
        voiced = self._activity.accept(frame, echo=echo)
        if self.in_band_keys and self._tones.active:
            voiced = False
            self._activity.forget()
        events += self._poll_keypad(now_ms)
        if self._expectation is None:
            return events
        if self._keypad.busy:
            self._quiet_since_ms = now_ms
        elif self._turn is not None:
            stream = self._turn.stream or self._open_stream(self._turn, self._expectation)
            stream.accept(frame)
            events += self._follow(self._turn, stream, voiced, now_ms, bot_speaking)
        elif self._activity.speech and self._recognizer is not None:
            self._begin_turn(now_ms, bot_speaking)
        elif bot_speaking:
            self._quiet_since_ms = now_ms
        elif now_ms - self._quiet_since_ms >= self._timers.no_input_ms:
            self._expectation = None
            events.append(NoInput())
        return events

    def _poll_keypad(self, now_ms: int) -> list[HearingEvent]:
        entry = self._keypad.poll(now_ms)
        if entry is None:
            return []
        self._expectation = None
        return [entry]

    def _begin_turn(self, now_ms: int, bot_speaking: bool) -> None:
        self._turn = _Turn(
            tuple(self._pre_roll),
            began_ms=max(0, now_ms - self._activity.window_ms),
            last_voiced_ms=now_ms,
            last_word_ms=now_ms,
            during_prompt=bot_speaking,
            next_partial_ms=now_ms,
        )

    def _open_stream(self, turn: _Turn, expectation: Expectation) -> RecognizerStream:
        assert self._recognizer is not None
        stream = turn.stream = self._recognizer.stream(expectation.grammar)
        for frame in turn.pre_roll:
            stream.accept(frame)
        return stream

    def _follow(
        self, turn: _Turn, stream: RecognizerStream, voiced: bool, now_ms: int, bot_speaking: bool
    ) -> list[HearingEvent]:
        assert self._expectation is not None
        self._quiet_since_ms = now_ms
        events: list[HearingEvent] = []
        if voiced:
            turn.last_voiced_ms = now_ms
            turn.during_prompt = bot_speaking
        if bot_speaking and not turn.known_text:
            turn.last_word_ms = now_ms
        if now_ms >= turn.next_partial_ms:
            turn.next_partial_ms = now_ms + self._timers.partial_ms
            reading = stream.partial()
            if reading.text != turn.partial_text:
                turn.partial_text = reading.text
                events.append(PartialReading(reading))
            completeness = self._expectation.spoken(reading)
            before, turn.interrupting = turn.interrupting, _answers(reading, completeness)
            if not reading.guessed:
                turn.completeness = completeness
                if reading.text != turn.known_text:
                    turn.known_text, turn.last_word_ms = reading.text, now_ms
            if bot_speaking and not self._expectation.hotword and not turn.barged_in and before and turn.interrupting:
                turn.barged_in = True
                events.append(BargeIn(now_ms))
        if self._timers.end_of_turn.has_ended(
            completeness=turn.completeness,
            began_ms=turn.began_ms,
            last_voiced_ms=turn.last_voiced_ms,
            last_word_ms=turn.last_word_ms,
            now_ms=now_ms,
        ):
            turn.during_prompt |= bot_speaking
            events += self._end_turn(turn, stream)
        return events

    def _end_turn(self, turn: _Turn, stream: RecognizerStream) -> list[HearingEvent]:
        readings = tuple(stream.finish())
        self._turn = None
        self._activity.forget()
        assert self._expectation is not None
        if turn.during_prompt and not turn.barged_in and not self._expectation.understood(readings[0]):
            return [PartialReading(Reading("", 0.0))] if turn.partial_text else []
        self._expectation = None
        return [TurnEnded(readings, turn.began_ms, turn.last_voiced_ms)]


def _answers(reading: Reading, completeness: Completeness) -> bool:
    """Whether a partial reading says enough to stop a prompt; a cough or one stray syllable does not.

    It has to say so twice in a row: the first guess at a word that has just begun is often another word.
    """
    return completeness is not Completeness.INCOMPLETE or len(reading.digits) >= 2
