"""The running bot as an operator starts and stops it."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent / "voicebot"


def free_address() -> str:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{door.getsockname()[1]}"


def get(address: str, path: str) -> dict[str, object]:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
        return json.load(answer)


@pytest.fixture
def server(env: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    address = free_address()
    process = subprocess.Popen(
        [BIN, "serve"], env=env | {"VOICEBOT_WEB__LISTEN": address}, stderr=subprocess.PIPE, text=True
    )
    try:
        for _ in range(600):
            try:
                get(address, "/health")
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None, process.stderr and process.stderr.read()
                time.sleep(0.1)
        yield process, address
    finally:
        process.kill()
        process.communicate()


def test_it_answers_and_ends_cleanly_when_told_to(server: tuple[subprocess.Popen[str], str]) -> None:
    process, address = server
    assert get(address, "/health") == {"status": "ok"}
    assert get(address, "/ready")["status"] == "ready"
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 0 and "stopped" in log and "Traceback" not in log


def test_an_address_that_is_taken_is_told_in_one_sentence(env: dict[str, str]) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        address = f"127.0.0.1:{door.getsockname()[1]}"
        done = subprocess.run(
            [BIN, "serve"], env=env | {"VOICEBOT_WEB__LISTEN": address}, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 1 and f"The web address {address} cannot be used" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
