"""Measures how well models hear the sets of `sets.py`, and prints the tables of docs/figures.md.

Run it as `python benchmarks/hearing.py --model models/bg-telephone`; `--model` may stand several times, then the
models stand side by side. Every utterance goes over a simulated A-law line: quiet, at 20 dB and at 10 dB of babble,
street or hum, one of the three each. Foreign people are heard through the digits of their languages in `lexica/`.
Nothing may ever be trained on these sets or chosen by them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from detection import draw
from foreign import foreign_model
from lines import CONDITIONS, NOISES, Condition, framed, send
from rich.console import Console
from rich.progress import track
from utterances import read_table

from voicebot.acoustics import telephone
from voicebot.billing.identifier import DEFAULT_SCHEMES
from voicebot.dialog.conversation import Conversation
from voicebot.errors import VoicebotError
from voicebot.evaluation.intervals import Interval
from voicebot.evaluation.recordings import Recording, read_sound
from voicebot.evaluation.report import as_values
from voicebot.evaluation.scoring import (
    NOTHING,
    ErrorRate,
    Figures,
    Operating,
    Share,
    Thresholds,
    Trial,
    detection_curve,
)
from voicebot.evaluation.trials import hear, peak_memory_mb, said_in
from voicebot.hearing.vosk_recognizer import VoskRecognizer
from voicebot.language.srgs import Grammar, load_grammar

HERE = Path(__file__).parent
REPOSITORY = HERE.parent
SETS = REPOSITORY / "build" / "sets"

ANSWERED = ("strings", "numbers", "phrases", "codes-invoices", "neural", "people-uk", "people-mk", "people-sr")
"""Sets in which something is said that should be understood."""

REFUSED = ("words", "people-words", "foreign", "no-speech")
"""Sets in which nothing is; they are heard by each of these grammars over a quiet line."""

GRAMMARS = ("identifier", "confirm", "menu")

STANDING_IN = ("digit", "string")
"""The graphs of other languages, which stand in the place of "identifier"."""

POLICY = Conversation(DEFAULT_SCHEMES)
THRESHOLDS = Thresholds(POLICY.number_confidence, POLICY.intent_confidence, POLICY.yes_confidence)


@dataclass(frozen=True)
class Heard:
    """A trial with what its set and its line say of it."""

    trial: Trial
    row: Mapping[str, str]
    set: str
    grammar: str
    condition: str
    noise: str
    """One of `NOISES`, "" on a quiet line."""
    kept: bool
    """Whether the independent recogniser got it too."""

    @property
    def length(self) -> int:
        """How many digits are said."""
        return len(self.trial.said.digits)


# Hearing


@dataclass(frozen=True)
class Task:
    """One set heard by one model."""

    model: Path
    set: str
    sets: Path
    every: int
    """Every so manyth utterance is heard."""
    conditions: tuple[Condition, ...]
    grammar: str = ""
    """When given, only what answers this grammar, or nothing at all, is heard, and by this grammar alone."""


def rows_of(folder: Path) -> list[tuple[dict[str, str], bool]]:
    """The rows of a set, each with whether the screening kept it."""
    if not (folder / "index.tsv").is_file():
        raise VoicebotError(f"{folder} has no index.tsv: make the set by 'python benchmarks/sets.py {folder.name}'.")
    dropped = folder / "dropped.tsv"
    kept = [(row, True) for row in read_table(folder / "index.tsv")]
    return kept + [(row, False) for row in (read_table(dropped) if dropped.is_file() else [])]


@cache
def voices_for_babble(folder: Path) -> Sequence[telephone.Wave]:
    """Speech of many voices: those utterances of a set that answer nothing."""
    rows = [row for row, _ in rows_of(folder) if answers_nothing(row)]
    return [framed(read_sound(folder / row["path"])) for row in rows[:: max(1, len(rows) // 60)]]


@cache
def own_grammar(name: str) -> Grammar:
    """The grammar that says what words mean; that of numbers for people of other languages, who have none here."""
    name = "identifier" if name in STANDING_IN else name
    return load_grammar(REPOSITORY / "grammars" / f"{name}.grxml")


def asked_for(row: Mapping[str, str]) -> str:
    """The grammar whose costs an utterance is heard with."""
    return "identifier" if row["grammar"] in STANDING_IN else row["grammar"]


def answers_nothing(row: Mapping[str, str]) -> bool:
    return not row["digits"] and not row["intent"] and row["grammar"] != "invoice"


def hear_set(task: Task) -> list[Heard]:
    """All trials of a set."""
    folder = task.sets / task.set
    rows = rows_of(folder)[:: task.every]
    if task.grammar:
        rows = [(row, kept) for row, kept in rows if asked_for(row) == task.grammar or answers_nothing(row)]
    voices = voices_for_babble(task.sets / ("development" if task.set.startswith("development") else "words"))
    heard = []
    languages = {row["language"] for row, _ in rows if row["grammar"] in STANDING_IN}
    with tempfile.TemporaryDirectory() as temporary:
        recognizers = {
            language: VoskRecognizer(foreign_model(task.model, language, Path(temporary) / language))
            for language in languages
        }
        own = VoskRecognizer(task.model)
        for row, kept in rows:
            sound = read_sound(folder / row["path"])
            refused = task.set in REFUSED
            recognizer = recognizers[row["language"]] if row["grammar"] in STANDING_IN else own
            number = zlib.crc32(row["path"].encode())
            asked = row["grammar"] if row["grammar"] in STANDING_IN else task.grammar or row["grammar"]
            for grammar in GRAMMARS if refused else (asked,):
                for condition in task.conditions[:1] if refused else task.conditions:
                    noise = NOISES[number % len(NOISES)] if condition.snr_db is not None else ""
                    sent = send(sound, condition, noise, [number, len(condition.name)], voices)
                    about = Recording(
                        folder / row["path"],
                        row["text"] if row["language"] == "bg" else None,
                        row["digits"],
                        row["intent"],
                        voice=row["voice"],
                        line=noise or "quiet",
                        snr=condition.name,
                        kind=row["kind"],
                    )
                    said = said_in(about, own_grammar(grammar))
                    trial = hear(recognizer, sent, grammar, said, f"{task.set}/{row['path']}", about)
                    heard.append(Heard(trial, row, task.set, grammar, condition.name, noise, kept))
    return heard


# Tables


@dataclass(frozen=True)
class Group:
    """A line of a table."""

    name: str
    holds: Callable[[Heard], bool]


def _numbers(name: str, test: Callable[[Heard], bool]) -> Group:
    return Group(name, lambda h: h.length > 0 and test(h))


def _strings(engine: str, length: int, manner: str) -> Group:
    name = f"synthetic, {engine.capitalize()}, {length} digits, {manner}"
    return _numbers(
        name,
        lambda h: h.set == "strings" and h.row["engine"] == engine and h.length == length and h.row["manner"] == manner,
    )


def _ways(engine: str, manner: str = "") -> Group:
    """Numbers said otherwise than digit by digit, in one manner or in all."""
    name = f"synthetic, {engine.capitalize()}, " + (f"numbers by {manner}" if manner else "all ways to say numbers")
    return _numbers(
        name,
        lambda h: h.set == "numbers" and h.row["engine"] == engine and manner in ("", h.row["manner"]),
    )


def _people(set_name: str, language: str, manner: str, what: str) -> Group:
    return _numbers(f"human, {language}, {what}", lambda h: h.set == set_name and h.row["manner"] == manner)


def _answers(name: str, grammar: str, test: Callable[[Mapping[str, str]], bool]) -> Group:
    return Group(name, lambda h: h.set == "phrases" and h.row["grammar"] == grammar and test(h.row))


def _others(name: str, sets: Sequence[str], test: Callable[[Mapping[str, str]], bool]) -> Group:
    return Group(name, lambda h: h.set in sets and test(h.row))


NUMBERS = (
    *(
        _strings(engine, length, manner)
        for engine in ("kokoro", "festival")
        for length in (7, 12)
        for manner in ("natural", "groups")
    ),
    _numbers("synthetic, all 7 digits", lambda h: h.set == "strings" and h.length == 7),
    _numbers("synthetic, all 12 digits", lambda h: h.set == "strings" and h.length == 12),
    _numbers("synthetic, a third engine, 1 digit", lambda h: h.set == "neural" and h.length == 1),
    _numbers("synthetic, a third engine, 7 digits joined", lambda h: h.set == "neural" and h.length > 1),
    *(_ways("kokoro", manner) for manner in ("repeats", "pairs", "hundreds", "mixed", "hesitant", "corrected")),
    *(_ways(engine) for engine in ("kokoro", "festival")),
    *(
        _people(set_name, language, manner, what)
        for set_name, language in (("people-uk", "Ukrainian"), ("people-mk", "Macedonian"), ("people-sr", "Serbian"))
        for manner, what in (("single", "1 digit"), ("joined", "7 digits joined"))
    ),
)
"""What is said of numbers."""

ANSWERS = (
    _answers("yes", "confirm", lambda row: row["intent"] == "yes"),
    _answers("no", "confirm", lambda row: row["intent"] == "no"),
    _answers("да alone", "confirm", lambda row: row["text"] == "да"),
    _answers("не alone", "confirm", lambda row: row["text"] == "не"),
    _answers("commands instead of yes or no", "confirm", lambda row: row["intent"] not in ("yes", "no")),
    _answers("commands after the bill", "menu", lambda row: True),
    _answers("commands instead of a number", "identifier", lambda row: True),
)
"""What is said of answers."""

CODES = _numbers("codes", lambda h: h.row["grammar"] == "code")
INVOICES = Group("invoices by place or month", lambda h: h.row["grammar"] == "invoice")

OTHERS = (
    _others("human, other Bulgarian words", ("people-words",), lambda row: row["kind"] == "human"),
    _others("synthetic, other Bulgarian words", ("words", "people-words"), lambda row: row["kind"] != "human"),
    _others("human, foreign speech", ("foreign",), lambda row: True),
    _others("human, coughs and cries", ("no-speech",), lambda row: row["manner"] in ("cough", "cry")),
    _others("recorded effects", ("no-speech",), lambda row: row["manner"] == "effect"),
    _others("recorded music", ("no-speech",), lambda row: row["manner"] == "music"),
    _others("lines without a caller", ("no-speech",), lambda row: row["engine"] == "voicebot"),
)
"""What is said of what should not be understood."""


def figures(heard: Iterable[Heard]) -> Figures:
    return Figures([h.trial for h in heard], THRESHOLDS, lambda digits: DEFAULT_SCHEMES.match(digits) is not None)


def _interval(interval: Interval) -> str:
    return f"{100 * interval[0]:.0f}–{100 * interval[1]:.0f} %"


def share(value: Share) -> str:
    return f"{value.hits}/{value.count}, {_interval(value.interval)}" if value.count else ""


def rate(value: ErrorRate) -> str:
    if not value.edits.count:
        return ""
    low, high = value.interval
    return f"{100 * value.value:.1f} ({100 * low:.1f}–{100 * high:.1f})"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


Results = Mapping[str, Sequence[Heard]]
"""What each model heard."""


def compared(
    results: Results,
    groups: Sequence[Group],
    columns: Mapping[str, Callable[[Heard], bool]],
    cell: Callable[[Figures], str],
) -> str:
    """A table with a line for each group and, for each column, a cell for each model."""
    header = ["", "voices"]
    for column in columns:
        header += [column if len(results) == 1 else f"{column}, {model}" for model in results]
    rows = []
    for group in groups:
        found = {model: [h for h in heard if group.holds(h)] for model, heard in results.items()}
        if not any(found.values()):
            continue
        voices = {h.trial.voice for heard in found.values() for h in heard}
        cells = [cell(figures(h for h in heard if test(h))) for test in columns.values() for heard in found.values()]
        rows.append([group.name, str(len(voices)), *cells])
    return markdown(header, rows)


def in_condition(name: str) -> Callable[[Heard], bool]:
    return lambda h: h.condition == name


def kept_in(name: str) -> Callable[[Heard], bool]:
    return lambda h: h.condition == name and h.kept


def tables(results: Results, names: Sequence[str]) -> str:
    """Everything that was measured, as Markdown."""
    conditions = {name: in_condition(name) for name in names}
    parts = [
        "### Numbers, right / all, without what the independent recogniser did not get",
        compared(results, NUMBERS, {name: kept_in(name) for name in names}, lambda f: share(f.strings)),
        "### Numbers, right / all, with it",
        compared(results, NUMBERS, conditions, lambda f: share(f.strings)),
        "### Numbers right in any reading, without what the independent recogniser did not get",
        compared(results, NUMBERS, {name: kept_in(name) for name in names}, lambda f: share(f.strings_among_readings)),
        "### Digit errors in percent, without what the independent recogniser did not get",
        compared(results, NUMBERS, {name: kept_in(name) for name in names}, lambda f: rate(f.digits)),
    ]
    noisy = {
        f"{name}, {noise}": (lambda h, c=name, n=noise: h.condition == c and h.noise == n and h.kept)
        for name in names
        for noise in NOISES
        if name != "clean"
    }
    together = [group for group in NUMBERS if " all " in group.name or group.name.startswith("human, Ukr")]
    parts += [
        "### Numbers by noise",
        compared(results, together, noisy, lambda f: share(f.strings)),
        "### Answers and commands, right / all (right and sure enough)",
        compared(results, ANSWERS, conditions, lambda f: f"{share(f.intents)} ({f.intents_taken.hits})"),
        "### Codes and invoices, right / all",
        compared(results, [CODES], conditions, lambda f: share(f.strings)),
        compared(results, [INVOICES], conditions, lambda f: share(f.choices)),
        "### A no taken for a yes",
        compared(results, [ANSWERS[1]], conditions, lambda f: share(f.no_as_yes)),
        "### False accepts over a quiet line",
        compared(
            results,
            OTHERS,
            {"asked for a number: one to read back": lambda h: h.grammar == "identifier"},
            lambda f: share(f.false_numbers),
        ),
        compared(
            results,
            OTHERS,
            {"asked for a number: digits at 0.5": lambda h: h.grammar == "identifier"},
            lambda f: share(f.false_digits),
        ),
        compared(
            results,
            OTHERS,
            {"asked yes or no: a yes": lambda h: h.grammar == "confirm"},
            lambda f: share(f.false_yes),
        ),
        compared(
            results,
            OTHERS,
            {
                "asked yes or no: any answer": lambda h: h.grammar == "confirm",
                "asked after the bill: any command": lambda h: h.grammar == "menu",
                "asked for a number: a command": lambda h: h.grammar == "identifier",
            },
            lambda f: share(f.false_intents),
        ),
    ]
    for model, heard in results.items():
        for name in names:
            chosen = figures(h for h in heard if h.set == "strings" and h.condition == name and h.kept)
            parts += [f"### Confusions, {name}, {model}", confusion(chosen)]
        parts.append(speed(model, figures(heard)))
    return "\n".join(parts)


def screened(sets: Path, names: Iterable[str]) -> str:
    """How many of each set the independent recogniser got."""
    rows = []
    for name in names:
        kept = [kept for _, kept in rows_of(sets / name)]
        passed = f"{sum(kept)}/{len(kept)}" if (sets / name / "dropped.tsv").is_file() else "not screened"
        rows.append([name, str(len(kept)), passed])
    return markdown(["set", "utterances", "kept by the screening"], rows)


def confusion(found: Figures) -> str:
    signs = [*"0123456789", NOTHING]
    rows = [[said or "put in", *(str(found.confusion[said, heard] or "") for heard in signs)] for said in signs]
    return markdown(["said", *(sign or "left out" for sign in signs)], rows)


def speed(model: str, found: Figures) -> str:
    return f"{model}: real-time factor {found.real_time_factor:.4f} on one core over {found.sound_s:.0f} s of sound.\n"


def memory(model: Path) -> str:
    before = peak_memory_mb()
    recognizer = VoskRecognizer(model)
    recognizer.load()
    grown = peak_memory_mb() - before
    return f"{model.name}: {grown:.0f} MB for the models of {len(recognizer.grammars)} grammars.\n"


def curves(heard: Sequence[Heard], names: Sequence[str]) -> dict[str, list[Operating]]:
    """The DET curves of the numbers in each condition against all other words."""
    others = [
        h.trial
        for h in heard
        if h.set in ("words", "people-words", "foreign") and h.grammar == "identifier" and not h.trial.said.digits
    ]
    return {
        name: detection_curve([h.trial for h in heard if h.set == "strings" and h.condition == name and h.kept], others)
        for name in names
    }


def as_record(heard: Heard) -> dict[str, Any]:
    """A trial as plain values; the sets hold nobody's number."""
    best = heard.trial.best
    return {
        "file": heard.trial.name,
        "condition": heard.condition,
        "noise": heard.noise,
        "grammar": heard.grammar,
        "kept": heard.kept,
        "said": heard.row["digits"] or heard.row["intent"],
        "text": heard.row["text"],
        "heard": best.text,
        "digits": best.digits,
        "intent": best.intent,
        "confidence": round(best.confidence, 4),
        "right": heard.trial.right,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, action="append", help="a model's folder; may stand several times")
    parser.add_argument("--sets", type=Path, default=SETS)
    parser.add_argument("--only", nargs="*", default=[*ANSWERED, *REFUSED], metavar="SET", help="these sets alone")
    parser.add_argument("--quick", action="store_true", help="every fifth utterance, clean and at 10 dB")
    parser.add_argument("--jobs", type=int, default=1, help="processes that hear at once")
    parser.add_argument("--det", type=Path, help="draw the DET curves into this SVG or PNG")
    parser.add_argument("--json", type=Path, help="write every trial and the totals there")
    options = parser.parse_args()
    models = options.model or [REPOSITORY / "models" / "bg-telephone"]
    conditions = (CONDITIONS[0], CONDITIONS[2]) if options.quick else CONDITIONS
    tasks = [
        Task(model, name, options.sets, 5 if options.quick else 1, conditions)
        for model in models
        for name in options.only
    ]
    results: dict[str, list[Heard]] = {str(model): [] for model in models}
    try:
        with ProcessPoolExecutor(options.jobs) as pool:
            found = track(pool.map(hear_set, tasks), total=len(tasks), console=Console(stderr=True))
            for task, heard in zip(tasks, found, strict=True):
                results[str(task.model)] += heard
        names = [condition.name for condition in conditions]
        print(screened(options.sets, options.only))
        print(tables(results, names))
        for model in models:
            print(memory(model))
        if options.det:
            several = len(models) > 1
            draw(
                {
                    f"{name}, {model}" if several else name: points
                    for model, heard in results.items()
                    for name, points in curves(heard, names).items()
                },
                options.det,
            )
    except VoicebotError as error:
        print(f"hearing: {error}", file=sys.stderr)
        return 1
    if options.json:
        values = {
            model: {"totals": as_values(figures(heard)), "trials": [as_record(h) for h in heard]}
            for model, heard in results.items()
        }
        part = options.json.with_name(options.json.name + ".part")
        part.write_text(json.dumps(values, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        os.replace(part, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
