from datetime import date
from pathlib import Path

import pytest

from voicebot.billing.demonstration import create_demonstration

TODAY = date(2026, 11, 23)


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of demonstration bills for TODAY; tests that change it work on a copy."""
    path = tmp_path_factory.mktemp("bills") / "demonstration.sqlite"
    create_demonstration(path, TODAY)
    return path
