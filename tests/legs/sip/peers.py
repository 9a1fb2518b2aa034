"""The bot as a process, and the peers that ring it: Debian's sipp and baresip, which nobody here wrote."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from voicebot.scenarios.baresip import Baresip

BIN = Path(sys.executable).parent / "voicebot"
SCENARIOS = Path(__file__).parent / "scenarios"
PATIENCE_S = 60
"""How long anything may take on a busy machine."""


class Bot:
    """A running `voicebot serve`, and what it wrote to its log."""

    def __init__(self, process: subprocess.Popen[bytes], address: str, log: Path) -> None:
        self.process = process
        self.address = address
        self._log = log

    @property
    def log(self) -> list[dict[str, Any]]:
        lines = self._log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [entry for entry in self.log if entry["event"] == name]

    def wait_for(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until its log has `count` entries named so."""
        wait_until(lambda: len(self.events(name)) >= count, f"{count} times '{name}'", self._log)
        return self.events(name)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


def wait_until(happened: Any, what: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, f"no {what} in {log.read_text(encoding='utf-8')[-3000:]}"
        time.sleep(0.05)


def free_port() -> int:
    """A port that is free for UDP and TCP, and so is the next one."""
    while True:
        with socket.socket(type=socket.SOCK_DGRAM) as door, socket.socket() as stream, socket.socket() as next_door:
            door.bind(("127.0.0.1", 0))
            port = door.getsockname()[1]
            try:
                stream.bind(("127.0.0.1", port))
                next_door.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return int(port)


@contextmanager
def running_bot(env: dict[str, str], folder: Path, host: str = "127.0.0.1", **settings: str) -> Iterator[Bot]:
    """`voicebot serve` with settings such as `SIP__BURST="10"`, ready for calls."""
    folder.mkdir(parents=True, exist_ok=True)
    address, log = f"{host}:{free_port()}", folder / "bot.log"
    chosen = {
        "SIP__LISTEN": address,
        "SIP__ANSWER_AFTER_S": "0.5",
        "WEB__LISTEN": "127.0.0.1:0",
        "LOGS__JSON_LINES": "true",
    } | settings
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [BIN, "serve"], env=env | {f"VOICEBOT_{name}": value for name, value in chosen.items()}, stderr=stderr
        )
        bot = Bot(process, chosen["SIP__LISTEN"], log)
        try:
            wait_until(lambda: bot.events("ready") or process.poll() is not None, "ready", log)
            assert process.poll() is None, log.read_text(encoding="utf-8")
            yield bot
        finally:
            process.kill()
            process.wait()


def sipp(scenario: str, address: str, folder: Path, *options: str, calls: int = 1, rate: int = 10) -> None:
    """Run a scenario `calls` times; fails unless every call went as the scenario says."""
    here = "[::1]" if address.startswith("[") else "127.0.0.1"
    command = [
        *("sipp", address, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", here, "-m", str(calls)),
        *("-r", str(rate), "-l", str(calls), "-timeout", f"{PATIENCE_S}s", "-timeout_error", "-nostdin"),
        *("-trace_err", "-error_file", str(folder / "sipp-errors.log"), "-skip_rlimit", *options),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S + 30, check=False)
    errors = folder / "sipp-errors.log"
    assert done.returncode == 0, (errors.read_text() if errors.exists() else "") + done.stderr[-1500:]


class BaresipPeer(Baresip):
    """A telephone that ends with the block that holds it."""

    def __enter__(self) -> BaresipPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def dial(self, uri: str) -> None:
        """Ring, and wait until the call is up."""
        wait_until(lambda: self.ready, "baresip", self._folder / "baresip.log")
        self.type(f"/dial {uri}\n")
        wait_until(lambda: self.heard_file is not None, "call", self._folder / "baresip.log")


def missing_packages() -> list[str]:
    needed = {"sip-tester": "/usr/bin/sipp", "baresip-core": "/usr/bin/baresip"}
    return [package for package, program in needed.items() if not os.access(program, os.X_OK)]
