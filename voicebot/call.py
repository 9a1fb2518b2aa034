"""The conductor of one call: it alone knows all rooms, and carries out what the conversation asks for."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

import structlog

from voicebot.audio.sound import TELEPHONE_RATE_HZ, Sound
from voicebot.billing.disclosure import NoDisclosure
from voicebot.billing.identifier import Identifier
from voicebot.billing.inquiry import Inquiries, TooManyInquiries
from voicebot.billing.store import BillingStore, StoreUnavailable
from voicebot.captions import Captions
from voicebot.dialog.actions import Action, Foresee, HangUp, Hush, Listen, LookUp, Outcome, Say, TellKnown, Transfer
from voicebot.dialog.catalogue import Catalogue, Phrase
from voicebot.dialog.conversation import Conversation, State
from voicebot.dialog.events import (
    Answered,
    CallerHungUp,
    CutOff,
    DialogEvent,
    Heard,
    KnownNumbers,
    LookedUp,
    StoreFailed,
    TransferRefused,
)
from voicebot.errors import VoicebotError
from voicebot.hearing.events import HearingEvent, KeysEntered, TurnEnded
from voicebot.hearing.listener import Listener, ListenerTimers
from voicebot.hearing.recognizer import Recognizer
from voicebot.language.dates import LOCAL_TIME
from voicebot.legs.leg import Attributed, CallLeg, Frame, HungUp, KeyPress, Media, PlaybackEnded
from voicebot.legs.playback import Playback
from voicebot.voice.synthesizer import Synthesizer

log = structlog.get_logger()

_COMPARISON_TIMEOUT_S = 0.3
"""How long the books may take to tell which numbers they have; a number is read back without them, too."""

_MOST_FRAMES_BEHIND = 9
"""Frames that are heard at once behind the first: 180 ms, less than a caller notices."""


@dataclass(frozen=True, slots=True)
class Services:
    """What all calls share."""

    recognizer: Recognizer | None
    """None where callers can only key."""
    synthesizer: Synthesizer
    store: BillingStore
    conversation: Conversation
    catalogue: Catalogue
    executor: Executor
    """Bounded; recognition runs in it."""
    renderers: Executor
    """Likewise for synthesis, so that nobody's hearing waits for another's phrase."""
    timers: ListenerTimers = field(default_factory=ListenerTimers)
    operator: Callable[[], str] = str
    """Whom a caller is handed to now; "" when there is nobody."""
    store_timeout_s: float = 5.0
    """How long the books may take before the caller hears an apology."""
    inquiries: Inquiries | None = None
    """The limited and recorded door to the same store; None where a test wants neither."""
    today: Callable[[], date] = date.today
    now: Callable[[], datetime] = lambda: datetime.now(LOCAL_TIME)
    """The time where callers live."""
    monotonic: Callable[[], float] = time.monotonic
    """Wall clock in s, to measure how long the bot takes to answer."""


@dataclass(slots=True)
class BotTurn:
    """Something that the bot said."""

    text: str = field(repr=False)
    masked: str
    """The same with a customer's number hidden."""
    interrupted: bool = False
    prompts_begun: int = 0
    """How many of its prompts the caller heard begin."""
    began_ms: int | None = None
    """When its sound began, in ms of the call; None until it was heard."""
    ended_ms: int | None = None
    """When its sound ended."""


@dataclass(slots=True)
class CallerTurn:
    """Something that the caller said or keyed."""

    text: str = field(repr=False)
    digits: str = field(repr=False)
    via: str
    """"speech" or "keys"."""
    confidence: float
    began_ms: int
    ended_ms: int
    intent: str | None = None


@dataclass(slots=True)
class CallRecord:
    """What happened in a call."""

    outcome: Outcome | None = None
    identifier: Identifier | None = None
    """The last number that was looked up."""
    turns: list[BotTurn | CallerTurn] = field(default_factory=list)
    latency_ms: list[int] = field(default_factory=list)
    """For each answer: from the end of speech (or the last key) to the first sound of it."""

    def as_dict(self, *, reveal: bool = False) -> dict[str, Any]:
        """For JSON. Unless `reveal`, digits that may be a customer's number are masked wherever they stand."""
        identifier = None
        if self.identifier is not None:
            identifier = self.identifier.reveal() if reveal else self.identifier.masked
        return {
            "outcome": self.outcome,
            "identifier": identifier,
            "turns": [_bot_dict(t, reveal) if isinstance(t, BotTurn) else _caller_dict(t, reveal) for t in self.turns],
            "latency_ms": self.latency_ms,
        }


