"""What tests of scenarios share: the calls of all of them, held once.

The bot speaks by a fake voice, because its own would render for minutes; its ears, its conversation, its books and its
legs are the real ones. `voicebot test` holds the same calls by the real voice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
import structlog

from tests.fakes.synthesizer import FakeSynthesizer
from voicebot.dialog.catalogue import Catalogue
from voicebot.operations import logs
from voicebot.scenarios.bench import Job, hold_all, jobs, open_bench
from voicebot.scenarios.reading import Case, read_cases
from voicebot.scenarios.results import Result, judge
from voicebot.scenarios.scenario import LegName
from voicebot.settings import Settings, Voice

HERE = Path(__file__).parent
FIXTURES = HERE.parent / "fixtures"
MS_PER_LETTER = 40
"""Twice as quick as the bot's own voice."""
CASES = read_cases([HERE], Catalogue.load("bg"))


def hold(todo: Sequence[Job], chosen: Settings) -> list[Result]:
    """Hold calls and judge them, in their order."""
    results: dict[int, Result] = {}

    async def run() -> None:
        legs = {job.leg for job in todo}
        voice = FakeSynthesizer(ms_per_letter=MS_PER_LETTER)
        async with open_bench(chosen, legs, voice=voice) as bench:
            await hold_all(
                bench,
                todo,
                2 if legs == {"wav"} else len(todo),
                lambda held: results.update({id(held.job): judge(held)}),
            )

    logs.configure(level="error")
    try:
        asyncio.run(run())
    finally:
        structlog.reset_defaults()
    return [results[id(job)] for job in todo]


def on(leg: LegName, *cases: Case) -> list[Job]:
    return jobs(cases, [leg], ())


@pytest.fixture(scope="session")
def chosen(env: dict[str, str]) -> Settings:
    return Settings(voice=Voice(cache=Path(env["VOICEBOT_VOICE__CACHE"])))


@pytest.fixture(scope="session")
def results(chosen: Settings) -> dict[str, Result]:
    """The calls of all scenarios, from recordings."""
    return {result.held.job.case.name: result for result in hold(on("wav", *CASES), chosen)}


def read(folder: Path, *lines: str) -> list[Case]:
    """The cases of a file made of `lines`."""
    path = folder / "scenario.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_cases([path], Catalogue.load("bg"))
