"""Callers by Debian's baresip who type ahead, cough into the bill and cut it off, each at moments of his own.

The bot's voice is a fake one; its ears, its conversation and its telephone are the real ones.
"""

import random
from pathlib import Path

import pytest

from tests.heard import prompts_heard
from tests.scenarios.conftest import FIXTURES, hold, on, read
from voicebot.dialog.actions import Outcome
from voicebot.dialog.events import LookedUp
from voicebot.scenarios.results import Result
from voicebot.settings import Settings, Voice

CALLERS = 3
"""Of each kind; all ring at once."""
KEYS = "3270342#"
"""A customer who owes something. On a busy machine baresip sends two equal keys as one, so there are none here."""


@pytest.fixture(scope="module")
def calls(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Result]]:
    rng = random.Random(5)

    def rows(**ranges: tuple[int, int]) -> list[str]:
        drawn = [{name: rng.randrange(*span) for name, span in ranges.items()} for _ in range(CALLERS)]
        return [f"      - {row}".replace("'", "") for row in drawn]

    cases = read(
        tmp_path_factory.mktemp("interruptions"),
        f"sounds: {FIXTURES}",
        "scenarios:",
        "  - name: coughs",
        "    values:",
        *rows(keys=(200, 3000), cough=(3500, 12000)),
        "    turns:",
        f"      - {{keys: {KEYS}, interrupts_after_ms: $keys, interrupted: true, says: [keyed_back, owed_many]}}",
        "      - {noise: cough, interrupts_after_ms: $cough, for_ms: 400}",
        "  - name: interrupts",
        "    values:",
        *rows(keys=(200, 3000), speech=(3500, 9000), key=(500, 6000)),
        "    turns:",
        f"      - {{keys: {KEYS}, interrupts_after_ms: $keys, interrupted: true, says: [keyed_back, owed_many]}}",
        "      - {say: repeat.wav, interrupts_after_ms: $speech, interrupted: true, says: [owed_many]}",
        "      - {keys: 9, interrupts_after_ms: $key, interrupted: true, says: [goodbye]}",
    )
    results = hold(on("sip", *cases), Settings(voice=Voice(cache=Path(env["VOICEBOT_VOICE__CACHE"]))))
    return {name: [r for r in results if r.held.job.case.name.startswith(name)] for name in ("coughs", "interrupts")}


def test_whoever_coughs_is_told_the_whole_bill(calls: dict[str, list[Result]]) -> None:
    for call in calls["coughs"]:
        observation = call.held.observation
        (told,) = [step for step in observation.steps if isinstance(step.event, LookedUp)]
        bill = [prompt.name for say in told.says for prompt in say.prompts]
        heard = prompts_heard(observation, call.held.record)
        assert len(bill) == 6 and heard[heard.index("keyed_back") + 1 :] == bill


def test_whoever_types_ahead_and_interrupts_is_answered(calls: dict[str, list[Result]]) -> None:
    assert [failure.what for results in calls.values() for call in results for failure in call.failures] == []
    assert len(calls["interrupts"]) == CALLERS
    assert all(call.held.record.outcome is Outcome.INFORMED for call in calls["coughs"])
