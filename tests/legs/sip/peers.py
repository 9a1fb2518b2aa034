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

import numpy as np
import soundfile

from voicebot.audio.sound import Sound

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


_WAVES = {"pcma": (8000, 1), "pcmu": (8000, 1), "G722/16000/1": (16000, 1), "opus/48000/2": (48000, 2)}
"""Rate in Hz and channels of what the peer plays, by codec: its player does not convert."""


class BaresipPeer:
    """Debian's baresip as a telephone: it plays a sound, types keys, and records what it hears."""

    def __init__(
        self, folder: Path, says: Sound, *, codec: str = "pcma", account: str = "", transport: str = "udp"
    ) -> None:
        rate_hz, channels = _WAVES[codec]
        folder.mkdir(parents=True, exist_ok=True)
        said = says.resampled(rate_hz).samples
        soundfile.write(folder / "says.wav", np.stack([said] * channels, axis=1), rate_hz, subtype="PCM_16")
        modules = ["stdio", "g711", "g722", "opus", "aufile", "sndfile", "srtp", "menu"]
        config = [
            "net_interface 127.0.0.1",
            "sip_listen 127.0.0.1:0",
            f"audio_source aufile,{folder / 'says.wav'}",
            f"snd_path {folder}",
            "module_path /usr/lib/baresip/modules",
            *(f"module {name}.so" for name in modules),
            "module account.so",
        ]
        (folder / "config").write_text("\n".join(config) + "\n")
        (folder / "contacts").touch()
        (folder / "accounts").write_text(
            f"<sip:+359888123456@127.0.0.1;transport={transport}>;regint=0;audio_codecs={codec}{account}\n"
        )
        self._folder = folder
        self._output = (folder / "baresip.log").open("wb")
        self._process = subprocess.Popen(
            ["baresip", "-f", folder], stdin=subprocess.PIPE, stdout=self._output, stderr=subprocess.STDOUT
        )

    def __enter__(self) -> BaresipPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._output.close()

    @property
    def output(self) -> str:
        return (self._folder / "baresip.log").read_text(errors="replace")

    def type(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def dial(self, uri: str) -> None:
        """Ring, and wait until the call is up."""
        wait_until(lambda: "baresip is ready" in self.output, "baresip", self._folder / "baresip.log")
        self.type(f"/dial {uri}\n")
        wait_until(lambda: self.heard_file is not None, "call", self._folder / "baresip.log")

    @property
    def heard_file(self) -> Path | None:
        return next(iter(self._folder.glob("dump-*-dec.wav")), None)

    def hang_up(self) -> Sound:
        """End the call; gives what was heard, at 8 kHz."""
        self.type("/quit\n")
        self._process.wait(PATIENCE_S)
        assert self.heard_file is not None
        samples, rate_hz = soundfile.read(self.heard_file, dtype="int16", always_2d=True)
        return Sound(np.ascontiguousarray(samples[:, 0]), rate_hz).resampled(8000)


def missing_packages() -> list[str]:
    needed = {"sip-tester": "/usr/bin/sipp", "baresip-core": "/usr/bin/baresip"}
    return [package for package, program in needed.items() if not os.access(program, os.X_OK)]
