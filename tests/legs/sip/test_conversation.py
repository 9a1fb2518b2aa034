"""Whole calls by Debian's baresip, heard with the ears of the caller."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from tests.ears import SUM, sum_heard
from tests.legs.sip.conftest import FIXTURES
from tests.legs.sip.peers import BaresipPeer, Bot, running_bot
from voicebot.audio.sound import Sound
from voicebot.audio.wav import read_wav
from voicebot.billing.identifier import DEFAULT_SCHEMES
from voicebot.billing.sql import SqlStore
from voicebot.billing.store import Account
from voicebot.dialog.actions import Prompt
from voicebot.dialog.catalogue import Catalogue, Counted
from voicebot.hearing.vosk_recognizer import VoskRecognizer
from voicebot.settings import Settings, Voice
from voicebot.switchboard import open_synthesizer

CATALOGUE = Catalogue.load("bg")
NUMBER = "300000000001"
"""A customer who owes 45.30 EUR."""


class Voicing:
    """How long and how the bot says a prompt."""

    def __init__(self, env: dict[str, str]) -> None:
        self._synthesizer = open_synthesizer(Settings(voice=Voice(cache=Path(env["VOICEBOT_VOICE__CACHE"]))))

    def sounds(self, *prompts: Prompt) -> list[Sound]:
        phrases = [phrase for prompt in prompts for phrase in CATALOGUE.phrases(prompt)]
        spoken = [
            (self._synthesizer.synthesize(p.text, "bg", emphasis=p.emphasis).resampled(8000), p.pause_ms)
            for p in phrases
        ]
        return [sound.then(Sound.silence(pause_ms)) for sound, pause_ms in spoken]

    def duration_ms(self, *prompts: Prompt) -> int:
        return round(sum(sound.duration_ms for sound in self.sounds(*prompts)))


def place_ms(heard: Sound, said: Sound) -> float:
    """Where in `heard` something like `said` begins, by their correlation."""
    heard64, said64 = heard.samples.astype(float), said.resampled(heard.rate_hz).samples.astype(float)
    size = 1 << (len(heard64) + len(said64)).bit_length()
    likeness = np.fft.irfft(np.fft.rfft(heard64, size) * np.conj(np.fft.rfft(said64, size)), size)[: len(heard64)]
    return int(likeness.argmax()) * 1000 / heard.rate_hz


@pytest.fixture(scope="module")
def voicing(phone_env: dict[str, str]) -> Voicing:
    return Voicing(phone_env)


def spoken_call(voicing: Voicing) -> Sound:
    """A caller who lets the bot finish, says his number, and says yes once it was read back."""
    number = DEFAULT_SCHEMES.parse(NUMBER)
    greeting_ms = voicing.duration_ms(Prompt("greeting"), Prompt("ask_number"))
    read_back_ms = voicing.duration_ms(Prompt("read_back", {"number": number}), Prompt("is_it_right"))
    recordings = ("number-12-300000000001.wav", "format-48k-float.wav")
    said, yes = (read_wav(FIXTURES / name).resampled(8000) for name in recordings)
    return Sound.silence(greeting_ms + 2000).then(said, Sound.silence(read_back_ms + 3500), yes)


def sum_told(voicing: Voicing, account: Account) -> Sound:
    slots = {"invoices": Counted(len(account.unpaid), "unpaid_invoice"), "total": account.owed}
    first, *others = voicing.sounds(Prompt("owed_many", slots))
    return first.then(*others)


def account_of(env: dict[str, str], digits: str) -> Account:
    async def find() -> Account:
        store = SqlStore(env["VOICEBOT_STORE__URL"])
        account = await store.find(DEFAULT_SCHEMES.parse(digits))
        await store.close()
        assert account is not None
        return account

    return asyncio.run(find())


@pytest.fixture(scope="module")
def bot(phone_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bot]:
    """A bot that listens at TLS too."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-keyout", folder / "key.pem", "-out", folder / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    certificate = folder / "bot.pem"
    certificate.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    settings = {"SIP__TRANSPORTS": '["udp", "tcp", "tls"]', "SIP__CERTIFICATE": str(certificate)}
    with running_bot(phone_env, folder / "bot", **settings) as running:
        yield running


KINDS = {
    "A-law": {"codec": "pcma"},
    "mu-law": {"codec": "pcmu"},
    "G.722": {"codec": "G722/16000/1"},
    "Opus": {"codec": "opus/48000/2"},
    "TLS-SRTP": {"codec": "pcma", "transport": "tls", "account": ";mediaenc=srtp-mand"},
}


@pytest.fixture(scope="module")
def heard(bot: Bot, voicing: Voicing, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sound]:
    """What each kind of telephone heard; three at a time, because a busy machine starves five of their sound."""
    says, folder = spoken_call(voicing), tmp_path_factory.mktemp("peers")
    secure = f"127.0.0.1:{int(bot.address.rpartition(':')[2]) + 1};transport=tls"
    sounds: dict[str, Sound] = {}
    for kinds in (list(KINDS)[:3], list(KINDS)[3:]):
        with ExitStack() as stack:
            peers = {kind: stack.enter_context(BaresipPeer(folder / kind, says, **KINDS[kind])) for kind in kinds}
            for kind, peer in peers.items():
                peer.dial(f"sip:bot@{secure if 'TLS' in kind else bot.address}")
            looked_up = bot.wait_for("looked up", len(sounds) + len(peers))
            assert all(entry["found"] and entry["identifier"] == "••••••••••01" for entry in looked_up)
            time.sleep(12)
            assert "TLS-SRTP" not in peers or "SRTP is Enabled" in peers["TLS-SRTP"].output
            sounds |= {kind: peer.hang_up() for kind, peer in peers.items()}
    return sounds


@pytest.mark.parametrize("kind", KINDS)
def test_a_caller_says_his_number_and_hears_what_he_owes(
    kind: str, heard: dict[str, Sound], voicing: Voicing, phone_env: dict[str, str], sums: VoskRecognizer
) -> None:
    begin_ms = place_ms(heard[kind], sum_told(voicing, account_of(phone_env, NUMBER)))
    assert sum_heard(sums, heard[kind], begin_ms - 500).endswith(SUM)


@pytest.mark.parametrize("after_s", [0.5, 2.0, 5.0])
def test_a_key_stops_a_prompt_at_any_moment(after_s: float, bot: Bot, tmp_path: Path) -> None:
    answered = len(bot.events("answered"))
    with BaresipPeer(tmp_path) as peer:
        peer.dial(f"sip:bot@{bot.address}")
        bot.wait_for("answered", answered + 1)
        time.sleep(after_s)
        peer.type("3")
        time.sleep(1.5)
        heard = peer.hang_up().samples
    assert np.abs(heard[-8000:]).max() < 200 < np.abs(heard).max()
