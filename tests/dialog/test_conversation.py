import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.recognizer import command, number
from tests.fakes.store import TODAY, account, invoice
from tests.heard import BILL
from voicebot.billing.identifier import DEFAULT_SCHEMES, Identifier
from voicebot.billing.store import Money
from voicebot.dialog import conversation
from voicebot.dialog.actions import (
    Action,
    Counted,
    Day,
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
from voicebot.dialog.catalogue import Catalogue
from voicebot.dialog.conversation import GRAMMARS, SUM_TOLD, Conversation, Phase, State
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
from voicebot.hearing.expectation import Completeness
from voicebot.hearing.recognizer import Reading

CUSTOMER = Identifier("300000000001", "customer_number")
OWING = account("300000000001", invoice("27.80"), invoice("17.50", due_in_days=20, cut_off_in_days=30))
YES, NO, UNCLEAR = command("yes"), command("no"), Reading("", 0.0)


class Talk:
    """A conversation that is fed events, and what came of the last one."""

    def __init__(self, *known: Identifier, answered: DialogEvent | None = None, **knobs: int) -> None:
        self.conversation = Conversation(DEFAULT_SCHEMES, **{"number_confidence": 0.1, **knobs})
        self.known = frozenset(known)
        self.comparisons: list[tuple[Identifier, ...]] = []
        self.state = State()
        self.actions: list[Action] = []
        self.tell(answered or Answered())

    def tell(self, *events: DialogEvent) -> "Talk":
        for event in events:
            self.state, self.actions = self.conversation.step(self.state, event)
            for asked in [action.identifiers for action in self.actions if isinstance(action, TellKnown)]:
                self.comparisons.append(asked)
                answer = KnownNumbers(self.known & set(asked))
                self.state, actions = self.conversation.step(self.state, answer)
                self.actions = [*self.actions, *actions]
        return self

    def says(self, *readings: Reading) -> "Talk":
        return self.tell(TurnEnded(readings, 0, 1000))

    def keys(self, digits: str) -> "Talk":
        return self.tell(KeysEntered(digits))

    @property
    def prompts(self) -> list[str]:
        return [prompt.name for action in self.actions if isinstance(action, Say) for prompt in action.prompts]

    @property
    def grammar(self) -> str | None:
        listening = [a.expectation.grammar for a in self.actions if isinstance(a, Listen)]
        assert set(listening) <= set(GRAMMARS)
        return listening[-1] if listening else None

    @property
    def looked_up(self) -> str | None:
        found = [action.identifier.reveal() for action in self.actions if isinstance(action, LookUp)]
        return found[0] if found else None


def informed_talk() -> Talk:
    return Talk().says(number("300000000001")).says(YES).tell(LookedUp(OWING, TODAY), Heard(SUM_TOLD))


def bill_told() -> Talk:
    return Talk().keys("300000000001").tell(LookedUp(OWING, TODAY))


def test_the_bot_greets_and_asks_for_the_number() -> None:
    talk = Talk()
    assert talk.prompts == ["greeting", "ask_number"] and talk.grammar == "identifier"


@pytest.mark.parametrize(
    "hour, greeting",
    [(None, ""), (4, ""), (5, "_morning"), (9, "_morning"), (10, "_day"), (18, "_evening"), (22, "_evening"), (23, "")],
)
def test_the_greeting_goes_by_the_time_of_day(hour: int | None, greeting: str) -> None:
    assert Talk(answered=Answered(hour)).prompts[0] == f"greeting{greeting}"


def test_a_spoken_number_is_read_back_before_it_is_looked_up() -> None:
    talk = Talk().says(number("300000000001"))
    assert talk.prompts == ["read_back", "is_it_right"] and talk.grammar == "confirm" and talk.looked_up is None
    assert talk.says(YES).looked_up == "300000000001"


def test_a_keyed_number_is_repeated_and_looked_up() -> None:
    talk = Talk().keys("1000001")
    assert talk.prompts == ["keyed_back"] and talk.looked_up == "1000001"


def test_keys_one_and_two_answer_the_read_back() -> None:
    assert Talk().says(number("1000001")).keys("1").looked_up == "1000001"
    assert Talk().says(number("1000001")).keys("2").prompts == ["rejected", "ask_again"]


def test_the_bill_is_told_with_sum_term_cut_off_and_date_of_the_data() -> None:
    talk = Talk().keys("300000000001").tell(LookedUp(OWING, TODAY))
    assert talk.prompts == BILL and talk.grammar == "menu"
    owed = next(p for a in talk.actions if isinstance(a, Say) for p in a.prompts if p.name == "owed_many")
    assert str(owed.slots["total"]) == "45.30 EUR"


@pytest.mark.parametrize(
    "bill, expected",
    [
        ((), ["nothing_owed"]),
        ((invoice("0.01"),), ["owed_one", "due", "cut_off"]),
        ((invoice("5.00", due_in_days=-1, cut_off_in_days=9),), ["owed_one", "overdue", "cut_off"]),
        ((invoice("1256.01", due_in_days=-20, cut_off_in_days=-1),), ["owed_one", "overdue", "cut_off_passed"]),
        ((invoice("5.00", due_in_days=0, cut_off_in_days=0),), ["owed_one", "due", "cut_off"]),
        ((replace(invoice("5.00"), cut_off=None),), ["owed_one", "due"]),
    ],
)
def test_each_kind_of_bill_has_its_own_words(bill: tuple, expected: list[str]) -> None:
    talk = Talk().keys("1000001").tell(LookedUp(account("1000001", *bill), TODAY))
    assert talk.prompts == [*expected, "as_of", "menu", "offer_operator"]


def test_a_date_far_off_is_told_with_its_year() -> None:
    for days, with_year in ((16, False), (-20, False), (-400, True)):
        talk = Talk().keys("1000001").tell(LookedUp(account("1000001", invoice("5.00", due_in_days=days)), TODAY))
        due = [p.slots["due"] for a in talk.actions if isinstance(a, Say) for p in a.prompts if "due" in p.slots]
        assert [day.with_year for day in due] == [with_year]


def test_a_rejected_number_is_never_offered_again() -> None:
    talk = Talk().says(number("300000000007")).says(NO)
    assert talk.prompts == ["rejected", "ask_again"]
    talk.says(number("300000000007", 0.6), number("300000000001", 0.3))
    assert talk.state.candidate == CUSTOMER


def test_the_best_reading_that_is_a_possible_number_is_taken() -> None:
    talk = Talk().says(number("30000000001", 0.6), number("300000000001", 0.3))
    assert talk.state.candidate == CUSTOMER


def test_a_reading_that_the_sound_hardly_supports_is_not_taken() -> None:
    assert Talk().says(UNCLEAR, number("300000000001", 0.02)).prompts == ["no_match", "ask_again"]


def test_a_number_heard_twice_is_surer_than_each_time() -> None:
    talk = Talk().says(number("300000000007", 0.06)).says(number("300000000007", 0.06))
    assert talk.state.candidate == Identifier("300000000007", "customer_number")


def test_what_was_heard_the_first_time_helps_to_choose_the_second() -> None:
    once = (number("300000000005", 0.4), number("300000000006", 0.38))
    assert Talk().says(*once).state.candidate == Identifier("300000000005", "customer_number")
    talk = Talk().says(number("300000000006", 0.09)).says(*once)
    assert talk.state.candidate == Identifier("300000000006", "customer_number")


def test_a_number_that_is_surely_heard_is_read_back_without_asking_the_books() -> None:
    assert not Talk(CUSTOMER).says(number("300000000001", 0.85)).comparisons


def test_of_two_likely_numbers_the_one_that_somebody_has_is_read_back() -> None:
    readings = (number("300000000007", 0.5), number("300000000001", 0.3))
    assert Talk().says(*readings).state.candidate == Identifier("300000000007", "customer_number")
    talk = Talk(CUSTOMER).says(*readings)
    assert talk.state.candidate == CUSTOMER and talk.prompts == ["read_back", "is_it_right"] and not talk.looked_up


def test_a_number_that_the_books_lack_is_read_back_as_it_was_heard() -> None:
    talk = Talk().says(number("300000000001", 0.3))
    assert talk.comparisons and talk.prompts == ["read_back", "is_it_right"] and talk.state.candidate == CUSTOMER


def test_a_number_that_sounds_otherwise_is_never_offered_for_being_somebodys() -> None:
    far = Identifier("300000012341", "customer_number")
    talk = Talk(far).says(number("300000000001", 0.3))
    assert talk.state.candidate == CUSTOMER and far not in talk.comparisons[0]


def test_the_books_are_asked_about_few_numbers_and_a_few_times_a_call() -> None:
    talk = Talk(most_comparisons=2)
    for digits in ("1000001", "2345678", "7654321"):
        talk.says(number(digits, 0.4))
        assert talk.prompts == ["read_back", "is_it_right"]
        talk.keys("2")
    assert len(talk.comparisons) == 2 and all(len(asked) <= 50 for asked in talk.comparisons)


def test_hardly_any_confidence_asks_no_books() -> None:
    assert not Talk(CUSTOMER).says(number("300000000001", 0.05)).comparisons


def test_a_number_of_wrong_length_is_told_so() -> None:
    assert Talk().says(number("30000")).prompts == ["wrong_length", "ask_again"]
    assert Talk().keys("12345").prompts == ["wrong_length", "ask_again"]


def test_silence_nonsense_and_an_unknown_number_have_their_own_prompts() -> None:
    assert Talk().tell(NoInput()).prompts[0] == "no_input"
    assert Talk().says(UNCLEAR).prompts[0] == "no_match"
    assert Talk().keys("1999999").tell(LookedUp(None, TODAY)).prompts[0] == "not_found"


def test_three_misses_lead_to_the_keypad_and_two_more_to_a_person() -> None:
    talk = Talk()
    heard = [talk.tell(NoInput()).prompts[-1] for _ in range(5)]
    assert heard == ["ask_again", "ask_again_with_help", "ask_keys", "ask_keys", "transfer"]
    assert talk.prompts == ["give_up", "transfer"]
    assert isinstance(talk.actions[-1], Transfer) and talk.state.outcome is Outcome.TRANSFERRED


def test_misses_are_counted_whatever_their_kind() -> None:
    talk = Talk().says(UNCLEAR).tell(NoInput()).keys("1999999").tell(LookedUp(None, TODAY))
    assert talk.prompts == ["not_found", "ask_keys"]


def test_a_found_number_clears_the_count() -> None:
    talk = Talk().tell(NoInput(), NoInput()).keys("1000001").tell(LookedUp(OWING, TODAY)).says(command("another"))
    assert talk.tell(NoInput()).prompts == ["no_input", "ask_again"]


def test_an_unclear_answer_to_the_read_back_asks_again_and_never_tells_the_debt() -> None:
    talk = Talk().says(number("1000001"))
    assert talk.says(UNCLEAR).prompts == ["confirm_unclear"]
    assert talk.tell(NoInput()).prompts == ["confirm_no_input"]
    assert talk.says(UNCLEAR).prompts == ["no_match", "ask_keys"] and talk.looked_up is None


def test_a_yes_that_is_hardly_heard_does_not_count() -> None:
    assert Talk().says(number("1000001")).says(command("yes", 0.45)).prompts == ["confirm_unclear"]
    assert Talk().says(number("1000001")).says(command("no", 0.65)).prompts == ["rejected", "ask_again"]


@pytest.mark.parametrize("talk", [Talk(), Talk().says(number("1000001")), informed_talk()])
@pytest.mark.parametrize("how", [TurnEnded((command("operator"),), 0, 1), KeysEntered("0")])
def test_a_person_can_be_asked_for_at_any_moment(talk: Talk, how: DialogEvent) -> None:
    state, actions = talk.conversation.step(talk.state, how)
    assert state.outcome is Outcome.TRANSFERRED and isinstance(actions[-1], Transfer)


def test_when_nobody_takes_the_call_the_caller_may_go_on() -> None:
    talk = Talk().says(command("operator")).tell(TransferRefused())
    assert talk.prompts == ["nobody_free", "ask_number"] and talk.state.outcome is None
    talk = informed_talk().says(command("operator")).tell(TransferRefused())
    assert talk.prompts == ["nobody_free", "menu"]


def test_a_call_does_not_go_round_for_ever_when_nothing_works() -> None:
    talk = Talk().tell(*[NoInput()] * 5, TransferRefused())
    assert talk.prompts == ["nobody_free", "call_later", "goodbye"] and talk.state.outcome is Outcome.ENDED


def test_when_the_books_fail_the_caller_gets_an_apology_and_a_person() -> None:
    talk = Talk().keys("1000001").tell(StoreFailed())
    assert talk.prompts == ["store_failed", "transfer"] and isinstance(talk.actions[-1], Transfer)


def test_who_has_asked_too_much_is_told_so() -> None:
    talk = Talk().keys("1000001").tell(StoreFailed(too_many=True))
    assert talk.prompts == ["too_many_inquiries", "transfer"] and isinstance(talk.actions[-1], Transfer)


def test_the_menu_repeats_asks_for_another_number_and_ends() -> None:
    assert informed_talk().says(command("repeat")).prompts[0] == "owed_many"
    assert informed_talk().keys("2").prompts == ["ask_another"]
    talk = informed_talk().says(command("end"))
    assert talk.prompts == ["goodbye"] and isinstance(talk.actions[-1], HangUp)
    assert talk.state.outcome is Outcome.INFORMED


def test_silence_in_the_menu_ends_the_call_politely() -> None:
    talk = informed_talk().tell(NoInput())
    assert talk.prompts == ["menu_no_input", "offer_operator"]
    assert talk.tell(NoInput()).prompts == ["goodbye"] and talk.state.outcome is Outcome.INFORMED


def test_another_number_may_be_keyed_in_the_menu_and_during_the_read_back() -> None:
    assert informed_talk().keys("300000000002").looked_up == "300000000002"
    assert Talk().says(number("1000001")).keys("300000000002").looked_up == "300000000002"


@pytest.mark.parametrize("event", [KeyPressed(5), BargeIn(5)])
def test_the_first_key_and_speech_with_a_meaning_stop_the_prompt(event: DialogEvent) -> None:
    assert Talk().tell(event).actions == [Hush()]


def test_a_caller_who_hangs_up_before_the_sum_was_heard_was_not_informed() -> None:
    assert Talk().tell(CallerHungUp()).state.outcome is Outcome.ABANDONED
    talk = Talk().keys("1000001").tell(LookedUp(OWING, TODAY), CallerHungUp())
    assert talk.state.outcome is Outcome.ABANDONED
    assert informed_talk().tell(CallerHungUp()).state.outcome is Outcome.INFORMED


def night() -> Talk:
    return Talk(answered=Answered(2, staffed=False))


COUGHS = [UNCLEAR, command("end", 0.27), command("yes")]


def cut_off(talk: Talk, sounded: int) -> list[str]:
    """The caller cuts in when so many prompts have begun; gives those that he has heard to their end."""
    says, heard = [action for action in talk.actions if isinstance(action, Say)], []
    sounded = min(sounded, len(talk.prompts))
    talk.tell(BargeIn(1))
    assert talk.actions == [Hush()]
    for say in says:
        names = [prompt.name for prompt in say.prompts]
        if sounded > len(names):
            heard += names
            sounded -= len(names)
        else:
            talk.tell(CutOff(say, sounded))
            heard += names[: max(0, sounded - 1)]
            sounded = 0
    return heard


@given(st.lists(st.tuples(st.integers(0, 6), st.sampled_from([*COUGHS, None])), min_size=1, max_size=6))
def test_a_bill_that_coughs_cut_off_is_taken_up_and_told_whole(cuts: list[tuple[int, Reading | None]]) -> None:
    talk, heard = bill_told(), []
    for sounded, cough in cuts:
        heard += cut_off(talk, sounded)
        talk.tell(NoInput() if cough is None else TurnEnded((cough,), 0, 1))
        assert talk.grammar == "menu" and talk.state.phase is Phase.MENU
    assert [*heard, *talk.prompts] == BILL
    says = [action for action in talk.actions if isinstance(action, Say)]
    assert (says[0].mark == SUM_TOLD) == (says[0].prompts[0].name == "owed_many")
    assert all(prompt.repetition == 0 for say in says for prompt in say.prompts), "it is no repetition"


def test_what_was_cut_off_is_taken_up_for_nobody_who_said_something() -> None:
    for said, follows in ((command("repeat"), BILL), (command("another"), ["ask_another"])):
        talk = bill_told()
        cut_off(talk, 3)
        assert talk.says(said).prompts == follows
        assert talk.says(command("surprise")).prompts[0] in ("menu_unclear", "no_match")


def test_once_stopped_for_nothing_the_bill_is_stopped_by_a_whole_command_only() -> None:
    talk = bill_told()
    cut_off(talk, 3)
    expectations = [a.expectation for a in talk.says(UNCLEAR).actions if isinstance(a, Listen)]
    assert expectations[0].hotword
    assert expectations[0].understood(command("end")) and not expectations[0].understood(command("end", 0.27))


def test_a_number_whose_reading_back_was_cut_off_by_a_cough_is_read_back_again() -> None:
    talk = Talk().says(number("300000000001"))
    cut_off(talk, 1)
    assert talk.says(UNCLEAR).prompts == ["read_back", "is_it_right"] and talk.grammar == "confirm"
    assert talk.says(YES).looked_up == "300000000001"


def test_at_night_a_caller_who_asks_for_a_person_hears_that_nobody_is_there_and_goes_on() -> None:
    assert night().says(command("operator")).prompts == ["nobody_there", "ask_number"]
    talk = night().says(number("1000001")).keys("0")
    assert talk.prompts == ["nobody_there", "read_back", "is_it_right"]
    talk = talk.says(YES).tell(LookedUp(OWING, TODAY)).keys("0")
    assert talk.prompts == ["nobody_there", "menu"]


def test_at_night_a_call_that_fails_ends_with_when_to_ring_again() -> None:
    assert night().tell(*[NoInput()] * 5).prompts == ["give_up", "call_later", "goodbye"]
    talk = night().keys("1000001").tell(StoreFailed())
    assert talk.prompts == ["store_failed", "call_later", "goodbye"] and talk.state.outcome is Outcome.ENDED


def test_who_was_not_handed_over_is_not_offered_it_again() -> None:
    talk = informed_talk().keys("0").tell(TransferRefused())
    assert talk.prompts == ["nobody_free", "menu"] and talk.keys("0").prompts == ["nobody_there", "menu"]


def test_a_prompt_said_in_turns_on_end_counts_its_repetitions() -> None:
    talk = Talk()
    repetitions = []
    for event in (NoInput(), NoInput(), TurnEnded((UNCLEAR,), 0, 1), NoInput()):
        talk.tell(event)
        repetitions += [p.repetition for a in talk.actions if isinstance(a, Say) for p in a.prompts[:1]]
    assert repetitions == [0, 1, 0, 0]


def test_help_explains_where_the_number_stands() -> None:
    assert Talk().says(command("help")).prompts == ["number_help", "offer_operator"]
    assert Talk().says(number("1000001")).says(command("help")).prompts == ["confirm_help", "read_back", "is_it_right"]
    assert informed_talk().says(command("help")).prompts == ["menu_help", "offer_operator"]


def test_how_complete_a_number_is_decides_how_long_is_waited() -> None:
    expectation = next(a.expectation for a in Talk().actions if isinstance(a, Listen))
    grown = [expectation.keyed("3000000000019"[:length]) for length in (1, 6, 7, 8, 12, 13)]
    incomplete, extendable, complete, final = Completeness
    assert grown == [incomplete, incomplete, extendable, incomplete, complete, incomplete]
    assert expectation.keyed("1000001") is extendable
    assert expectation.spoken(number("300000000001")) is final
    assert expectation.spoken(command("operator")) is complete
    assert expectation.spoken(command("greeting")) is incomplete
    asked = next(a.expectation for a in Talk().says(number("1000001")).actions if isinstance(a, Listen))
    answers = [asked.spoken(command(name)) for name in ("yes", "no", "operator")]
    assert answers == [final, final, complete]


EVENTS = st.one_of(
    st.sampled_from(
        [
            *(NoInput(), KeyPressed(1), BargeIn(1), StoreFailed(), TransferRefused(), Heard(SUM_TOLD)),
            *(LookedUp(None, TODAY), LookedUp(OWING, TODAY)),
            LookedUp(account("1000002"), TODAY + timedelta(days=99)),
        ]
    ),
    st.sampled_from(["", "0", "1", "2", "5", "9", "12345", "1000001", "300000000001"]).map(KeysEntered),
    st.sampled_from(
        [
            *(YES, NO, UNCLEAR, number("1000001"), number("300000000001"), number("12"), number("1000001", 0.05)),
            *map(command, ("repeat", "another", "operator", "help", "unknown_number", "greeting", "surprise")),
        ]
    ).map(lambda reading: TurnEnded((reading,), 0, 1)),
)


@given(st.lists(EVENTS, max_size=40))
@settings(max_examples=300, deadline=None)
def test_whatever_happens_the_bot_has_something_to_say_and_tells_no_debt_unasked(events: list[DialogEvent]) -> None:
    talk, repeated = Talk(), set()
    for event in events:
        before = talk.state
        talk.tell(event)
        repeated |= {
            p.slots["number"]
            for a in talk.actions
            if isinstance(a, Say)
            for p in a.prompts
            if p.name in ("read_back", "keyed_back")
        }
        if before.phase is not Phase.OVER and isinstance(event, TurnEnded | KeysEntered | NoInput):
            if before.phase in (Phase.NUMBER, Phase.CONFIRMATION, Phase.MENU):
                assert talk.actions, f"nothing follows {event} in {before.phase}"
        for action in talk.actions:
            if isinstance(action, LookUp):
                assert action.identifier in repeated
        if talk.state.phase is Phase.OVER:
            assert talk.state.outcome is not None


CATALOGUES = {keys_only: Catalogue.load("bg", keys_only=keys_only) for keys_only in (False, True)}
CALLERS = TurnEnded | KeysEntered | NoInput


def turns(talk: Talk, catalogue: Catalogue, events: list[DialogEvent]) -> list[list[str]]:
    """The sentences of each turn of the bot, from one doing of the caller to the next."""
    said: list[list[str]] = [[]]
    for event in events:
        if isinstance(event, CALLERS):
            said.append([])
        talk.tell(event)
        for prompt in [prompt for a in talk.actions if isinstance(a, Say) for prompt in a.prompts]:
            assert {slot: type_of(value) for slot, value in prompt.slots.items()} == catalogue.slots(prompt.name)
            said[-1].append(catalogue.transcript(prompt, reveal=True))
    return [turn for turn in said if turn]


def type_of(value: Slot) -> str:
    if isinstance(value, Counted):
        return value.noun
    return {Identifier: "digits", Money: "money", Day: "date", datetime: "time", OneOf: "choice"}[type(value)]


@given(st.lists(EVENTS, max_size=40), st.booleans())
@settings(max_examples=150, deadline=None)
def test_the_same_sentence_never_comes_three_times_in_a_row(events: list[DialogEvent], staffed: bool) -> None:
    said = turns(Talk(answered=Answered(12, staffed)), CATALOGUES[False], events)
    for first, second, third in zip(said, said[1:], said[2:], strict=False):
        assert not {*first} & {*second} & {*third}


ASKING = [
    *[[NoInput()] * 5, [TurnEnded((UNCLEAR,), 0, 1)] * 5, [KeysEntered("12345")] * 5],
    *[[TurnEnded((command(intent),), 0, 1)] * 9 for intent in ("repeat", "help", "another", "operator")],
    [KeysEntered("1000001"), LookedUp(None, TODAY)] * 5,
    [KeysEntered("1000001"), LookedUp(OWING, TODAY)] * 5,
    [KeysEntered("1000001"), StoreFailed(), TransferRefused()] * 5,
    *[
        [KeysEntered("1000001"), LookedUp(OWING, TODAY), *[TurnEnded((command(intent),), 0, 1)] * 9]
        for intent in ("repeat", "help", "operator")
    ],
    *[
        [TurnEnded((number("1000001"),), 0, 1), *[TurnEnded((command(intent),), 0, 1)] * 9]
        for intent in ("repeat", "help", "operator", "surprise")
    ],
]


@pytest.mark.parametrize("staffed", [True, False])
@pytest.mark.parametrize("events", ASKING)
def test_who_asks_for_the_same_over_and_over_hears_it_in_other_words(events: list[DialogEvent], staffed: bool) -> None:
    said = turns(Talk(answered=Answered(12, staffed)), CATALOGUES[False], events)
    for first, second in pairwise(said):
        assert not {*first} & {*second}


@given(st.lists(EVENTS, max_size=40))
@settings(max_examples=100, deadline=None)
def test_at_night_nothing_offers_a_person(events: list[DialogEvent]) -> None:
    for turn in turns(Talk(answered=Answered(2, staffed=False)), CATALOGUES[False], events):
        assert not re.search("кажете оператор|служител, |За служител|Свързвам|натиснете нула", " ".join(turn))


@given(st.lists(EVENTS.filter(lambda event: not isinstance(event, TurnEnded)), max_size=40), st.booleans())
@settings(max_examples=100, deadline=None)
def test_where_only_keys_are_taken_nothing_asks_to_speak(events: list[DialogEvent], staffed: bool) -> None:
    said = turns(Talk(answered=Answered(12, staffed)), CATALOGUES[True], events)
    assert not re.search("[Кк]аж|Ви чу|разбр", " ".join(map(" ".join, said)))
    for first, second, third in zip(said, said[1:], said[2:], strict=False):
        assert not {*first} & {*second} & {*third}


def test_no_prompt_of_the_conversation_is_missing_from_a_catalogue() -> None:
    source = Path(conversation.__file__).read_text()
    names = Catalogue.load("bg").names
    unused = {name for name in names if not re.search(f'"{name}"', source)}
    assert not unused
    assert all(p.name in names for p in (Prompt(n) for n in re.findall(r'Prompt\("(\w+)"', source)))
