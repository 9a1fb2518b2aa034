import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from voicebot.billing.identifier import Identifier
from voicebot.billing.store import Money
from voicebot.dialog.actions import Counted, Day, OneOf, Prompt, Slot
from voicebot.dialog.catalogue import Catalogue, Phrase
from voicebot.dialog.catalogue_file import CatalogueError

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
    "cut_off": "Ако не платите, захранването може да бъде прекъснато след 19 декември 2025\u202fг.",
    "as_of": "Данните са към 23 ноември, 8:00.",
    "wrong_length": "Получих 9 цифри, а номерът е от 7 или 12.",
}


def text(catalogue: Catalogue, name: str, repetition: int = 0) -> str:
    slots = {slot: VALUES[slot] for slot in catalogue.slots(name)}
    return " ".join(phrase.text for phrase in catalogue.phrases(Prompt(name, slots, repetition)))


@pytest.mark.parametrize("keys_only", [False, True])
@pytest.mark.parametrize("language", ["bg", "en"])
def test_every_prompt_becomes_words_without_digits_or_signs(language: str, keys_only: bool) -> None:
    catalogue = Catalogue.load(language, keys_only=keys_only)
    letters = "а-яА-Я" if language == "bg" else "a-zA-Z'"
    for name in catalogue.names:
        for i in range(catalogue.variants(name)):
            assert re.fullmatch(rf"[{letters}][-{letters} ,.:!?–]*[.!?]", text(catalogue, name, i)), name


@pytest.mark.parametrize("keys_only", [False, True])
def test_both_languages_have_the_same_prompts_slots_and_numbers_of_variants(keys_only: bool) -> None:
    bg, en = Catalogue.load("bg", keys_only=keys_only), Catalogue.load("en", keys_only=keys_only)
    assert {n: (bg.slots(n), bg.variants(n)) for n in bg.names} == {n: (en.slots(n), en.variants(n)) for n in en.names}


def test_each_turn_in_a_row_takes_the_next_sentence() -> None:
    catalogue = Catalogue.load("bg")
    said = [text(catalogue, "no_input", i) for i in range(4)]
    assert said == ["Не Ви чух.", "Все още не Ви чувам.", "Съжалявам, не Ви чувам.", "Не Ви чух."]


def test_a_sum_is_emphasised_and_said_in_two_parts() -> None:
    phrases = Catalogue.load("bg").phrases(Prompt("owed_many", {slot: VALUES[slot] for slot in ("invoices", "total")}))
    assert phrases == (
        Phrase("Имате две неплатени фактури", 60),
        Phrase("на обща стойност", 60),
        Phrase("четиридесет и пет евро", 60, emphasis=True),
        Phrase("и тридесет цента.", 300, emphasis=True),
    )


def test_groups_of_digits_can_be_set() -> None:
    catalogue = Catalogue.load("bg", grouping={7: (1, 2, 4)})
    prompt = Prompt("read_back", {"number": Identifier("1234567", "itn")})
    assert [phrase.text for phrase in catalogue.phrases(prompt)][1:] == ["едно,", "две три,", "четири пет шест седем."]
    assert catalogue.written(prompt) == "Чух: 1 23 4567."


@pytest.mark.parametrize("language", ["bg", "en"])
def test_values_worth_rendering_ahead_are_the_very_phrases_of_prompts(language: str) -> None:
    catalogue = Catalogue.load(language)
    values = catalogue.values
    ahead = {*values, *catalogue.fixed}
    bill = {
        "owed_many": {"invoices": Counted(12, "unpaid_invoice"), "total": Money(Decimal("10000.99"), "EUR")},
        "owed_one": {"invoices": Counted(1, "unpaid_invoice"), "total": Money(Decimal("0.01"), "EUR")},
        "due": {"due": Day(date(2024, 2, 29))},
        "overdue": {"due": Day(date(2027, 1, 31))},
        "cut_off": {"cut_off": Day(date(2026, 12, 31))},
        "read_back": {"number": Identifier("0079912", "itn")},
    }
    for name, slots in bill.items():
        assert {*catalogue.phrases(Prompt(name, slots))} <= ahead, name
    assert len(values) == len({*values}) < 5000


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
    assert {"Правилно ли е?", "Верен ли е номерът?", "Чух:", "на обща стойност"} <= set(fixed)
    assert len(fixed) == len(set(fixed)) and not any("цифри и е отпечатан" in text for text in fixed)


def own(folder: Path, text: str) -> str:
    """The path of an operator's file."""
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_an_operators_file_names_only_the_prompts_that_differ(tmp_path: Path) -> None:
    catalogue = Catalogue.load(own(tmp_path, '[prompts]\ngoodbye = "Хубав ден!"'))
    assert text(catalogue, "goodbye") == "Хубав ден!"
    assert catalogue.names == Catalogue.load("bg").names


