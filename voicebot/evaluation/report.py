"""The report of a run: figures as tables for people and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from voicebot.evaluation.scoring import NOTHING, ErrorRate, Figures, Share, Trial

SPLITS: Mapping[str, str] = {"kind": "kind", "voice": "voice", "line": "line", "snr": "SNR"}
"""Fields of the trials by which figures are parted, with their headings."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a run took, in megabytes of 10^6 bytes."""

    peak_mb: float
    """The most that the process had in use."""
    models_mb: float
    """By how much that grew when the models were loaded."""


def as_percent(value: float, digits: int = 1) -> str:
    """A share in percent."""
    return f"{100 * value:.{digits}f}"


def share_text(share: Share) -> str:
    """Hits, count, percent and interval in one cell; "" when nothing was counted."""
    if not share.count:
        return ""
    low, high = share.interval
    return f"{share.hits}/{share.count} = {as_percent(share.value)} % ({as_percent(low)}-{as_percent(high)})"


def rate_text(rate: ErrorRate) -> str:
    """Percent, interval and kinds of errors in one cell; "" when nothing was counted."""
    if not rate.edits.count:
        return ""
    low, high = rate.interval
    kinds = f"{rate.edits.substitutions}s {rate.edits.deletions}d {rate.edits.insertions}i of {rate.edits.count}"
    return f"{as_percent(rate.value, 2)} % ({as_percent(low, 2)}-{as_percent(high, 2)}), {kinds}"


MEASURES: Mapping[str, str] = {
    "strings": "numbers right",
    "strings_among_readings": "numbers right in any reading",
    "digits": "digit errors",
    "words": "word errors",
    "intents": "answers right",
    "intents_taken": "answers right and sure enough",
    "choices": "invoices chosen right",
    "no_as_yes": "no taken for yes",
    "false_numbers": "no answer, taken for a customer's number",
    "false_digits": "no answer, digits heard",
    "false_intents": "no answer, taken for an answer",
    "false_yes": "no answer, taken for a yes",
}
"""What is reported: attributes of `Figures` with their headings."""

CHIEF = ("strings", "digits", "intents", "choices", "no_as_yes", "false_numbers", "false_digits", "false_intents")
"""Those that stand in comparisons."""


def measures(figures: Figures) -> Iterator[tuple[str, Share | ErrorRate]]:
    """The names and values of those measures for which there was something to count."""
    for name in MEASURES:
        value: Share | ErrorRate = getattr(figures, name)
        if value.count if isinstance(value, Share) else value.edits.count:
            yield name, value


def as_values(figures: Figures) -> dict[str, Any]:
    """Figures as plain values, shares and rates each with its interval."""
    values: dict[str, Any] = {
        "utterances": len(figures.trials),
        "voices": figures.voices,
        "sound_s": round(figures.sound_s, 2),
        "real_time_factor": round(figures.real_time_factor, 4),
    }
    for name, value in measures(figures):
        values[name] = _measure_values(value)
    return values


def _measure_values(value: Share | ErrorRate) -> dict[str, Any]:
    if isinstance(value, Share):
        counts = {"hits": value.hits, "count": value.count}
    else:
        parts = value.edits
        counts = {
            "substitutions": parts.substitutions,
            "deletions": parts.deletions,
            "insertions": parts.insertions,
            "count": parts.count,
        }
    low, high = value.interval
    return {**counts, "rate": round(value.value, 5), "interval": [round(low, 5), round(high, 5)]}


def as_json(figures: Figures, memory: Memory, worst: int = 20) -> dict[str, Any]:
    """A whole report as plain values."""
    return {
        **figures_json(figures, worst),
        "peak_memory_mb": round(memory.peak_mb),
        "models_memory_mb": round(memory.models_mb),
    }


def figures_json(figures: Figures, worst: int = 20) -> dict[str, Any]:
    """The same without what the run took."""
    return {
        **as_values(figures),
        **{f"by_{field}": {value: as_values(part) for value, part in _parts(figures, field)} for field in SPLITS},
        "confusion": [
            {"said": said, "heard": heard, "count": count} for (said, heard), count in sorted(figures.confusion.items())
        ],
        "by_digit": [{"said": digit, **_measure_values(share)} for digit, share in figures.by_digit.items()],
        "worst": [_trial_values(trial) for trial in figures.worst(worst)],
    }


def _parts(figures: Figures, field: str) -> list[tuple[str, Figures]]:
    """The figures of each value of a field, unless there is but one."""
    parts = figures.split(field)
    return list(parts.items()) if len(parts) > 1 else []


def _trial_values(trial: Trial) -> dict[str, Any]:
    return {
        "file": trial.name,
        "said": _said(trial),
        "heard": trial.best.text,
        "digits": trial.best.digits,
        "confidence": round(trial.best.confidence, 4),
    }


def _said(trial: Trial) -> str:
    return trial.said.digits or " ".join(trial.said.words or ()) or trial.said.intent or ""


def show(figures: Figures, memory: Memory, console: Console, worst: int = 20) -> None:
    """Print a whole report."""
    console.print(
        f"{len(figures.trials)} utterances, {figures.voices} voices, {figures.sound_s / 60:.1f} minutes of sound"
    )
    console.print(overall(figures))
    for field, heading in SPLITS.items():
        if parts := _parts(figures, field):
            console.print(comparison(heading, dict(parts)))
    if figures.with_digits:
        console.print(confusion_table(figures))
    if wrong := figures.worst(worst):
        table = Table("file", "said", "heard", "sure", title="worst first")
        for trial in wrong:
            heard = trial.best.digits or trial.best.text or "—"
            table.add_row(trial.name, _said(trial) or "—", heard, f"{trial.best.confidence:.2f}")
        console.print(table)
    console.print(
        f"Real-time factor {figures.real_time_factor:.4f} on one core; memory {memory.peak_mb:.0f} MB at most, "
        f"{memory.models_mb:.0f} MB of it for the models."
    )


def overall(figures: Figures) -> Table:
    """All measures of some trials, one a line."""
    table = Table("measure", "figure (95 %)")
    for name, value in measures(figures):
        table.add_row(MEASURES[name], share_text(value) if isinstance(value, Share) else rate_text(value))
    return table


def comparison(heading: str, parts: Mapping[str, Figures]) -> Table:
    """The chief measures of several groups of trials, one group a line; measures that none of them has are left out."""
    found = {value: dict(measures(part)) for value, part in parts.items()}
    names = [name for name in CHIEF if any(name in group for group in found.values())]
    table = Table(heading, "voices", *(MEASURES[name] for name in names))
    for value, group in found.items():
        cells = [_cell(group[name]) if name in group else "" for name in names]
        table.add_row(value or "—", str(parts[value].voices), *cells)
    return table


def _cell(measure: Share | ErrorRate) -> str:
    low, high = (as_percent(bound) for bound in measure.interval)
    if isinstance(measure, Share):
        return f"{measure.hits}/{measure.count} ({low}-{high} %)"
    return f"{as_percent(measure.value)} % ({low}-{high})"


def confusion_table(figures: Figures) -> Table:
    """Digits said (lines) and heard (columns); in the last line those put in, in the last column those left out.

    The letters of codes that were said or heard have lines and columns of their own.
    """
    letters = {sign for pair in figures.confusion for sign in pair if sign.isalpha()}
    signs = [*"0123456789", *sorted(letters), NOTHING]
    table = Table("said", *(sign or "left out" for sign in signs), title="digits")
    for said in signs:
        counts = [figures.confusion[said, heard] for heard in signs]
        table.add_row(said or "put in", *(str(count) if count else "" for count in counts))
    return table
