"""The record of a run: its calls, how well they were heard, how quickly answered; compared with an earlier one."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from voicebot.errors import VoicebotError
from voicebot.evaluation import report
from voicebot.evaluation.scoring import Figures, Thresholds
from voicebot.scenarios.results import Result, as_values, trials
from voicebot.settings import Settings

FORMAT = "voicebot-run-1"

Run = dict[str, Any]
"""A run as plain values; `calls` are as `results.as_values` gives them."""


class UnreadableRun(VoicebotError):
    """A file that is not the record of a run."""


def record(results: Sequence[Result], began: datetime, duration_s: float, chosen: Settings, *, reveal: bool) -> Run:
    """The record of a run."""
    policy = chosen.conversation
    figures = Figures(
        list(trials(results)),
        Thresholds(policy.number_confidence, policy.intent_confidence, policy.yes_confidence),
        lambda digits: chosen.schemes.match(digits) is not None,
    )
    return of_calls(
        [as_values(result, reveal=reveal) for result in results],
        report.figures_json(figures, worst=0),
        began,
        duration_s,
        chosen.voice.name,
    )


def of_calls(
    calls: Sequence[Mapping[str, Any]], figures: Mapping[str, Any], began: datetime, duration_s: float, voice: str
) -> Run:
    """The record of calls that are plain values already."""
    delays = [
        turn["delay_ms"]
        for call in calls
        for turn in call["turns"]
        if turn.get("via") == "speech" and turn["delay_ms"] is not None
    ]
    return {
        "format": FORMAT,
        "began": began.isoformat(timespec="seconds"),
        "duration_s": round(duration_s, 1),
        "voice": voice,
        "passed": sum(call["passed"] for call in calls),
        "failed": sum(not call["passed"] for call in calls),
        "delay_ms": {"p50": percentile(delays, 50), "p95": percentile(delays, 95), "count": len(delays)},
        "figures": figures,
        "calls": calls,
    }


def percentile(values: Sequence[int], percent: int) -> int | None:
    """By the nearest rank."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)] if values else None


def read(path: Path) -> Run:
    """An earlier run.

    Raises:
        UnreadableRun: it is not there, or not what `--json` writes.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UnreadableRun(f"{path} cannot be read as an earlier run: {error}; give what --json wrote.") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UnreadableRun(f"{path} is not the record of a run: give what voicebot test --json wrote.")
    return content


@dataclass(frozen=True, slots=True)
class Trend:
    """What has changed since an earlier run; calls are known by name, leg and line."""

    earlier: str
    """When that was."""
    broken: list[str]
    """Calls that passed then and fail now."""
    mended: list[str]
    added: int
    gone: int
    figures: list[tuple[str, float, float, bool]]
    """Name, then, now, and whether it is better now; rates in percent, delays in ms."""


_COMPARED = {
    "strings": ("numbers right, %", 100, True),
    "digits": ("digit errors, %", 100, False),
    "intents": ("answers right, %", 100, True),
}


def compare(run: Run, earlier: Run) -> Trend:
    """What has changed from `earlier` to `run`."""
    before, now = _by_key(earlier), _by_key(run)
    both = [key for key in now if key in before]
    figures: list[tuple[str, float, float, bool]] = []
    for name, (heading, factor, more_is_better) in _COMPARED.items():
        if name in earlier["figures"] and name in run["figures"]:
            old, new = (factor * which["figures"][name]["rate"] for which in (earlier, run))
            figures.append((heading, old, new, new >= old if more_is_better else new <= old))
    for percent in ("p50", "p95"):
        old, new = earlier["delay_ms"][percent], run["delay_ms"][percent]
        if old is not None and new is not None:
            figures.append((f"delay of answers, {percent}, ms", old, new, new <= old))
    return Trend(
        earlier["began"],
        [" · ".join(key) for key in both if before[key] and not now[key]],
        [" · ".join(key) for key in both if now[key] and not before[key]],
        len(now) - len(both),
        len(before) - len(both),
        figures,
    )


def _by_key(run: Run) -> dict[tuple[str, str, str], bool]:
    return {(call["name"], call["leg"], call["line"]): call["passed"] for call in run["calls"]}
