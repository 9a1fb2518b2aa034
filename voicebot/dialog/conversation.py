"""The conversation as a state machine: `step` takes a state and an event, and gives the next state and actions.

Pure: no sound, no clock, no input or output, so a whole call is tested as a list of events. The words are in the
catalogue (`prompts/`); what a caller may say is in the grammars.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from voicebot.billing.identifier import Identifier, IdentifierSchemes
from voicebot.billing.store import Account
from voicebot.dialog.actions import (
    Action,
    Counted,
    Day,
    Foresee,
    HangUp,
    Hush,
    Listen,
    LookUp,
    OneOf,
    Outcome,
    Prompt,
    Say,
    Slot,
    TellKnown,
    Transfer,
)
from voicebot.dialog.candidates import Candidates, Hearing
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
from voicebot.hearing.events import BargeIn, KeyPressed, KeysEntered, NoInput, TurnEnded
from voicebot.hearing.expectation import Completeness, Expectation
from voicebot.hearing.recognizer import Reading

SUM_TOLD = "sum told"
"""Mark of the prompt that says what is owed."""

GRAMMARS = ("confirm", "identifier", "menu")
"""The grammars of its questions; what else a model has is loaded by whoever asks for it."""

_NEAR_DAYS = 180
"""A date this near needs no year."""

_GREETINGS = ((5, "greeting_morning"), (10, "greeting_day"), (18, "greeting_evening"), (23, "greeting"))
"""From which hour which greeting is said; before the first hour the last one is."""

_NOISE_CONFIDENCE = 0.1
"""Digits that are heard less surely while the bot speaks are a noise."""

_HEARINGS = 3
"""How many answers are weighed together."""

_CONFIRM_KEYS = {"1": "yes", "2": "no", "0": "operator"}
_MENU_KEYS = {"1": "repeat", "2": "another", "9": "end", "0": "operator"}


class Phase(enum.Enum):
    """What the bot is waiting for."""

    RINGING = enum.auto()
    NUMBER = enum.auto()
    COMPARISON = enum.auto()
    CONFIRMATION = enum.auto()
    BOOKS = enum.auto()
    MENU = enum.auto()
    PERSON = enum.auto()
    OVER = enum.auto()


@dataclass(frozen=True, slots=True)
class State:
    """Everything that a conversation remembers."""

    phase: Phase = Phase.RINGING
    misses: int = 0
    """How often in a row no usable number came."""
    unclear: int = 0
    """How often in a row the present question (not that for the number) was left unanswered."""
    candidate: Identifier | None = None
    """The number that is being confirmed or looked up."""
    rejected: frozenset[Identifier] = frozenset()
    """Numbers that the caller said are wrong."""
    hearings: tuple[Hearing, ...] = field(default=(), repr=False)
    """The last answers in which the number was spoken."""
    asked: tuple[Identifier, ...] = ()
    """The numbers that the books were asked about and have not answered."""
    comparisons: int = 0
    """How often in this call the books were asked which numbers they have."""
    account: Account | None = None
    today: date | None = None
    informed: bool = False
    """Whether the caller has heard what is owed."""
    staffed: bool = True
    """Whether somebody may be there to take the call over."""
    said: Mapping[str, int] = field(default_factory=dict)
    """The prompts of this turn of the bot, each with its repetitions."""
    said_before: Mapping[str, int] = field(default_factory=dict)
    """Those of the turn before."""
    untold: tuple[Say, ...] | None = None
    """What the caller has cut off and not heard to its end; None while he lets the bot speak."""
    outcome: Outcome | None = None
    """Set when the call is over."""


Step = tuple[State, list[Action]]


@dataclass(frozen=True, slots=True)
class Conversation:
    """The policy of a conversation; its attributes are the knobs."""

    schemes: IdentifierSchemes
    speech_tries: int = 3
    """Misses after which the keypad is asked for."""
    keypad_tries: int = 2
    """Further misses after which a person is."""
    unclear_tries: int = 3
    """Unclear answers in a row to a yes/no question before it is given up."""
    number_confidence: float = 0.4
    """Least confidence of a spoken number; on development voices no right one had less."""
    sure_confidence: float = 0.8
    """Confidence of a spoken number from which it is read back as it was heard; below it, the books help to choose."""
    most_comparisons: int = 5
    """How often in a call they may."""
    intent_confidence: float = 0.5
    """Least confidence of a command or a no."""
    yes_confidence: float = 0.6
    """Least confidence of a yes, which lets a debt be told."""

    def step(self, state: State, event: DialogEvent) -> Step:
        """The next state and what is to be done, in order. After the end of a call nothing happens any more."""
        if state.phase is Phase.OVER:
            return state, []
        if state.untold and self._came_to_nothing(state, event):
            listen = Listen(replace(self._expectation(state.phase), hotword=True))
            return replace(state, untold=None), [*state.untold, listen]
        if isinstance(event, TurnEnded | KeysEntered | NoInput) and state.said:
            state = replace(state, said={}, said_before=state.said, untold=None)
        return _with_repetitions(*self._answer_to(state, event))

    def _answer_to(self, state: State, event: DialogEvent) -> Step:
        match event:
            case Answered():
                state = replace(state, staffed=event.staffed)
                return self._ask_number(state, _greeting(event.hour), Prompt("ask_number"))
            case KeyPressed() | BargeIn() if state.phase is Phase.NUMBER:
                return state, [Hush()]
            case KeyPressed() | BargeIn() if state.phase in (Phase.CONFIRMATION, Phase.MENU):
                return replace(state, untold=state.untold or ()), [Hush()]
            case CutOff() if state.untold is not None:
                return replace(state, untold=(*state.untold, event.untold)), []
            case TurnEnded():
                return _hushed(self._on_turn(state, event))
            case KeysEntered():
                return _hushed(self._on_keys(state, event.digits))
            case NoInput():
                return self._on_no_input(state)
            case LookedUp():
                return self._on_looked_up(state, event)
            case KnownNumbers():
                return self._on_known_numbers(state, event)
            case StoreFailed():
                why = Prompt("too_many_inquiries" if event.too_many else "store_failed")
                return self._to_person(state, why) if state.phase is Phase.BOOKS else (state, [])
            case Heard():
                return replace(state, informed=state.informed or event.mark == SUM_TOLD), []
            case TransferRefused():
                return self._on_transfer_refused(state)
            case CallerHungUp():
                outcome = Outcome.INFORMED if state.informed else Outcome.ABANDONED
                return replace(state, phase=Phase.OVER, outcome=outcome), []
            case _:
                return state, []

    # What the caller does

    def _on_turn(self, state: State, turn: TurnEnded) -> Step:
        intent = self._sure_intent(turn.readings[0])
        match state.phase:
            case Phase.NUMBER:
                return self._on_intent(state, intent) or self._on_spoken_number(state, turn.readings)
            case Phase.CONFIRMATION:
                return self._on_intent(state, intent) or self._unclear(state, "confirm_unclear")
            case Phase.MENU:
                return self._on_intent(state, intent) or self._unclear(state, "menu_unclear")
            case _:
                return state, []

    def _sure_intent(self, reading: Reading) -> str | None:
        """What was asked for, if that is sure enough."""
        needed = self.yes_confidence if reading.intent == "yes" else self.intent_confidence
        return reading.intent if reading.confidence >= needed else None

    def _came_to_nothing(self, state: State, event: DialogEvent) -> bool:
        """Whether nobody said anything after all: a cough, or a key that means nothing by itself."""
        match event:
            case TurnEnded():
                return not self._expectation(state.phase).understood(event.readings[0])
            case _:
                return isinstance(event, NoInput)

    def _on_keys(self, state: State, digits: str) -> Step:
        match state.phase:
            case Phase.NUMBER if digits == "0":
                return self._to_person(state)
            case Phase.CONFIRMATION if len(digits) <= 1:
                return self._on_intent(state, _CONFIRM_KEYS.get(digits)) or self._unclear(state, "confirm_unclear")
            case Phase.MENU if len(digits) <= 1:
                return self._on_intent(state, _MENU_KEYS.get(digits)) or self._unclear(state, "menu_unclear")
            case Phase.NUMBER | Phase.CONFIRMATION | Phase.MENU:
                return self._on_keyed_number(state, digits)
            case _:
                return state, []

    def _on_no_input(self, state: State) -> Step:
        match state.phase:
            case Phase.NUMBER:
                return self._miss(state, "no_input")
            case Phase.CONFIRMATION:
                return self._unclear(state, "confirm_no_input")
            case Phase.MENU:
                return self._unclear(state, "menu_no_input")
            case _:
                return state, []

    def _on_intent(self, state: State, intent: str | None) -> Step | None:
        """What follows from a command, a yes or a no; None where it means nothing now."""
        match (state.phase, intent):
            case (_, "operator"):
                return self._to_person(state)
            case (_, "end") | (Phase.MENU, "no"):
                return self._goodbye(state)
            case (Phase.CONFIRMATION, "yes"):
                assert state.candidate is not None
                return self._look_up(state, state.candidate)
            case (Phase.CONFIRMATION, "no" | "another"):
                assert state.candidate is not None
                rejected = replace(state, rejected=state.rejected | {state.candidate}, candidate=None)
                return self._miss(rejected, "rejected")
            case (Phase.CONFIRMATION, "repeat" | "help"):
                return self._confirm(state, *([Prompt("confirm_help")] if intent == "help" else []))
            case (Phase.NUMBER, "help" | "unknown_number"):
                return self._ask_number(state, Prompt("number_help", {"lengths": self._lengths}), *_operator(state))
            case (Phase.NUMBER, "repeat" | "another" | "greeting"):
                return self._ask_number(state, Prompt("ask_number"))
            case (Phase.MENU, "repeat"):
                return self._tell(replace(state, unclear=0))
            case (Phase.MENU, "another" | "yes"):
                fresh = State(
                    informed=state.informed,
                    comparisons=state.comparisons,
                    staffed=state.staffed,
                    said_before=state.said_before,
                )
                return self._ask_number(fresh, Prompt("ask_another"))
            case (Phase.MENU, "help"):
                return self._menu(replace(state, unclear=0), Prompt("menu_help"))
            case _:
                return None

    # The number

    def _on_spoken_number(self, state: State, readings: tuple[Reading, ...]) -> Step:
        if any(reading.digits for reading in readings):
            state = replace(state, hearings=(*state.hearings, readings)[-_HEARINGS:])
            candidates = self._candidates(state)
            best_heard = next(iter(candidates.heard), None)
            if best_heard is not None and best_heard.probability >= self.number_confidence:
                if best_heard.probability >= self.sure_confidence or state.comparisons >= self.most_comparisons:
                    return self._offer(state, best_heard.identifier)
                asked = tuple(candidates.to_ask_for)
                state = replace(state, phase=Phase.COMPARISON, asked=asked, comparisons=state.comparisons + 1)
                return state, [TellKnown(asked)]
        best = readings[0]
        if best.digits and best.confidence >= self.number_confidence and self.schemes.match(best.digits) is None:
            return self._miss(state, "wrong_length", digits=best.digits)
        return self._miss(state, "no_match")

    def _on_known_numbers(self, state: State, event: KnownNumbers) -> Step:
        """Some number is read back whatever the books have; they only tell which."""
        if state.phase is not Phase.COMPARISON:
            return state, []
        best, *_ = self._candidates(state).told_apart(state.asked, event.identifiers)
        return self._offer(replace(state, asked=()), best.identifier)

    def _candidates(self, state: State) -> Candidates:
        return Candidates(self.schemes, state.hearings, state.rejected)

    def _offer(self, state: State, number: Identifier) -> Step:
        return self._confirm(replace(state, candidate=number, unclear=0))

    def _on_keyed_number(self, state: State, digits: str) -> Step:
        found = self.schemes.match(digits)
        if found is None:
            return self._miss(state, "wrong_length", digits=digits)
        state, actions = self._look_up(state, found)
        return state, [Say((Prompt("keyed_back", {"number": found}),)), *actions]

    def _miss(self, state: State, why: str, digits: str = "") -> Step:
        """No usable number came: ask again, then ask for keys, then for a person."""
        state = replace(state, misses=state.misses + 1, candidate=None, unclear=0)
        if state.misses >= self.speech_tries + self.keypad_tries:
            return self._to_person(state, Prompt("give_up"))
        prompts = [Prompt(why)]
        if why == "wrong_length":
            prompts = [Prompt(why, {"heard": Counted(len(digits), "digit"), "lengths": self._lengths})]
        if state.misses >= self.speech_tries:
            prompts.append(Prompt("ask_keys"))
        elif state.misses > 1:
            prompts.append(Prompt("ask_again_with_help"))
        else:
            prompts.append(Prompt("ask_again"))
        return self._ask_number(state, *prompts)

    @property
    def _lengths(self) -> OneOf:
        return OneOf(sorted(self.schemes.lengths))

    def _ask_number(self, state: State, *prompts: Prompt) -> Step:
        return replace(state, phase=Phase.NUMBER), [Say(prompts), Listen(self._expectation(Phase.NUMBER))]

    def _confirm(self, state: State, *first: Prompt) -> Step:
        number = state.candidate
        assert number is not None
        read_back = Prompt("read_back", {"number": number})
        state, actions = self._ask_confirmation(state, *first, read_back, Prompt("is_it_right"))
        return state, [*actions, Foresee(number)]

    def answer(self, account: Account, today: date) -> tuple[Prompt, ...]:
        """What would be told of an account, for getting it ready."""
        return (_sum_prompt(account), *_term_prompts(account, today), Prompt("as_of", {"as_of": account.as_of}))

    def _ask_confirmation(self, state: State, *prompts: Prompt) -> Step:
        return replace(state, phase=Phase.CONFIRMATION), [Say(prompts), Listen(self._expectation(Phase.CONFIRMATION))]

    # The books

    def _look_up(self, state: State, identifier: Identifier) -> Step:
        return replace(state, phase=Phase.BOOKS, candidate=identifier), [LookUp(identifier)]

    def _on_looked_up(self, state: State, found: LookedUp) -> Step:
        if state.phase is not Phase.BOOKS:
            return state, []
        if found.account is None:
            return self._miss(state, "not_found")
        state = replace(
            state, account=found.account, today=found.today, misses=0, unclear=0, rejected=frozenset(), hearings=()
        )
        return self._tell(state)

    def _tell(self, state: State) -> Step:
        account, today = state.account, state.today
        assert account is not None and today is not None
        state = replace(state, phase=Phase.MENU)
        say_sum, *details = self.answer(account, today)
        ask = (*details, Prompt("menu"), *_operator(state))
        return state, [Say((say_sum,), SUM_TOLD), Say(ask), Listen(self._expectation(Phase.MENU))]

    # What follows

    def _menu(self, state: State, *prompts: Prompt) -> Step:
        say = Say((*prompts, *_operator(state)))
        return replace(state, phase=Phase.MENU), [say, Listen(self._expectation(Phase.MENU))]

    def _unclear(self, state: State, prompt: str) -> Step:
        """The answer to a question other than that for the number was no answer."""
        state = replace(state, unclear=state.unclear + 1)
        if state.phase is Phase.MENU:
            return self._goodbye(state) if state.unclear >= 2 else self._menu(state, Prompt(prompt))
        if state.unclear >= self.unclear_tries:
            return self._miss(replace(state, misses=max(state.misses, self.speech_tries - 1)), "no_match")
        return self._ask_confirmation(state, Prompt(prompt))

    def _to_person(self, state: State, *reasons: Prompt) -> Step:
        """Hand the caller over; where nobody is there, go on without."""
        if not state.staffed:
            return self._without_person(state, *(reasons or (Prompt("nobody_there"),)))
        say = Say((*reasons, Prompt("transfer")))
        return replace(state, phase=Phase.PERSON, outcome=Outcome.TRANSFERRED), [say, Transfer()]

    def _on_transfer_refused(self, state: State) -> Step:
        if state.phase is not Phase.PERSON:
            return state, []
        return self._without_person(replace(state, outcome=None, staffed=False), Prompt("nobody_free"))

    def _without_person(self, state: State, *prompts: Prompt) -> Step:
        if state.phase is Phase.CONFIRMATION and state.candidate is not None:
            return self._confirm(state, *prompts)
        if state.account is not None:
            return self._menu(replace(state, unclear=0), *prompts, Prompt("menu"))
        if state.phase is Phase.BOOKS or state.misses >= self.speech_tries + self.keypad_tries:
            return self._goodbye(state, *prompts, Prompt("call_later"))
        return self._ask_number(state, *prompts, Prompt("ask_number"))

    def _goodbye(self, state: State, *before: Prompt) -> Step:
        outcome = Outcome.INFORMED if state.informed else Outcome.ENDED
        state = replace(state, phase=Phase.OVER, outcome=outcome)
        return state, [Say((*before, Prompt("goodbye"))), HangUp()]

    # What an answer is, and how complete

    def _expectation(self, phase: Phase) -> Expectation:
        match phase:
            case Phase.MENU:
                keyed = self._keyed_among(_MENU_KEYS)
                return Expectation("menu", self._command_spoken, keyed, self._command_understood)
            case Phase.CONFIRMATION:
                keyed = self._keyed_among(_CONFIRM_KEYS)
                return Expectation("confirm", self._confirmation_spoken, keyed, self._intent_understood)
            case _:
                return Expectation("identifier", self._number_spoken, self._number_keyed, self._number_understood)

    def _number_spoken(self, reading: Reading) -> Completeness:
        """Who has greeted draws breath, and says his number."""
        if reading.intent is not None:
            return Completeness.INCOMPLETE if reading.intent == "greeting" else Completeness.COMPLETE
        keyed = self._number_keyed(reading.digits)
        return Completeness.FINAL if keyed is Completeness.COMPLETE else keyed

    def _number_keyed(self, digits: str) -> Completeness:
        if self.schemes.can_continue(digits):
            return Completeness.INCOMPLETE if self.schemes.match(digits) is None else Completeness.EXTENDABLE
        return Completeness.COMPLETE if self.schemes.match(digits) else Completeness.INCOMPLETE

    @staticmethod
    def _confirmation_spoken(reading: Reading) -> Completeness:
        if reading.intent in ("yes", "no"):
            return Completeness.FINAL
        return Completeness.INCOMPLETE if reading.intent is None else Completeness.COMPLETE

    @staticmethod
    def _command_spoken(reading: Reading) -> Completeness:
        """A yes is no command: it is said to a question, and a cough during the bill may sound like it."""
        return Completeness.INCOMPLETE if reading.intent in (None, "yes") else Completeness.COMPLETE

    def _number_understood(self, reading: Reading) -> bool:
        return (bool(reading.digits) and reading.confidence >= _NOISE_CONFIDENCE) or self._intent_understood(reading)

    def _intent_understood(self, reading: Reading) -> bool:
        return self._sure_intent(reading) is not None

    def _command_understood(self, reading: Reading) -> bool:
        return self._sure_intent(reading) not in (None, "yes")

    def _keyed_among(self, keys: dict[str, str]) -> Callable[[str], Completeness]:
        """One key answers; any other begins a number, which may be keyed at any moment."""
        return lambda digits: Completeness.COMPLETE if digits in keys else self._number_keyed(digits)


def _greeting(hour: int | None) -> Prompt:
    passed = [name for begin, name in _GREETINGS if hour is not None and begin <= hour]
    return Prompt(passed[-1] if passed else "greeting")


def _operator(state: State) -> tuple[Prompt, ...]:
    """The offer of a person, where there is one."""
    return (Prompt("offer_operator"),) if state.staffed else ()


def _with_repetitions(state: State, actions: list[Action]) -> Step:
    """Tell each prompt in how many turns before this one, without a break, it was said."""
    said = dict(state.said)

    def repeated(prompt: Prompt) -> Prompt:
        said[prompt.name] = said.get(prompt.name, state.said_before.get(prompt.name, -1)) + 1
        return replace(prompt, repetition=said[prompt.name])

    actions = [replace(a, prompts=tuple(map(repeated, a.prompts))) if isinstance(a, Say) else a for a in actions]
    return replace(state, said=said), actions


def _hushed(step: Step) -> Step:
    """The step with what is being said cut off first, because the caller has answered it."""
    state, actions = step
    return state, [Hush(), *actions] if actions else []


def _sum_prompt(account: Account) -> Prompt:
    if not account.unpaid:
        return Prompt("nothing_owed")
    slots: dict[str, Slot] = {"invoices": Counted(len(account.unpaid), "unpaid_invoice"), "total": account.owed}
    return Prompt("owed_one" if len(account.unpaid) == 1 else "owed_many", slots)


def _term_prompts(account: Account, today: date) -> list[Prompt]:
    """By when to pay, and when supply may be cut off, with what has passed told as passed."""
    prompts: list[Prompt] = []
    if account.nearest_due is not None:
        name = "overdue" if account.nearest_due < today else "due" if len(account.unpaid) == 1 else "due_nearest"
        prompts.append(Prompt(name, {"due": _day(account.nearest_due, today)}))
    if account.cut_off is not None:
        name = "cut_off_passed" if account.cut_off < today else "cut_off"
        prompts.append(Prompt(name, {"cut_off": _day(account.cut_off, today)}))
    return prompts


def _day(day: date, today: date) -> Day:
    return Day(day, with_year=abs((day - today).days) > _NEAR_DAYS)
