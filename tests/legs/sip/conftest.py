"""What tests by telephone share: the marker, the packages they need, and phrases rendered ahead."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.legs.sip.peers import BIN, Bot, missing_packages, running_bot

FIXTURES = Path(__file__).parents[2] / "fixtures"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = missing_packages()
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.sip)
            if missing:
                item.add_marker(pytest.mark.skip(f"needs {' '.join(missing)}: apt-get install {' '.join(missing)}"))


@pytest.fixture(scope="session")
def phone_env(env: dict[str, str]) -> dict[str, str]:
    """The environment with the phrases of the usual call rendered, so that the bot is as quick as in service."""
    recordings = [FIXTURES / "number-12-300000000001.wav", FIXTURES / "yes.wav"]
    subprocess.run([BIN, "call", *recordings], env=env, check=True, capture_output=True, timeout=300)
    return env


@pytest.fixture(scope="module")
def bot(phone_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bot]:
    """A bot that the tests of a module share."""
    with running_bot(phone_env, tmp_path_factory.mktemp("bot")) as running:
        yield running
