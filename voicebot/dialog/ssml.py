"""The subset of SSML 1.1 (W3C) that a sentence of the catalogue may hold: `break`, `emphasis`, `say-as` with digits.

- `<break time="300ms"/>` (or `"0.3s"`) is a pause; without a time, as short as where a speaker takes no breath.
- `<emphasis>…</emphasis>` marks what matters; voices speak it more slowly.
- `<say-as interpret-as="digits">080010010</say-as>` is read digit by digit, in groups.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from xml.etree import ElementTree

WEAK_BREAK_MS = 60
"""Pause of a `<break/>` without a time."""

LONGEST_BREAK_MS = 5000

_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")


@dataclass(frozen=True, slots=True)
class Span:
    """Text that is spoken in one manner, or a pause."""

    text: str = ""
    emphasis: bool = False
    digits: bool = False
    """Whether the text is digits, to be read one by one."""
    break_ms: int | None = None
    """Length of the pause, where it is one."""


def parse(sentence: str) -> tuple[Span, ...]:
    """The spans of a sentence; one without markup is a single span.

    Raises:
        ValueError: it is not XML, or holds more than the subset.
    """
    if not re.search("[<&]", sentence):
        return (Span(sentence),)
    try:
        root = ElementTree.fromstring(f"<speak>{sentence}</speak>")
    except ElementTree.ParseError as error:
        raise ValueError(f"the markup is not XML ({str(error).partition(':')[0]})") from None
    return tuple(_spans(root, Span()))


def _spans(element: ElementTree.Element, manner: Span) -> Iterator[Span]:
    if element.text:
        yield replace(manner, text=element.text)
    for child in element:
        match child.tag, dict(child.attrib):
            case "break", attributes if not attributes.keys() - {"time"} and not len(child) and not child.text:
                yield Span(break_ms=_break_ms(attributes.get("time")))
            case "emphasis", attributes if not attributes:
                yield from _spans(child, replace(manner, emphasis=True))
            case "say-as", {"interpret-as": "digits", **others} if not others and not len(child):
                if not re.fullmatch("[0-9]+", child.text or ""):
                    raise ValueError('<say-as interpret-as="digits"> may hold digits only')
                yield from _spans(child, replace(manner, digits=True))
            case _:
                raise ValueError(
                    f'<{child.tag}> is not understood like this: there are <break time="300ms"/>, '
                    '<emphasis>…</emphasis> and <say-as interpret-as="digits">…</say-as>'
                )
        if child.tail:
            yield replace(manner, text=child.tail)


def _break_ms(time: str | None) -> int:
    if time is None:
        return WEAK_BREAK_MS
    found = _TIME.fullmatch(time)
    length_ms = float(found[1]) * (1000 if found[2] == "s" else 1) if found else -1
    if not 0 <= length_ms <= LONGEST_BREAK_MS:
        raise ValueError(f'the time of a break is at most {LONGEST_BREAK_MS} ms, written "300ms" or "0.3s"')
    return round(length_ms)