def test_markup_becomes_pauses_emphasis_and_digits_and_is_never_shown(tmp_path: Path) -> None:
    said = (
        'За аварии:<break time="0.4s"/> <say-as interpret-as="digits">0800123</say-as>. <emphasis>Дочуване</emphasis>!'
    )
    catalogue = Catalogue.load(own(tmp_path, f"[prompts]\ngoodbye = '{said}'"))
    prompt = Prompt("goodbye")
    assert catalogue.phrases(prompt) == (
        Phrase("За аварии:", 400),
        Phrase("нула осем нула,", 250),
        Phrase("нула едно,", 250),
        Phrase("две три.", 300),
        Phrase("Дочуване!", 300, emphasis=True),
    )
    assert catalogue.written(prompt) == catalogue.transcript(prompt, reveal=True) == "За аварии: 0800123. Дочуване!"


@pytest.mark.parametrize(
    "wrong, mistake",
    [
        ('salutation = "Ало."', 'line 2: there is no prompt "salutation": `voicebot prompts` shows all.'),
        ('due = "Срок: {when}."', 'line 2: in the prompt "due", there is no value {when}: it has {due:date}.'),
        ('due = "Платете днес."', 'line 2: in the prompt "due", the value {due:date} is missing.'),
        ('due = "Срок: {due:money}."', 'line 2: in the prompt "due", {due} has the type date, not money.'),
        ('due = "Срок: {due."', 'line 2: in the prompt "due", a brace is open'),
        ("goodbye = '<break>'", 'line 2: in the prompt "goodbye", the markup is not XML (mismatched tag).'),
        ("goodbye = '<audio/>Край.'", "<audio> is not understood"),
        ("goodbye = '<break time=\"1 h\"/>Край.'", "the time of a break is at most 5000 ms"),
        ("goodbye = '<say-as interpret-as=\"digits\">две</say-as>.'", "may hold digits only"),
        ('goodbye = "Звънете на 112."', '"112." has digits, which voices misread'),
        ('goodbye = "Дoчуване."', '"Дoчуване." cannot be said, because the letter "o" is none of the language "bg"'),
        ('goodbye = "Дължите 5 €."', 'because the sign "€" is none'),
        ('goodbye = "Дочуване"', "the last sentence has no full stop"),
        (f'goodbye = "{"да " * 21}."', "a sentence has 22 words"),
        ('menu = "Повтори."', 'the prompt "menu" may come several times in a row: give it two different sentences'),
        ("goodbye = 5", 'the prompt "goodbye" must be a sentence'),
        ("menu = [\n'Повтори.',\n'Кpай.']", 'line 4: in the prompt "menu", "Кpай." cannot be said'),
        ("menu = ['Да.', 'Не.']\n[keys_only]\nmenu = 'Да.'", 'line 4: the prompt "menu" may come'),
        ("[keys]", 'line 2: "keys" is not known: there are language, or, [prompts] and [keys_only]'),
    ],
)
def test_a_mistake_in_an_operators_file_is_told_with_its_line(tmp_path: Path, wrong: str, mistake: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        Catalogue.load(own(tmp_path, f"[prompts]\n{wrong}\n"))
    told = [sentence for sentence in caught.value.mistakes if mistake in sentence]
    assert told and told[0].startswith(str(tmp_path / "mine.toml")) and told[0].endswith(".")


@pytest.mark.parametrize(
    "text, mistake",
    [('language = "xx"', "it may be bg or en"), ("[prompts", "is not TOML"), ("or = 5", "must be a word")],
)
def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path, text: str, mistake: str) -> None:
    with pytest.raises(CatalogueError, match=mistake):
        Catalogue.load(own(tmp_path, text))


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"There are 1 more: `voicebot check` tells them all") as caught:
        Catalogue.load(own(tmp_path, '[prompts]\nalo = "Ало."\ngoodbye = "Край"\n'))
    assert len(caught.value.mistakes) == 2


@pytest.mark.parametrize("language", ["bg", "en"])
def test_the_catalogues_that_come_with_the_bot_have_no_mistakes(tmp_path: Path, language: str) -> None:
    Catalogue.load(own(tmp_path, (SHIPPED / f"{language}.toml").read_text(encoding="utf-8")))


def test_a_missing_catalogue_is_told_with_what_to_do() -> None:
    with pytest.raises(CatalogueError, match=r"name a language \(bg, en\) or a TOML file"):
        Catalogue.load("nothing.toml")


def test_what_a_caller_reads_has_figures() -> None:
    catalogue = Catalogue.load("bg")
    written = {
        name: catalogue.written(Prompt(name, {s: VALUES[s] for s in catalogue.slots(name)})) for name in VALUES_IN
    }
    assert written == VALUES_IN
