"""axe-core (WCAG 2 A and AA) finds nothing serious in any state, light or dark; and the widget works by keyboard."""

import pytest
from axe_core_python.async_playwright import Axe
from playwright.async_api import Page, Playwright, expect

from tests.web.browser.conftest import Bot, chromium, open_page

pytestmark = pytest.mark.browser


async def serious_problems(page: Page) -> list[str]:
    found = []
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        results = await Axe().run(page)
        found += [
            f"{violation['id']} ({scheme}): {node['html']}"
            for violation in results["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]
    return found


async def test_no_state_has_a_serious_problem(playwright: Playwright, bot: Bot) -> None:
    async with chromium(playwright) as context:
        page = await open_page(context, bot.address)
        assert not await serious_problems(page), "idle"
        await page.get_by_role("button", name="Започнете разговор").click()
        await expect(page.locator("voicebot-call [role=alert]")).to_contain_text("Няма микрофон")
        assert not await serious_problems(page), "without a microphone"
        await page.get_by_role("button", name="Без микрофон, с клавиши").click()
        await expect(page.locator("voicebot-call [role=log]")).to_contain_text("Това е справката")
        await page.keyboard.press("7")
        assert not await serious_problems(page), "in a call"
        await page.get_by_role("button", name="Затваряне").click()
        assert not await serious_problems(page), "ended"
        for path in ("/?lang=en", "/recordings"):
            await page.goto(bot.address + path)
            assert not await serious_problems(page), path


async def test_the_keyboard_alone_is_enough(playwright: Playwright, bot: Bot) -> None:
    async with chromium(playwright) as context:
        page = await open_page(context, bot.address)
        silent = page.get_by_role("button", name="Без микрофон, с клавиши")
        for _ in range(20):
            await page.keyboard.press("Tab")
            if await silent.evaluate("element => element.getRootNode().activeElement === element"):
                break
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Затваряне")).to_be_focused()
        await expect(page.locator("voicebot-call [role=log]")).to_contain_text("Това е справката")
        for key in "300000000001#":
            await page.keyboard.press(key)
        await expect(page.locator("voicebot-call [role=log]")).to_contain_text("45,30 евро")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_have_text("Разговорът приключи")
        await expect(page.get_by_role("button", name="Ново обаждане")).to_be_focused()
