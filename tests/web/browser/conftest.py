"""The real bot and Debian's Chromium, whose microphone is a recording; what the page hears is recorded."""

from __future__ import annotations

import base64
import io
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import jwt
import numpy as np
import pytest
from playwright.async_api import BrowserContext, Page, Playwright, async_playwright, expect

from tests.web import pages
from voicebot.audio.sound import Sound
from voicebot.audio.wav import read_wav, write_wav

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "tests" / "fixtures"
NUMBER = "number-12-300000000001"
SECRET = "a secret of at least thirty-two characters"
TIMEOUT_MS = 90_000
FLAGS = [*pages.FLAGS, "--autoplay-policy=no-user-gesture-required"]
RECORD = """
(() => {
  const began = performance.now();
  window.recorded = { chunks: [], marks: [] };
  const Plain = RTCPeerConnection;
  window.RTCPeerConnection = class extends Plain {
    constructor(...options) {
      super(...options);
      this.addEventListener("track", ({ streams }) => {
        const recorder = new MediaRecorder(streams[0]);
        recorder.ondataavailable = ({ data }) => recorded.chunks.push(data);
        recorder.start(500);
        recorded.began = performance.now();
      });
    }
    createDataChannel(...options) {
      const channel = super.createDataChannel(...options);
      channel.addEventListener("message", ({ data }) => recorded.marks.push([performance.now(), data]));
      return channel;
    }
  };
  window.recording = async () => {
    const bytes = new Uint8Array(await new Blob(recorded.chunks).arrayBuffer());
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return [btoa(text), recorded.marks.map(([at, data]) => [at - recorded.began, data])];
  };
})();
"""


@dataclass
class Bot:
    """A running bot."""

    address: str
    env: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        command = [Path(sys.executable).parent / "voicebot", "serve"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self.env, stderr=log)
        for _ in range(1200):
            try:
                self.calls()
                return
            except (urllib.error.URLError, ConnectionError):
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.1)

    def calls(self) -> int:
        """How many calls it holds now."""
        with urllib.request.urlopen(f"{self.address}/ready", timeout=10) as answer:
            return int(json.load(answer)["calls"])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(30)


def new_bot(env: dict[str, str], folder: Path, **settings: str) -> Bot:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    own = {f"VOICEBOT_{name.upper()}": value for name, value in settings.items()}
    own |= {"VOICEBOT_WEB__LISTEN": f"127.0.0.1:{port}", "VOICEBOT_CALLS__DRAIN_S": "0", "VOICEBOT_SIP__LISTEN": ""}
    return Bot(f"http://127.0.0.1:{port}", env | own, folder / f"{port}.log")


class Site(BaseHTTPRequestHandler):
    """Another site with a strict CSP, on which one script tag puts the widget; its own tokens have expired."""

    bot_address = ""

    def do_GET(self) -> None:
        bot = self.bot_address
        csp = f"default-src 'none'; script-src {bot}; style-src {bot}; connect-src 'self' {bot}"
        script = f"{bot}/static/widget.js?{self.path.partition('?')[2]}"
        page = f'<!doctype html><html lang="bg"><body><script type="module" src="{script}"></script>'
        self.answer(page, "text/html", ("Content-Security-Policy", csp))

    def do_POST(self) -> None:
        token = jwt.encode({"aud": "voicebot", "exp": int(time.time()) - 5}, SECRET, "HS256")
        self.answer(json.dumps({"token": token}), "application/json")

    def answer(self, body: str, kind: str, *headers: tuple[str, str]) -> None:
        self.send_response(200)
        for name, value in (("Content-Type", kind), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def site() -> Iterator[int]:
    """The port of another site: as `localhost` the widget may stand on it, as `127.0.0.1` it may not."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="session")
def bot(env: dict[str, str], site: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bot]:
    """The bot that most tests share; what it will say was rendered by the same call from recordings."""
    recordings = [FIXTURES / f"{name}.wav" for name in (NUMBER, "yes-right")]
    subprocess.run([Path(sys.executable).parent / "voicebot", "call", *recordings], env=env, check=True)
    started = new_bot(
        env,
        tmp_path_factory.mktemp("bot"),
        webrtc__most_requests_per_minute="1000",
        webrtc__token_secret=SECRET,
        webrtc__allowed_origins=json.dumps([f"http://localhost:{site}"]),
    )
    Site.bot_address = started.address
    started.start()
    yield started
    started.stop()


@pytest.fixture
async def playwright() -> AsyncIterator[Playwright]:
    if not shutil.which("chromium"):
        pytest.skip("Chromium is missing: install it as root with sh deploy/test-packages.sh")
    expect.set_options(timeout=TIMEOUT_MS)
    async with async_playwright() as driver:
        yield driver


@asynccontextmanager
async def chromium(
    playwright: Playwright, *flags: str, microphone: Path | None = None, **context: object
) -> AsyncIterator[BrowserContext]:
    """A fresh browser; without `microphone` there is none, and asking for it is refused."""
    fake = []
    if microphone is not None:
        fake = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={microphone}%noloop"]
    browser = await playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=[*FLAGS, *fake, *flags], headless=True
    )
    try:
        permissions = ["microphone"] if microphone is not None else []
        made = await browser.new_context(permissions=permissions, locale="bg-BG", **context)  # type: ignore[arg-type]
        made.set_default_timeout(TIMEOUT_MS)
        await made.add_init_script(RECORD)
        yield made
    finally:
        await browser.close()


async def open_page(context: BrowserContext, address: str) -> Page:
    page = await context.new_page()
    await page.goto(address)
    await expect(page.locator("voicebot-call .panel")).to_be_visible()
    return page


async def recording(page: Page) -> tuple[Sound, list[tuple[float, dict[str, object]]]]:
    """What the page heard of its last call at 48 kHz, and the messages with their times in ms of it."""
    encoded, marks = await page.evaluate("recording()")
    pieces = []
    resampler = av.AudioResampler(format="s16", layout="mono", rate=48_000)
    with av.open(io.BytesIO(base64.b64decode(encoded))) as container:
        for frame in container.decode(audio=0):
            pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
    return Sound(np.concatenate(pieces), 48_000), [(at_ms, json.loads(data)) for at_ms, data in marks]


@pytest.fixture
def microphone(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Makes the recording that is spoken: fixtures by name, and silence in ms."""

    def make(*parts: str | int) -> Path:
        sounds = [
            Sound.silence(part, 48_000) if isinstance(part, int) else read_wav(FIXTURES / f"{part}.wav")
            for part in parts
        ]
        path = tmp_path / "microphone.wav"
        write_wav(path, Sound.silence(20, 48_000).then(*sounds))
        return path

    return make
