"""Debian's baresip as a telephone: it plays sounds, types keys, and records what it hears."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import soundfile

from voicebot.audio.sound import TELEPHONE_RATE_HZ, Sound

_SILENCE_MS = 300_000
"""Behind everything that baresip plays, because it ends a call at the end of a file."""
_PATIENCE_S = 30
"""How long it may take to end."""
_MODULES = ("stdio", "g711", "g722", "opus", "aufile", "sndfile", "srtp", "menu", "account")
_WAVES = {"pcma": (8000, 1), "pcmu": (8000, 1), "G722/16000/1": (16000, 1), "opus/48000/2": (48000, 2)}
"""Rate in Hz and channels of what it plays, by codec: its player does not convert."""


class Baresip:
    """A running baresip. `type` takes what is typed into it, keys and commands alike."""

    def __init__(
        self,
        folder: Path,
        says: Sound | None = None,
        *,
        codec: str = "pcma",
        user: str = "+359888123456",
        transport: str = "udp",
        account: str = "",
    ) -> None:
        """Start it.

        Args:
            folder: of its configuration and sounds, its own; made if it is not there.
            says: what it plays as soon as a call is up; silence when None.
            codec: by baresip's name.
            user: by which it calls.
            transport: of its signalling: udp, tcp or tls.
            account: more parameters of the account, each with its semicolon.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._rate_hz, self._channels = _WAVES[codec]
        self._sounds = 0
        config = [
            "net_interface 127.0.0.1",
            "sip_listen 127.0.0.1:0",
            f"audio_source aufile,{self._sound_file(says or Sound.silence(20))}",
            f"snd_path {folder}",
            "module_path /usr/lib/baresip/modules",
            *(f"module {name}.so" for name in _MODULES),
        ]
        (folder / "config").write_text("\n".join(config) + "\n", encoding="ascii")
        (folder / "contacts").touch()
        (folder / "accounts").write_text(
            f"<sip:{user}@127.0.0.1;transport={transport}>;regint=0;audio_codecs={codec}{account}\n"
        )
        with (folder / "baresip.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["baresip", "-f", folder], stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def output(self) -> str:
        """What it has written so far."""
        return (self._folder / "baresip.log").read_text(errors="replace")

    @property
    def ready(self) -> bool:
        """Whether it takes commands."""
        return "baresip is ready" in self.output

    @property
    def heard_file(self) -> Path | None:
        """Where it records what it hears; None before a call is up."""
        return next(iter(self._folder.glob("dump-*-dec.wav")), None)

    def type(self, text: str) -> None:
        """Type keys, or a command with its newline."""
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def play(self, sound: Sound) -> None:
        """Play a sound now."""
        self.type(f"/ausrc aufile,{self._sound_file(sound)}\n")

    def hang_up(self) -> Sound:
        """End the call and the program; gives what was heard, at 8 kHz."""
        try:
            self.type("/quit\n")
            self._process.wait(_PATIENCE_S)
        except (subprocess.TimeoutExpired, OSError):
            self.kill()
        if self.heard_file is None:
            return Sound.silence(0)
        samples, rate_hz = soundfile.read(self.heard_file, dtype="int16", always_2d=True)
        return Sound(np.ascontiguousarray(samples[:, 0]), rate_hz).resampled(TELEPHONE_RATE_HZ)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def _sound_file(self, sound: Sound) -> Path:
        self._sounds += 1
        path = self._folder / f"says-{self._sounds}.wav"
        samples = sound.then(Sound.silence(_SILENCE_MS, sound.rate_hz)).resampled(self._rate_hz).samples
        soundfile.write(path, np.stack([samples] * self._channels, axis=1), self._rate_hz, subtype="PCM_16")
        return path
