"""Structured logs on stderr; whatever looks like a customer's number is masked on its way out."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_LONG_NUMBER = re.compile(r"\d{6,}")


def mask_numbers(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A last net under the masked types: runs of six digits and more in any text lose all but the last two."""
    for key, value in entry.items():
        if isinstance(value, str) and key != "timestamp":
            entry[key] = _LONG_NUMBER.sub(lambda found: "•" * (len(found[0]) - 2) + found[0][-2:], value)
    return entry


def configure(*, level: str = "info", as_json: bool = False) -> None:
    """Send logs of `level` and above to stderr, as lines for people or as JSON."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            mask_numbers,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
