"""What tests share: a place for bills, caches and settings that is not the user's own."""

import os
from datetime import date
from pathlib import Path

import pytest

from tests.ears import ears_for_sums
from voicebot.billing.demonstration import create_demonstration
from voicebot.hearing.vosk_recognizer import VoskRecognizer


@pytest.fixture(scope="session")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of a command: demonstration bills and a phrase cache that all tests of the run share."""
    folder: Path = tmp_path_factory.mktemp("voicebot")
    create_demonstration(folder / "bills.sqlite", date.today())
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VOICEBOT_")}
    return inherited | {
        "VOICEBOT_AUDIT__FOLDER": str(folder / "audit"),
        "VOICEBOT_SIP__LISTEN": "",
        "VOICEBOT_STORE__URL": str(folder / "bills.sqlite"),
        "VOICEBOT_VOICE__CACHE": str(_of_all_workers(tmp_path_factory) / "phrases"),
        "VOICEBOT_VOICE__REHEARSE": "false",
        "VOICEBOT_VOICE__FOLDER": str(folder / "voices"),
    }


def _of_all_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the processes of one run share, so that each phrase is rendered once."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def sums(tmp_path_factory: pytest.TempPathFactory) -> VoskRecognizer:
    """Hears which sum the bot tells."""
    return ears_for_sums(tmp_path_factory.mktemp("ears"))
