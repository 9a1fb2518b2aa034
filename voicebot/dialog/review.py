"""All that the bot says as a table to be read by an editor: each sentence with usual values, then with awkward ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from voicebot.billing.identifier import Identifier
from voicebot.billing.store import Money
from voicebot.dialog.actions import Counted, Day, OneOf, Prompt, Slot
from voicebot.dialog.catalogue import Catalogue
from voicebot.dialog.catalogue_file import read
from voicebot.language.dates import LOCAL_TIME

VALUES: Mapping[str, Sequence[Slot]] = {
    "digits": [Identifier(digits, "") for digits in ("300000000001", "1000001", "0070021010")],
    "money": [Money(Decimal(amount), "EUR") for amount in ("45.30", "1.01", "0.02", "21.00", "102.22", "1256.21")],
    "date": [
        *(Day(date(2026, 12, 9)), Day(date(2026, 1, 1)), Day(date(2026, 3, 31))),
        *(Day(date(2025, 5, 22), with_year=True), Day(date(2020, 2, 29), with_year=True)),
    ],
    "time": [
        datetime(2026, 11, 23, 8, tzinfo=LOCAL_TIME),
        datetime(2026, 3, 1, 1, 1, tzinfo=LOCAL_TIME),
        datetime(2026, 7, 21, 22, 42, tzinfo=LOCAL_TIME),
    ],
    "choice": [OneOf([7, 12]), OneOf([10])],
    "digit": [Counted(n, "digit") for n in (9, 1, 22)],
    "unpaid_invoice": [Counted(n, "unpaid_invoice") for n in (2, 12, 21, 32)],
}
"""For each type of slot a usual value, then those that are easily said wrong."""

_ONE_INVOICE = {"invoices": Counted(1, "unpaid_invoice")}


def review(language_or_path: str) -> str:
    """A Markdown table of a catalogue's sentences in words, in bold what is emphasised, with English beside them.

    Raises:
        CatalogueError: the catalogue cannot be used.
    """
    languages = [language_or_path] if read(language_or_path).language == "en" else [language_or_path, "en"]
    lines: list[str] = []
    for title, keys_only in (("Speech and keys", False), ("Keys only", True)):
        catalogues = [Catalogue.load(language, keys_only=keys_only) for language in languages]
        names = read(language_or_path).keys_only if keys_only else read(language_or_path).prompts
        heads = [{"bg": "Bulgarian", "en": "English"}[catalogue.language] for catalogue in catalogues]
        lines += ["", f"## {title}", "", f"| prompt | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
        for name in names:
            for i, prompt in enumerate(_examples(name, catalogues[0])):
                said = " | ".join(_shown(prompt, catalogue) for catalogue in catalogues)
                lines.append(f"| {'' if i else f'`{name}`'} | {said} |")
    return "\n".join(lines).strip()


def _examples(name: str, catalogue: Catalogue) -> Iterator[Prompt]:
    """Each variant with usual values, the first one with all others too."""
    types = catalogue.slots(name)
    rows = [
        {slot: VALUES[type_][i % len(VALUES[type_])] for slot, type_ in types.items()}
        | (_ONE_INVOICE if name == "owed_one" else {})
        for i in range(max((len(VALUES[type_]) for type_ in types.values()), default=1))
    ]
    for repetition in range(catalogue.variants(name)):
        yield from (Prompt(name, slots, repetition) for slots in (rows[:1] if repetition else rows))


def _shown(prompt: Prompt, catalogue: Catalogue) -> str:
    phrases = catalogue.phrases(prompt)
    return " ".join(f"**{phrase.text}**" if phrase.emphasis else phrase.text for phrase in phrases)
