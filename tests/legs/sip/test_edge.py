"""Two bots behind kamailio and rtpengine, as deploy/sip-edge/start.sh starts them."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.legs.sip.peers import BIN, PATIENCE_S, SCENARIOS, sipp, wait_until

EDGE = "127.0.0.10:5060"
START = Path(__file__).parents[3] / "deploy" / "sip-edge" / "start.sh"

pytestmark = pytest.mark.skipif(
    not (shutil.which("kamailio") and shutil.which("rtpengine")),
    reason="needs kamailio rtpengine-daemon: apt-get install --no-install-recommends kamailio rtpengine-daemon",
)


def answered(folder: Path) -> list[int]:
    return [(folder / f"bot-{i}.log").read_text(encoding="utf-8").count('"answered"') for i in (1, 2)]


@pytest.fixture
def edge(phone_env: dict[str, str], tmp_path: Path) -> Iterator[Path]:
    script = subprocess.Popen(
        ["sh", START, "2", tmp_path], env=phone_env | {"VOICEBOT": str(BIN)}, stdout=subprocess.DEVNULL
    )
    try:
        for i in (1, 2):
            log = tmp_path / f"bot-{i}.log"
            wait_until(lambda log=log: log.exists() and '"ready"' in log.read_text(encoding="utf-8"), "ready", START)
        time.sleep(5)  # until kamailio has asked both by OPTIONS
        yield tmp_path
    finally:
        script.send_signal(signal.SIGTERM)
        script.wait(PATIENCE_S)


def stop(folder: Path, bot: int, number: signal.Signals) -> None:
    os.kill(int((folder / f"bot-{bot}.pid").read_text()), number)


def test_a_bot_that_drains_loses_no_call(edge: Path, tmp_path: Path) -> None:
    sipp("basic", EDGE, tmp_path, calls=4, rate=2)
    assert answered(edge) == [2, 2]
    calls = subprocess.Popen(
        [*("sipp", EDGE, "-sf", SCENARIOS / "basic.xml", "-i", "127.0.0.1", "-m", "10", "-r", "2", "-nostdin")],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    wait_until(lambda: sum(answered(edge)) >= 6, "calls", edge / "bot-1.log")
    stop(edge, 1, signal.SIGTERM)
    assert calls.wait(PATIENCE_S) == 0 and sum(answered(edge)) == 14


def test_after_a_bot_is_killed_every_call_is_answered_by_the_other(edge: Path, tmp_path: Path) -> None:
    calls = subprocess.Popen(
        [*("sipp", EDGE, "-sf", SCENARIOS / "basic.xml", "-i", "127.0.0.1", "-m", "4", "-r", "4", "-nostdin")],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    wait_until(lambda: sum(answered(edge)) == 4, "calls", edge / "bot-2.log")
    stop(edge, 1, signal.SIGKILL)
    sipp("basic", EDGE, tmp_path, calls=6, rate=2)
    assert answered(edge) == [2, 8]
    assert calls.wait(PATIENCE_S) != 0, "the calls of the killed bot were cut"
