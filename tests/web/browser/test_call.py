"""Whole calls as a visitor has them: Chromium's microphone speaks, or the keypad on the screen is used."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import Page, Playwright, expect

from tests.ears import SUM, sum_heard
from tests.web.browser.conftest import NUMBER, Bot, chromium, open_page, recording
from voicebot.hearing.vosk_recognizer import VoskRecognizer

pytestmark = pytest.mark.browser
Microphone = Callable[..., Path]


async def heard_sum(page: Page, sums: VoskRecognizer) -> str:
    """What the page heard from the moment at which the debt was captioned, recognised."""
    sound, messages = await recording(page)
    begin_ms = next(at_ms for at_ms, told in messages if "45,30 евро" in str(told.get("text")))
    return sum_heard(sums, sound, begin_ms - 500)


async def test_a_spoken_call(playwright: Playwright, bot: Bot, microphone: Microphone, sums: VoskRecognizer) -> None:
    speech = microphone(4000, NUMBER, 11_000, "yes-right", 60_000)
    async with chromium(playwright, microphone=speech) as context:
        page = await open_page(context, bot.address)
        await page.get_by_role("button", name="Започнете разговор").click()
        captions = page.locator("voicebot-call [role=log]")
        await expect(captions).to_contain_text("Това е справката")
        await expect(captions.locator(".caller").first).to_contain_text("300 000 000 001")
        await expect(captions).to_contain_text("Чух: 300 000 000 001. Правилно ли е?")
        await expect(captions.locator(".caller").nth(1)).to_contain_text("да правилно")
        await expect(captions).to_contain_text("45,30 евро")
        await expect(captions).to_contain_text("Данните са към")
        assert (await heard_sum(page, sums)).endswith(SUM)
        await page.get_by_role("button", name="Затваряне").click()
        await expect(page.get_by_role("status")).to_have_text("Разговорът приключи")
    assert "300000000001" not in bot.log.read_text() and "looked up" in bot.log.read_text()


async def test_a_keyed_call_interrupts_the_greeting(
    playwright: Playwright, bot: Bot, microphone: Microphone, sums: VoskRecognizer
) -> None:
    async with chromium(playwright, microphone=microphone(90_000)) as context:
        page = await open_page(context, bot.address)
        await page.get_by_role("button", name="Започнете разговор").click()
        captions = page.locator("voicebot-call [role=log]")
        await expect(captions).to_contain_text("Това е справката")
        await page.get_by_role("button", name="Клавиши").click()
        for key in "300000000001#":
            await page.get_by_role("button", name=key, exact=True).click()
        await expect(page.locator("voicebot-call .keyed")).to_have_text("Набрано: 300000000001#")
        await expect(captions).to_contain_text("Въведохте: 300 000 000 001.")
        await expect(captions).to_contain_text("45,30 евро")
        await expect(captions).to_contain_text("Данните са към")
        assert "с диез" not in await captions.inner_text(), "the greeting went on behind the keys"
        assert (await heard_sum(page, sums)).endswith(SUM)
        await page.get_by_role("button", name="Затваряне").click()
