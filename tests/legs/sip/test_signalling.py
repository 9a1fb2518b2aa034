"""Calls by sipp: each scenario is a file in scenarios/."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.legs.sip.peers import BIN, PATIENCE_S, SCENARIOS, Bot, free_port, running_bot, sipp


@pytest.mark.parametrize(
    "scenario", ["basic", "cancel", "hold", "late_offer", "info", "malformed", "no_codec", "options", "transfer_failed"]
)
def test_a_call_goes_as_the_scenario_says(scenario: str, bot: Bot, tmp_path: Path) -> None:
    sipp(scenario, bot.address, tmp_path)


def test_a_caller_who_gives_up_while_it_rings_is_not_greeted(bot: Bot, tmp_path: Path) -> None:
    answered = len(bot.events("answered"))
    sipp("cancel", bot.address, tmp_path)
    sipp("options", bot.address, tmp_path)
    assert len(bot.events("answered")) == answered


@pytest.mark.skipif(os.geteuid() != 0, reason="sipp sends captures from a raw socket: run as root")
def test_keys_by_rfc_4733_count_once_each_and_find_the_customer(bot: Bot, tmp_path: Path) -> None:
    before = len(bot.events("looked up"))
    sipp("keys", bot.address, tmp_path)
    looked_up = bot.wait_for("looked up", before + 1)
    assert looked_up[-1]["identifier"] == "••••••••••01" and looked_up[-1]["found"]
    assert bot.events("keys")[-1]["count"] == 12


@pytest.mark.skipif(os.geteuid() != 0, reason="sipp sends captures from a raw socket: run as root")
def test_keys_that_are_told_by_both_ways_at_once_count_once_each(bot: Bot, tmp_path: Path) -> None:
    before = len(bot.events("looked up"))
    sipp("keys_twice", bot.address, tmp_path)
    assert bot.wait_for("looked up", before + 1)[-1]["found"]
    assert bot.events("keys")[-1]["count"] == 7


def test_keys_by_info_count_once_each(bot: Bot, tmp_path: Path) -> None:
    before = len(bot.events("looked up"))
    sipp("info", bot.address, tmp_path)
    assert bot.wait_for("looked up", before + 1)[-1]["found"]
    assert bot.events("keys")[-1]["count"] == 7


def test_the_operator_takes_the_caller_over(bot: Bot, tmp_path: Path) -> None:
    sipp("transfer", bot.address, tmp_path)
    assert bot.wait_for("ended")[-1]["outcome"] == "transferred"


def test_over_tcp(bot: Bot, tmp_path: Path) -> None:
    sipp("basic", bot.address, tmp_path, "-t", "t1")


def test_over_ipv6(phone_env: dict[str, str], tmp_path: Path) -> None:
    with running_bot(phone_env, tmp_path, host="[::1]") as bot:
        sipp("basic", bot.address, tmp_path)
        assert bot.wait_for("ended")


def test_a_telephone_that_vanishes_is_hung_up_on(phone_env: dict[str, str], tmp_path: Path) -> None:
    with running_bot(phone_env, tmp_path, SIP__RTP_TIMEOUT_S="2") as bot:
        sipp("silent", bot.address, tmp_path)
        bot.wait_for("ended")


def test_of_200_calls_at_once_each_is_answered_or_refused(phone_env: dict[str, str], tmp_path: Path) -> None:
    with running_bot(phone_env, tmp_path, CALLS__MOST="10") as bot:
        sipp("burst", bot.address, tmp_path, calls=200, rate=100)
        refused = len(bot.wait_for("call failed"))
        wait_for_ends(bot, 200 - refused)
        assert 0 < refused < 200 and all("lines are busy" in entry["reason"] for entry in bot.events("call failed"))
        sipp("basic", bot.address, tmp_path)


def wait_for_ends(bot: Bot, count: int) -> None:
    assert len(bot.wait_for("ended", count)) == count


def test_told_to_stop_it_refuses_new_calls_and_lets_the_running_one_end(
    phone_env: dict[str, str], tmp_path: Path
) -> None:
    with running_bot(phone_env, tmp_path / "bot") as bot:
        running = subprocess.Popen(
            [
                "sipp",
                bot.address,
                "-sf",
                SCENARIOS / "basic.xml",
                "-i",
                "127.0.0.1",
                "-m",
                "1",
                "-d",
                "6000",
                "-nostdin",
            ],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
        )
        bot.wait_for("answered")
        bot.process.send_signal(signal.SIGTERM)
        bot.wait_for("draining")
        sipp("refused", bot.address, tmp_path)
        assert running.wait(PATIENCE_S) == 0
        assert bot.process.wait(PATIENCE_S) == 0
        assert len(bot.events("ended")) == 1


def test_a_call_that_outlives_the_limit_of_draining_is_ended_by_the_bot(
    phone_env: dict[str, str], tmp_path: Path
) -> None:
    with running_bot(phone_env, tmp_path / "bot", CALLS__DRAIN_S="1") as bot:
        running = subprocess.Popen(
            ["sipp", bot.address, "-sf", SCENARIOS / "silent.xml", "-i", "127.0.0.1", "-m", "1", "-nostdin"],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
        )
        bot.wait_for("answered")
        assert bot.stop() == 0
        assert running.wait(PATIENCE_S) == 0


def test_a_port_that_is_taken_is_told_in_one_sentence(env: dict[str, str]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{door.getsockname()[1]}"
        done = subprocess.run(
            [BIN, "serve"],
            env=env | {"VOICEBOT_SIP__LISTEN": address, "VOICEBOT_WEB__LISTEN": "127.0.0.1:0"},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 1 and f"The SIP address {address} cannot be used" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_callers_are_masked_in_the_log(bot: Bot, tmp_path: Path) -> None:
    sipp("basic", bot.address, tmp_path)
    bot.wait_for("line")
    assert "88812345" not in str(bot.log) and bot.events("line")[-1]["caller"].startswith("sip:••••")


def test_a_trunk_is_registered_with_by_digest(phone_env: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    registrar = subprocess.Popen(
        [*("sipp", "-sf", SCENARIOS / "registrar.xml", "-i", "127.0.0.1", "-p", str(port), "-m", "1", "-nostdin")],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    account = {"user": "bot", "auth_user": "bot-user", "password": "secret", "domain": f"127.0.0.1:{port}"}
    with running_bot(phone_env, tmp_path / "bot", SIP__ACCOUNTS=json.dumps([account])) as bot:
        bot.wait_for("registered")
        assert "secret" not in str(bot.log)
        assert registrar.wait(PATIENCE_S) == 0
