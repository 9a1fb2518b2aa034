"""A run from the command line: what is wanted, the calls with their progress, and the files that are written."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from voicebot.scenarios import run as runs
from voicebot.scenarios.bench import Held, Job, hold_all, jobs, open_bench
from voicebot.scenarios.lines import NamedLine, named_lines
from voicebot.scenarios.page import write_page
from voicebot.scenarios.reading import ScenarioError, read_cases, scenario_files
from voicebot.scenarios.recorded import cases_of_recordings
from voicebot.scenarios.results import failure_text, judge, junit, masked
from voicebot.scenarios.run import Run
from voicebot.scenarios.scenario import LEGS, LegName
from voicebot.settings import Settings

_OWN = Path(__file__).resolve().parents[2] / "tests" / "scenarios"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls are to be held, and how."""

    legs: Sequence[LegName]
    lines: Sequence[NamedLine] = ()
    """In place of the scenarios' own; the scenarios' own when there are none."""
    only: str = ""
    """What must stand in a call's name."""
    at_once: int | None = None
    """Calls at a time; as many as there are cores when None."""
    store: str | None = None
    """Bills in place of demonstration bills."""
    reveal: bool = False
    """Whether numbers are shown in clear."""


@dataclass(frozen=True, slots=True)
class Files:
    """What is written and read beside the calls."""

    report: Path | None = None
    json_file: Path | None = None
    junit: Path | None = None
    compare: Path | None = None
    """An earlier run."""
    sound_bytes: int = 40_000_000
    """Most that sounds take in the report."""


def checked_legs(names: Sequence[str]) -> list[LegName]:
    """The legs so named, each once; raises `typer.BadParameter`."""
    if unknown := set(names) - set(LEGS):
        raise typer.BadParameter(f"{unknown.pop()} is none of {', '.join(LEGS)}", param_hint="--leg")
    return list(dict.fromkeys(names))  # type: ignore[arg-type]


def checked_lines(names: Sequence[str]) -> list[NamedLine]:
    """The lines so named, each once; raises `typer.BadParameter`."""
    if unknown := set(names) - set(named_lines()):
        raise typer.BadParameter(f"{unknown.pop()} is none of {', '.join(named_lines())}", param_hint="--line")
    return list(dict.fromkeys(names))  # type: ignore[arg-type]


def own_scenarios() -> list[Path]:
    """The project's own; raises `ScenarioError` where the package was installed without them."""
    if not _OWN.is_dir():
        raise ScenarioError("There are no scenarios beside the package: name a scenario file or a folder.")
    return [_OWN]


def find_jobs(chosen: Settings, paths: Sequence[Path], wanted: Wanted) -> list[Job]:
    """The calls that the paths mean.

    Raises:
        VoicebotError: a file that cannot be used; or there is no call at all.
    """
    prompts = chosen.catalogue
    cases = []
    for path in paths:
        found = scenario_files(path)
        cases += read_cases(found, prompts) if found else cases_of_recordings(path, chosen)
    cases = [case for case in cases if wanted.only.lower() in case.name.lower()]
    if not (todo := jobs(cases, wanted.legs, wanted.lines)):
        raise ScenarioError("There is no call to hold: see the paths, --only, and the legs that the scenarios allow.")
    return todo


def run_scenarios(chosen: Settings, paths: Sequence[Path], wanted: Wanted, files: Files, console: Console) -> Run:
    """Hold the calls and write the files.

    Raises:
        VoicebotError: something is missing, a scenario is wrong, or a file cannot be read or written.
    """
    earlier = runs.read(files.compare) if files.compare else None
    todo = find_jobs(chosen, paths, wanted)
    began, began_s = datetime.now().astimezone(), time.monotonic()
    held: list[Held] = []
    columns = (
        TextColumn("Calling"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[now]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(todo), now="")

        def done(one: Held) -> None:
            held.append(one)
            progress.update(task, advance=1, now=masked(one.job.case.name)[:60])

        async def hold() -> None:
            stop = asyncio.current_task().cancel  # type: ignore[union-attr]
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)  # so that no telephone outlives it
            async with open_bench(chosen, wanted.legs, store=wanted.store) as bench:
                await hold_all(bench, todo, wanted.at_once or os.cpu_count() or 1, done)

        try:
            asyncio.run(hold())
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
    order = {id(job): i for i, job in enumerate(todo)}
    held.sort(key=lambda one: order[id(one.job)])
    results = [judge(one) for one in held]
    run = runs.record(results, began, time.monotonic() - began_s, chosen, reveal=wanted.reveal)
    if files.report is not None:
        sounds = {i: (one.observation.caller_sound, one.bot_sound) for i, one in enumerate(held)}
        trend = runs.compare(run, earlier) if earlier else None
        write_page(files.report, run, sounds, trend=trend, sound_bytes=files.sound_bytes)
    if files.json_file is not None:
        files.json_file.write_text(json.dumps(run, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if files.junit is not None:
        files.junit.write_text(junit(run["calls"], run["duration_s"]), encoding="utf-8")
    return run


def told(run: Run) -> Iterator[str]:
    """A run in lines for people: what failed, and how many passed."""
    for call in run["calls"]:
        if not call["passed"]:
            yield f"FAILED {call['name']} ({call['leg']}, {call['line']}; {call['place']})"
            yield from (f"  {failure_text(failure)}" for failure in call["failures"])
    figures = run["figures"]
    if "strings" in figures:
        right = figures["strings"]
        low, high = (100 * bound for bound in right["interval"])
        yield f"Numbers right: {right['hits']} of {right['count']} ({low:.0f}-{high:.0f} %)."
    yield f"{run['passed']} of {run['passed'] + run['failed']} calls passed in {run['duration_s']:.0f} s."
