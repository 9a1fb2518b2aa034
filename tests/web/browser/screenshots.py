"""Pictures of the widget in each of its states, on a telephone and on a desk, light and dark. Run: make screenshots."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

from playwright.async_api import Page, async_playwright, expect

from tests.web.browser.conftest import FIXTURES, NUMBER, ROOT, TIMEOUT_MS, chromium, new_bot, open_page
from voicebot.audio.sound import Sound
from voicebot.audio.wav import read_wav, write_wav
from voicebot.billing.demonstration import create_demonstration

WIDTHS = {"telephone": (390, 844), "desk": (1280, 860)}
SCHEMES = ("light", "dark")


class Album:
    """The folder of the pictures."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    async def take(self, page: Page, name: str) -> None:
        """A picture at each width in each scheme."""
        for width, (x, y) in WIDTHS.items():
            await page.set_viewport_size({"width": x, "height": y})
            for scheme in SCHEMES:
                await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                await page.screenshot(path=self.folder / f"{name}-{width}-{scheme}.png", full_page=name == "page")


@asynccontextmanager
async def held_back(page: Page, path: str) -> AsyncIterator[None]:
    """Requests to `path` wait, so that what is shown meanwhile can be seen."""
    go_on = asyncio.Event()

    async def wait(route) -> None:  # type: ignore[no-untyped-def]
        await go_on.wait()
        await route.continue_()

    await page.route(path, wait)
    yield
    go_on.set()


async def picture_a_call(page: Page, album: Album) -> None:
    status, log = page.get_by_role("status"), page.locator("voicebot-call [role=log]")
    await album.take(page, "page")
    await album.take(page, "idle")
    async with held_back(page, "**/webrtc/token"):
        await page.get_by_role("button", name="Започнете разговор").click()
        await expect(status).to_have_text("Свързване…")
        await album.take(page, "connecting")
    await expect(log).to_contain_text("Моля, кажете")
    await album.take(page, "speaking")
    await expect(page.locator("voicebot-call .partial")).to_be_visible()
    await album.take(page, "hearing")
    await expect(log).to_contain_text("Правилно ли е?")
    await expect(status).to_have_text("Слушам Ви")
    await page.get_by_role("button", name="Клавиши").click()
    await album.take(page, "keypad")
    await page.keyboard.press("1")
    await page.get_by_role("button", name="Клавиши").click()
    await expect(log).to_contain_text("Данните са към")
    await album.take(page, "answer")
    await expect(status).to_have_text("Слушам Ви")
    await page.get_by_role("button", name="Изключване на микрофона").click()
    await album.take(page, "muted")
    await page.get_by_role("button", name="Затваряне").click()
    await expect(status).to_have_text("Разговорът приключи")
    await album.take(page, "ended")


async def main() -> None:
    expect.set_options(timeout=TIMEOUT_MS)
    album = Album(ROOT / "build" / "screenshots")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        create_demonstration(folder / "bills.sqlite", date.today())
        bot = new_bot(dict(os.environ), folder, store__url=str(folder / "bills.sqlite"), web__inquiry_url="/inquiry")
        speech = [Sound.silence(17_000, 48_000), read_wav(FIXTURES / f"{NUMBER}.wav"), Sound.silence(90_000)]
        write_wav(folder / "microphone.wav", Sound.silence(20, 48_000).then(*speech))
        bot.start()
        try:
            async with async_playwright() as driver:
                async with chromium(driver, microphone=folder / "microphone.wav") as context:
                    await picture_a_call(await open_page(context, bot.address), album)
                async with chromium(driver) as context:
                    page = await open_page(context, bot.address)
                    await page.get_by_role("button", name="Започнете разговор").click()
                    await expect(page.locator("voicebot-call [role=alert]")).to_contain_text("Няма микрофон")
                    await album.take(page, "problem")
                    page = await open_page(context, f"{bot.address}/?lang=en")
                    await album.take(page, "english")
        finally:
            bot.stop()
    print(f"{len(list(album.folder.glob('*.png')))} pictures in {album.folder}")


if __name__ == "__main__":
    asyncio.run(main())
