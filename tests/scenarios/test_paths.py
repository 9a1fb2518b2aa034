"""The scenarios of this folder: each passes, and together they take every path of the conversation."""

import pytest

from tests.scenarios.conftest import CASES
from voicebot.dialog.catalogue import Catalogue
from voicebot.dialog.conversation import Phase
from voicebot.dialog.events import (
    Answered,
    CallerHungUp,
    CutOff,
    Heard,
    KnownNumbers,
    LookedUp,
    StoreFailed,
    TransferRefused,
)
from voicebot.hearing.events import BargeIn, KeyPressed, KeysEntered, NoInput, PartialReading, TurnEnded
from voicebot.observation import Observed
from voicebot.scenarios.results import Result, failure_text

NUMBER, CONFIRMATION, MENU, PERSON = Phase.NUMBER, Phase.CONFIRMATION, Phase.MENU, Phase.PERSON
PATHS = {
    Phase.RINGING: {("answered", NUMBER)},
    NUMBER: {
        *((intent, NUMBER) for intent in ("help", "unknown_number", "repeat", "nothing", "a number", "no input")),
        *((intent, PERSON) for intent in ("operator", "key 0", "no input")),
        *{("key 0", NUMBER), ("no input", Phase.OVER)},
        *{("end", Phase.OVER), ("a number", CONFIRMATION), ("a number", Phase.COMPARISON)},
        *{("keys", Phase.BOOKS), ("keys", NUMBER), ("hang-up", Phase.OVER), ("barge-in", NUMBER), ("a key", NUMBER)},
    },
    Phase.COMPARISON: {("known numbers", CONFIRMATION)},
    CONFIRMATION: {
        *((answer, Phase.BOOKS) for answer in ("yes", "key 1", "keys")),
        *((answer, NUMBER) for answer in ("no", "another", "key 2", "no input")),
        *((answer, CONFIRMATION) for answer in ("repeat", "help", "operator", "nothing", "no input")),
        *((answer, CONFIRMATION) for answer in ("key 5", "a key")),
        *((answer, PERSON) for answer in ("operator", "key 0")),
        *{("end", Phase.OVER), ("hang-up", Phase.OVER), ("barge-in", CONFIRMATION)},
    },
    Phase.BOOKS: {
        ("an account", MENU),
        ("no account", NUMBER),
        ("store failed", PERSON),
        ("too many", PERSON),
        ("store failed", Phase.OVER),
    },
    MENU: {
        *(
            (answer, MENU)
            for answer in ("repeat", "help", "nothing", "no input", "key 1", "key 5", "key 0", "sum heard")
        ),
        *((answer, NUMBER) for answer in ("another", "yes", "key 2")),
        *((answer, Phase.OVER) for answer in ("end", "key 9", "nothing", "no input", "hang-up")),
        *{("operator", PERSON), ("key 0", PERSON), ("keys", Phase.BOOKS), ("barge-in", MENU), ("a key", MENU)},
    },
    PERSON: {("refused", MENU), ("refused", NUMBER), ("refused", Phase.OVER)},
}
"""By phase: what happens in it, and in which phase the conversation is then."""
NOT_YET = ("invoices", "back")
"""What the grammar of the menu knows, and the conversation does not."""


def happened(step: Observed) -> str:
    match step.event:
        case Answered():
            return "answered"
        case TurnEnded(readings):
            best = readings[0]
            if best.confidence < (0.4 if best.digits else 0.5) or best.intent in NOT_YET:
                return "nothing"
            return best.intent or ("a number" if best.digits else "nothing")
        case KeysEntered(digits):
            return f"key {digits}" if len(digits) == 1 else "keys"
        case NoInput():
            return "no input"
        case LookedUp(account):
            return "no account" if account is None else "an account"
        case StoreFailed(too_many):
            return "too many" if too_many else "store failed"
        case KnownNumbers():
            return "known numbers"
        case TransferRefused():
            return "refused"
        case CallerHungUp():
            return "hang-up"
        case BargeIn():
            return "barge-in"
        case KeyPressed():
            return "a key"
        case Heard():
            return "sum heard"
        case CutOff():
            return "cut off"
        case PartialReading():
            return "a partial reading"


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_the_call_goes_as_the_scenario_says(name: str, results: dict[str, Result]) -> None:
    failures = results[name].failures
    assert not failures, "\n".join(failure_text({"turn": f.turn, "what": f.what}) for f in failures)


def test_every_prompt_is_said(results: dict[str, Result]) -> None:
    said = {name for result in results.values() for part in result.spoken for names, _ in part.bot for name in names}
    assert Catalogue.load("bg").names == said


@pytest.mark.parametrize("phase", PATHS, ids=lambda phase: phase.name.lower())
def test_every_path_of_the_conversation_is_taken(phase: Phase, results: dict[str, Result]) -> None:
    steps = [step for result in results.values() for step in result.held.observation.steps]
    taken = {(happened(step), step.after.phase) for step in steps if step.before.phase is phase}
    assert PATHS[phase] <= taken, f"not taken: {PATHS[phase] - taken}"


def test_there_are_many_and_no_two_have_one_name() -> None:
    names = [case.name for case in CASES]
    assert len(names) >= 60 and len(set(names)) == len(names)
