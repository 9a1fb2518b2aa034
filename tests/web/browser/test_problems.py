"""What goes wrong in a visitor's call: each with what the visitor reads, and nothing is left in the bot."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, Playwright, expect

from tests.web.browser.conftest import Bot, chromium, new_bot, open_page

pytestmark = pytest.mark.browser


async def call_without_microphone(page: Page) -> None:
    await page.get_by_role("button", name="Без микрофон, с клавиши").click()
    await expect(page.locator("voicebot-call [role=log]")).to_contain_text("Това е справката")


async def reads(page: Page, title: str) -> None:
    await expect(page.locator("voicebot-call [role=alert]")).to_contain_text(title)
    await expect(page.get_by_role("button", name="Опитайте отново")).to_be_focused()


async def until_idle(bot: Bot) -> None:
    async with asyncio.timeout(90):
        while await asyncio.to_thread(bot.calls):  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def site_page(context: BrowserContext, address: str) -> Page:
    page = await context.new_page()
    await page.goto(address)
    await page.get_by_role("button", name="Проверете сметката си с глас").click()
    return page


async def test_one_script_tag_puts_a_working_button_on_another_site(
    playwright: Playwright, bot: Bot, site: int
) -> None:
    async with chromium(playwright) as context:
        page = await site_page(context, f"http://localhost:{site}")
        await call_without_microphone(page)
        await expect(page.get_by_role("status")).to_have_text("Ботът говори")
        await page.get_by_role("button", name="Затваряне").click()
        await expect(page.get_by_role("status")).to_have_text("Разговорът приключи")
    await until_idle(bot)


async def test_a_site_that_is_not_allowed(playwright: Playwright, bot: Bot, site: int) -> None:
    async with chromium(playwright) as context:
        page = await site_page(context, f"http://127.0.0.1:{site}")
        await page.get_by_role("button", name="Без микрофон, с клавиши").click()
        await reads(page, "Обаждането от този сайт не е разрешено")


async def test_an_expired_token(playwright: Playwright, bot: Bot, site: int) -> None:
    async with chromium(playwright) as context:
        page = await site_page(context, f"http://localhost:{site}/?token-url=/token")
        await page.get_by_role("button", name="Без микрофон, с клавиши").click()
        await reads(page, "Времето за връзка изтече")


@pytest.mark.parametrize(
    "flags, error, title",
    [
        ([], None, "Няма микрофон"),
        (["--use-fake-device-for-media-stream", "--deny-permission-prompts"], None, "Микрофонът не е разрешен"),
        ([], "NotReadableError", "Микрофонът е зает"),
    ],
)
async def test_a_microphone_that_cannot_be_used(
    playwright: Playwright, bot: Bot, flags: list[str], error: str | None, title: str
) -> None:
    """No device and a refusal are Chromium's own; a busy device cannot be had without one, so its error is made."""
    async with chromium(playwright, *flags) as context:
        if error:
            await context.add_init_script(
                f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('', '{error}'); }}"
            )
        page = await open_page(context, bot.address)
        await page.get_by_role("button", name="Започнете разговор").click()
        await reads(page, title)
        await call_without_microphone(page)
        await page.get_by_role("button", name="Затваряне").click()
        await until_idle(bot)


async def test_two_tabs_hold_two_calls_and_closing_them_ends_both(playwright: Playwright, bot: Bot) -> None:
    async with chromium(playwright) as context:
        pages = [await open_page(context, bot.address) for _ in range(2)]
        for page in pages:
            await call_without_microphone(page)
        assert bot.calls() == 2
        await pages[0].keyboard.press("1")
        await expect(pages[0].locator("voicebot-call .keyed")).to_have_text("Набрано: 1")
        await expect(pages[1].locator("voicebot-call .keyed")).to_have_text("")
        for page in pages:
            await page.close()
        await until_idle(bot)


async def test_tabs_closed_in_mid_sentence_leave_nothing_in_the_bot(playwright: Playwright, bot: Bot) -> None:
    proc = Path(f"/proc/{bot.process.pid}")
    files: list[int] = []
    threads: list[int] = []
    async with chromium(playwright) as context:
        for _ in range(6):
            page = await open_page(context, bot.address)
            await call_without_microphone(page)
            await page.close()
            await until_idle(bot)
            await asyncio.sleep(1)
            files.append(len(os.listdir(proc / "fd")))
            threads.append(len(os.listdir(proc / "task")))
    # A call has a socket for each address of this machine, a page one; the pools of threads may not be full yet.
    kept_by_five_calls, begun_by_four = files[-1] - files[0], threads[-1] - threads[1]
    assert kept_by_five_calls < 5 and begun_by_four < 4, (files, threads)


async def test_a_bot_that_restarts_in_mid_call(
    playwright: Playwright, env: dict[str, str], bot: Bot, tmp_path: Path
) -> None:
    own = new_bot(env, tmp_path)
    own.start()
    async with chromium(playwright) as context:
        page = await open_page(context, own.address)
        await call_without_microphone(page)
        own.stop(signal.SIGTERM)
        await reads(page, "Услугата се обновява")
        await page.get_by_role("button", name="Без микрофон, с клавиши").click()
        await reads(page, "Няма връзка")
        own.start()
        await call_without_microphone(page)
        own.stop(signal.SIGKILL)
        await reads(page, "Връзката прекъсна")
    assert "Traceback" not in own.log.read_text()
