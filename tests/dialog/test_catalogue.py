import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from voicebot.billing.identifier import Identifier
from voicebot.billing.store import Money
from voicebot.dialog.actions import Counted, Day, OneOf, Prompt, Slot
from voicebot.dialog.catalogue import Catalogue, CatalogueError

SHIPPED = Path(__file__).parents[2] / "voicebot" / "dialog" / "prompts"
VALUES: dict[str, Slot] = {
    "number": Identifier("300000000001", "customer_number"),
    "lengths": OneOf([7, 12]),
    "heard": Counted(9, "digit"),
    "invoices": Counted(2, "unpaid_invoice"),
    "total": Money(Decimal("45.30"), "EUR"),
    "due": Day(date(2026, 12, 9)),
    "cut_off": Day(date(2025, 12, 19), with_year=True),
    "as_of": datetime(2026, 11, 23, 6, tzinfo=UTC),
}

VALUES_IN = {
    "read_back": "Чух: 300 000 000 001.",
    "owed_many": "Имате 2 неплатени фактури на обща стойност 45,30 евро.",
    "due": "Срокът за плащане е 9 декември.",
    "cut_off": "Ако не платите, след 19 декември 2025\u202fг. захранването може да бъде прекъснато.",
    "as_of": "Данните са към 23 ноември, 8:00.",
    "wrong_length": "Получих 9 цифри, а номерът е от 7 или 12.",
}


def text(catalogue: Catalogue, name: str) -> str:
    slots = {slot: VALUES[slot] for slot in catalogue.slots(name)}
    return " ".join(phrase.text for phrase in catalogue.phrases(Prompt(name, slots)))


@pytest.mark.parametrize("language", ["bg", "en"])
def test_every_prompt_becomes_words_without_digits_or_signs(language: str) -> None:
    catalogue = Catalogue.load(language)
    letters = "а-яА-Я" if language == "bg" else "a-zA-Z"
    for name in catalogue.names:
        assert re.fullmatch(rf"[{letters}][-{letters} ,.:!?]*[.!?]", text(catalogue, name)), name


def test_both_languages_have_the_same_prompts_and_slots() -> None:
    bg, en = Catalogue.load("bg"), Catalogue.load("en")
    assert {name: bg.slots(name) for name in bg.names} == {name: en.slots(name) for name in en.names}


def test_a_bill_reads_as_a_bulgarian_would_say_it() -> None:
    catalogue = Catalogue.load("bg")
    assert text(catalogue, "owed_many") == (
        "Имате две неплатени фактури на обща стойност четиридесет и пет евро и тридесет цента."
    )
    assert text(catalogue, "due") == "Срокът за плащане е девети декември."
    assert "деветнадесети декември две хиляди двадесет и пета година" in text(catalogue, "cut_off")


def test_a_number_is_read_back_in_groups_with_pauses() -> None:
    phrases = Catalogue.load("bg").phrases(Prompt("read_back", {"number": Identifier("1234567", "itn")}))
    assert [phrase.text for phrase in phrases] == ["Чух:", "едно две три,", "четири пет,", "шест седем."]
    assert [phrase.pause_ms for phrase in phrases[1:]] == [250, 250, 300]


def test_a_transcript_hides_the_number_unless_it_is_to_be_revealed() -> None:
    catalogue, prompt = Catalogue.load("bg"), Prompt("read_back", {"number": VALUES["number"]})
    assert catalogue.transcript(prompt, reveal=False) == "Чух: ••••••••••01."
    assert "три нула нула, нула" in catalogue.transcript(prompt, reveal=True)


def test_fixed_phrases_are_those_without_values() -> None:
    fixed = [phrase.text for phrase in Catalogue.load("bg").fixed]
    assert {"Правилно ли е?", "Чух:", "захранването може да бъде прекъснато."} <= set(fixed)
    assert len(fixed) == len(set(fixed)) and not any("Срокът" in text for text in fixed)


def test_an_operator_can_give_a_catalogue_of_his_own(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    shipped = (SHIPPED / "bg.toml").read_text()
    mine.write_text(shipped.replace("Здравейте!", "Добър ден!"))
    assert text(Catalogue.load(str(mine)), "greeting").startswith("Добър ден!")


@pytest.mark.parametrize(
    "change, reason",
    [
        (("greeting =", "salutation ="), "lacks the prompt 'greeting'"),
        (("{total}", "{sum}"), "must have these slots: invoices, total"),
        (('language = "bg"', ""), "lacks 'language'"),
        (('language = "bg"', 'language = "xx"'), "no units"),
        (("{lengths}", "{lengths"), "cannot be used"),
        (("[prompts]", "[prompts"), "cannot be used"),
    ],
)
def test_a_catalogue_with_a_mistake_is_refused_with_its_name(
    tmp_path: Path, change: tuple[str, str], reason: str
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text((SHIPPED / "bg.toml").read_text().replace(*change))
    with pytest.raises(CatalogueError, match=reason) as caught:
        Catalogue.load(str(mine))
    assert "mine.toml" in str(caught.value)


def test_a_missing_catalogue_is_told_with_what_to_do() -> None:
    with pytest.raises(CatalogueError, match=r"name a language \(bg, en\) or a TOML file"):
        Catalogue.load("nothing.toml")


def test_what_a_caller_reads_has_figures() -> None:
    catalogue = Catalogue.load("bg")
    written = {
        name: catalogue.written(Prompt(name, {s: VALUES[s] for s in catalogue.slots(name)})) for name in VALUES_IN
    }
    assert written == VALUES_IN
