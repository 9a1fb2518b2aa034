"""The report of a run, in Debian's Chromium and without a network."""

import copy
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.fakes.sound import speechlike
from voicebot.scenarios.page import write_page
from voicebot.scenarios.run import compare, of_calls

BEGAN = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
CALL: dict[str, Any] = {
    "name": "A number is said",
    "place": "tests/scenarios/bill.yaml:5",
    "leg": "wav",
    "line": "a-law",
    "passed": True,
    "failures": [],
    "outcome": "informed",
    "identifier": "••••••••••01",
    "duration_ms": 9000,
    "turns": [
        {"bot": "Здравейте!", "prompts": ["greeting"], "began_ms": 0, "ended_ms": 3000, "interrupted": False},
        {
            "deed": "say number.wav",
            "turn": 1,
            "began_ms": 3300,
            "ended_ms": 6000,
            "says": ["read_back"],
            "text": "",
            "failed": False,
        },
        {
            "heard": "•",
            "digits": "••••••••••01",
            "intent": None,
            "via": "speech",
            "confidence": 0.9,
            "readings": [{"text": "•", "digits": "••••••••••01", "intent": None, "confidence": 0.9}],
            "began_ms": 3400,
            "ended_ms": 5900,
            "delay_ms": 470,
        },
        {"bot": "Чух: •", "prompts": ["read_back"], "began_ms": 6370, "ended_ms": 9000, "interrupted": False},
    ],
}
SHARE = {"hits": 3, "count": 4, "rate": 0.75, "interval": [0.3, 0.95]}
FIGURES = {
    "strings": SHARE,
    "by_voice": {"one": {"strings": SHARE}, "two": {"strings": SHARE}},
    "by_digit": [{"said": "3", **SHARE}],
    "confusion": [{"said": "3", "heard": "4", "count": 1}, {"said": "3", "heard": "3", "count": 3}],
}


def call(name: str, *, fails: bool = False) -> dict[str, Any]:
    made = copy.deepcopy(CALL) | {"name": name, "passed": not fails}
    if fails:
        made["failures"] = [{"turn": 1, "what": 'the prompt "</script>" was to be said'}]
        made["turns"][1]["failed"] = True
    return made


async def opened(path: Path, act: Any) -> None:
    if not shutil.which("chromium"):
        pytest.skip("Chromium is missing: install it as root with sh deploy/test-packages.sh")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=shutil.which("chromium"), headless=True)
        page = await (await browser.new_context(offline=True)).new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(path.as_uri())
        await act(page)
        assert not problems
        await browser.close()


async def test_failures_stand_on_top_and_a_call_opens_with_its_turns_and_plays(tmp_path: Path) -> None:
    run = of_calls([call("Good"), call("Bad", fails=True)], FIGURES, BEGAN, 12.0, "kokoro:jm_kumo")
    path = tmp_path / "report.html"
    write_page(path, run, {i: (speechlike(9000), speechlike(9000)) for i in range(2)})

    async def act(page: Page) -> None:
        await expect(page.get_by_role("heading", level=1)).to_have_text("1 of 2 calls failed")
        failed = page.locator("#failed .call")
        await expect(failed).to_contain_text('Turn 1: the prompt "</script>" was to be said.')
        await failed.get_by_role("button").first.click()
        await expect(failed.locator(".turn")).to_have_count(4)
        await expect(failed.locator(".turn.failed")).to_contain_text("say number.wav")
        await expect(failed).to_contain_text("answered after 470 ms")
        play = failed.get_by_role("button", name="Play Heard")
        await play.click()
        await expect(play).to_have_attribute("aria-pressed", "true")
        await page.wait_for_function("player.currentTime > 3.3 && !player.error")
        await expect(page.locator("#accuracy")).to_contain_text("75.0 %")

    await opened(path, act)


async def test_a_report_of_a_thousand_calls_shows_few_at_a_time_and_is_bounded(tmp_path: Path) -> None:
    run = of_calls([call(f"Call {i}") for i in range(1000)], FIGURES, BEGAN, 12.0, "kokoro:jm_kumo")
    sound = (speechlike(500), speechlike(500))
    path = tmp_path / "report.html"
    write_page(path, run, dict.fromkeys(range(1000), sound), sound_bytes=100_000)
    assert path.stat().st_size < 4_000_000

    async def act(page: Page) -> None:
        await expect(page.locator("#calls .call")).to_have_count(50)
        await page.get_by_role("button", name="20", exact=True).click()
        await expect(page.locator("#calls .call").last).to_contain_text("Call 999")
        await page.get_by_label("Find").fill("call 123")
        await expect(page.locator("#calls .call")).to_have_count(1)

    await opened(path, act)


def test_sound_can_be_left_out(tmp_path: Path) -> None:
    write_page(
        tmp_path / "report.html",
        of_calls([call("Good")], {}, BEGAN, 1.0, "x"),
        {0: (speechlike(500), speechlike(500))},
        sound_bytes=0,
    )
    assert 'id="sound-0"' not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_trend_tells_what_is_broken_and_mended_since() -> None:
    before = of_calls([call("A"), call("B", fails=True), call("C")], FIGURES, BEGAN, 1.0, "x")
    better = {**FIGURES, "strings": {**SHARE, "rate": 1.0}}
    now = of_calls([call("A", fails=True), call("B"), call("D")], better, BEGAN, 1.0, "x")
    trend = compare(now, before)
    assert trend.broken == ["A · wav · a-law"] and trend.mended == ["B · wav · a-law"]
    assert (trend.added, trend.gone) == (1, 1)
    assert ("numbers right, %", 75.0, 100.0, True) in trend.figures
