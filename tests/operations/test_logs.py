import json

import pytest
import structlog

from voicebot.operations import logs


def test_a_long_number_never_reaches_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(as_json=True)
    try:
        structlog.get_logger().info("caller 300000000001 asked", detail="1000001", count=300, short="12345")
        entry = json.loads(capsys.readouterr().err)
    finally:
        structlog.reset_defaults()
    assert entry["event"] == "caller ••••••••••01 asked" and entry["detail"] == "•••••01"
    assert entry["count"] == 300 and entry["short"] == "12345"