def _bot_dict(turn: BotTurn, reveal: bool) -> dict[str, Any]:
    said = {"bot": turn.text if reveal else turn.masked, "began_ms": turn.began_ms, "ended_ms": turn.ended_ms}
    return said | ({"interrupted": True, "prompts_begun": turn.prompts_begun} if turn.interrupted else {})


def _caller_dict(turn: CallerTurn, reveal: bool) -> dict[str, Any]:
    text, digits = turn.text, turn.digits
    if not reveal and digits:
        digits = "•" * (len(digits) - 2) + digits[-2:] if len(digits) > 2 else "•" * len(digits)
        text = "•" if turn.text else ""
    said: dict[str, Any] = {"text": text, "digits": digits, "via": turn.via, "confidence": round(turn.confidence, 3)}
    said |= {"intent": turn.intent} if turn.intent else {}
    return {"caller": said, "began_ms": turn.began_ms, "ended_ms": turn.ended_ms}


@dataclass(slots=True)
class _AnswerDue:
    """The bot owes an answer: how much time had passed on the line and since when it passes on the wall."""

    waited_ms: int
    since_s: float


class Call:
    """One call from answering to its end."""

    def __init__(self, leg: CallLeg, services: Services, call_id: str = "") -> None:
        self._leg = leg
        self._services = services
        self._log = log.bind(call=call_id)
        channel, visitor = (leg.channel, leg.visitor) if isinstance(leg, Attributed) else ("recordings", "")
        inquiries = services.inquiries
        self._find = inquiries.visit(channel, visitor).balance if inquiries else services.store.find
        self._listener = Listener(services.recognizer, services.timers, in_band_keys=leg.in_band_keys)
        self._captions = Captions(leg)
        self._state = State()
        self._ahead: deque[Media] = deque()
        self._now_ms = 0
        self._received_s = 0.0
        self._answer_due: _AnswerDue | None = None
        self._live: dict[Playback, tuple[BotTurn, Say]] = {}
        self._ending: Transfer | HangUp | None = None
        self._over = False
        self._foresight: asyncio.Future[None] = asyncio.Future()
        self.record = CallRecord()
        """What has happened so far."""

    async def run(self) -> CallRecord:
        """Hold the call; returns its record when it is over.

        Raises:
            VoicebotError: the bot itself failed in mid-call; the record tells how far it came.
        """
        self._log.info("answered")
        try:
            async with asyncio.TaskGroup() as self._tasks:
                try:
                    await self._take(Answered(self._services.now().hour, bool(self._services.operator())))
                    while not self._over:
                        await self._follow_line()
                        if self._ending and not self._live:
                            await self._end(self._ending)
                finally:
                    self._foresight.cancel()
                    for playback in self._live:
                        playback.stop()
        except ExceptionGroup as group:
            await self._leg.hang_up()
            known, unknown = group.split(VoicebotError)
            if known is None or unknown is not None:
                raise
            raise _first(known) from None
        self.record.outcome = self._state.outcome
        self._log.info("ended", outcome=self._state.outcome, duration_ms=self._now_ms)
        return self.record

    async def _follow_line(self) -> None:
        """Wait for the next thing on the line and answer it."""
        media = await self._receive()
        self._now_ms = media.at_ms
        self._received_s = self._services.monotonic()
        match media:
            case Frame():
                await self._take(*await self._hear([media, *await self._frames_behind()]))
            case KeyPress():
                await self._take(*self._listener.press(media.key, media.at_ms))
            case PlaybackEnded():
                turn, say = self._live.pop(media.playback)
                turn.interrupted = media.playback.stopped
                turn.began_ms = media.at_ms - round(media.playback.heard_ms)
                turn.ended_ms = media.at_ms
                if say.mark and not turn.interrupted:
                    await self._take(Heard(say.mark))
            case HungUp():
                self._over = True
                await self._take(CallerHungUp())

    async def _receive(self) -> Media:
        return self._ahead.popleft() if self._ahead else await self._leg.receive()

    async def _frames_behind(self) -> list[Frame]:
        """The next frames, as far as they have come: where calls are many, one way into the executor serves several."""
        frames: list[Frame] = []
        while len(frames) < _MOST_FRAMES_BEHIND and (self._ahead or self._leg.waiting):
            media = await self._receive()
            if not isinstance(media, Frame):
                self._ahead.appendleft(media)
                break
            frames.append(media)
        return frames

    async def _hear(self, frames: list[Frame]) -> list[HearingEvent]:
        """Hear frames up to the first that says something; those behind it wait until that is answered."""
        self._listener.in_band_keys = self._leg.in_band_keys
        hear = partial(_hear, self._listener, frames)
        loop = asyncio.get_running_loop()
        reading = self._listener.reading
        events, heard = await loop.run_in_executor(self._services.executor, hear) if reading else hear()
        self._ahead.extendleft(reversed(frames[heard:]))
        self._now_ms = frames[heard - 1].at_ms
        return events

    async def _take(self, *events: DialogEvent) -> None:
        """Let the conversation answer these events, each with those that follow from its answer before the next."""
        waiting = deque(events)
        while waiting:
            event = waiting.popleft()
            self._note(event)
            if isinstance(event, HearingEvent):
                self._captions.hear(event)
            self._state, actions = self._services.conversation.step(self._state, event)
            follow = [event for action in actions for event in await self._carry_out(action)]
            waiting.extendleft(reversed(follow))

    async def _carry_out(self, action: Action) -> Iterable[DialogEvent]:
        match action:
            case Say():
                self._say(action)
            case Hush():
                return self._hush()
            case Listen():
                return self._listener.expect(action.expectation, self._now_ms)
            case LookUp():
                return [await self._look_up(action.identifier)]
            case TellKnown():
                return [await self._tell_known(action.identifiers)]
            case Foresee():
                self._foresight.cancel()
                self._foresight = self._tasks.create_task(self._get_ready(action.identifier))
            case Transfer() | HangUp():
                self._listener.expect(None, self._now_ms)
                self._ending = action
        return ()

    def _say(self, action: Say) -> None:
        catalogue = self._services.catalogue
        turn = BotTurn(
            " ".join(catalogue.transcript(prompt, reveal=True) for prompt in action.prompts),
            " ".join(catalogue.transcript(prompt, reveal=False) for prompt in action.prompts),
        )
        self.record.turns.append(turn)
        playback = self._leg.play()
        self._live[playback] = (turn, action)
        shown = self._captions.say([catalogue.written(prompt) for prompt in action.prompts])
        phrases: list[tuple[Phrase, Callable[[], None] | None]] = [
            (phrase, partial(_begin, turn, show) if i == 0 else None)
            for prompt, show in zip(action.prompts, shown, strict=True)
            for i, phrase in enumerate(catalogue.phrases(prompt))
        ]
        self._tasks.create_task(self._speak(playback, phrases))

    def _hush(self) -> list[DialogEvent]:
        """Stop what is being said and what waits behind it."""
        sounding = [playback for playback in self._live if not (playback.stopped or playback.ended)]
        for playback in sounding:
            playback.stop()
        return [CutOff(say, turn.prompts_begun) for turn, say in map(self._live.__getitem__, sounding)]

    async def _speak(self, playback: Playback, phrases: list[tuple[Phrase, Callable[[], None] | None]]) -> None:
        """Render phrase by phrase into the playback, each with what its first sound sets off, until it is stopped."""
        try:
            for phrase, began in phrases:
                if playback.stopped:
                    break
                sound = await self._rendered(phrase, playback.rate_hz)
                if self._answer_due is not None and not playback.stopped:
                    passed_ms = (self._services.monotonic() - self._answer_due.since_s) * 1000
                    self.record.latency_ms.append(round(self._answer_due.waited_ms + passed_ms))
                    self._answer_due = None
                playback.feed(sound, began)
                playback.feed(Sound.silence(phrase.pause_ms, sound.rate_hz))
        finally:
            playback.end()

    async def _rendered(self, phrase: Phrase, rate_hz: int) -> Sound:
        """The phrase as it sounds, rendered and resampled off the event loop."""
        services = self._services

        def render() -> Sound:
            said = services.synthesizer.synthesize(phrase.text, services.catalogue.language, emphasis=phrase.emphasis)
            return said.resampled(rate_hz)

        return await asyncio.get_running_loop().run_in_executor(services.renderers, render)

    async def _get_ready(self, identifier: Identifier) -> None:
        """Render the answer into the phrase cache while the caller still hears the number; a failure shows later."""
        with suppress(VoicebotError):
            account = await self._services.store.find(identifier)
            if account is None:
                return
            for prompt in self._services.conversation.answer(account, self._services.today()):
                for phrase in self._services.catalogue.phrases(prompt):
                    await self._rendered(phrase, TELEPHONE_RATE_HZ)

    async def _look_up(self, identifier: Identifier) -> DialogEvent:
        self.record.identifier = identifier
        try:
            async with asyncio.timeout(self._services.store_timeout_s):
                account = await self._find(identifier)
        except (StoreUnavailable, TooManyInquiries, NoDisclosure, TimeoutError) as error:
            self._log.error("store failed", reason=str(error) or "it did not answer in time")
            return StoreFailed(too_many=isinstance(error, TooManyInquiries))
        self._log.info("looked up", identifier=str(identifier), found=account is not None)
        return LookedUp(account, self._services.today())

    async def _tell_known(self, identifiers: tuple[Identifier, ...]) -> DialogEvent:
        """Which numbers the books have; none where they take longer than a caller would notice."""
        try:
            async with asyncio.timeout(_COMPARISON_TIMEOUT_S):
                return KnownNumbers(await self._services.store.known(identifiers))
        except (StoreUnavailable, TimeoutError) as error:
            self._log.warning("comparison failed", reason=str(error) or "it did not answer in time")
            return KnownNumbers(frozenset())

    async def _end(self, how: Transfer | HangUp) -> None:
        self._ending = None
        if isinstance(how, Transfer):
            target = self._services.operator()
            if not target or not await self._leg.transfer(target):
                self._log.warning("transfer refused")
                await self._take(TransferRefused())
                return
        self._over = True
        await self._leg.hang_up()

    def _note(self, event: DialogEvent) -> None:
        """Put what the caller did into the record and start the clock of the answer."""
        match event:
            case TurnEnded():
                best = event.readings[0]
                heard = (best.confidence, event.began_ms, event.ended_ms, best.intent)
                self.record.turns.append(CallerTurn(best.text, best.digits, "speech", *heard))
                self._answer_due = _AnswerDue(self._now_ms - event.ended_ms, self._received_s)
                self._log.info("turn", reading=repr(best), ended_ms=event.ended_ms)
            case KeysEntered():
                self.record.turns.append(CallerTurn("", event.digits, "keys", 1.0, self._now_ms, self._now_ms))
                self._answer_due = _AnswerDue(0, self._received_s)
                self._log.info("keys", count=len(event.digits))


def _begin(turn: BotTurn, show: Callable[[], None]) -> None:
    """The next prompt of `turn` begins to sound."""
    turn.prompts_begun += 1
    show()


def _hear(listener: Listener, frames: Iterable[Frame]) -> tuple[list[HearingEvent], int]:
    """Hear frames up to the first that has events, or that begins or ends a reading.

    Blocking while the listener is `reading`. Returns the events of the last frame and how many frames were heard.
    """
    events: list[HearingEvent] = []
    heard, reading = 0, listener.reading
    for frame in frames:
        events = listener.accept(frame.samples, frame.at_ms, bot_speaking=frame.bot_speaking)
        heard += 1
        if events or listener.reading != reading:
            break
    return events, heard


def _first(group: ExceptionGroup[VoicebotError]) -> VoicebotError:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, ExceptionGroup) else found
