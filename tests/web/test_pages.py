"""The inquiry in Chromium, with and without JavaScript, as visitors use it; axe-core looks at every page.

`VOICEBOT_SCREENSHOTS=FOLDER` keeps pictures.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.web.conftest import MakeApp
from tests.web.pages import CHROMIUM, chromium, served

pytestmark = pytest.mark.browser
PICTURES = os.environ.get("VOICEBOT_SCREENSHOTS")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.fail("Chromium is missing. Install it as root: apt-get install chromium")
    with chromium() as running:
        yield running


class Visitor:
    """Goes from page to page and looks at each."""

    def __init__(self, page: Page, name: str, *, look: bool) -> None:
        self.page = page
        self.name = name
        self._look = look
        self._complaints: list[str] = []
        page.on("console", lambda message: self._complaints.append(message.text))
        page.on("pageerror", lambda error: self._complaints.append(str(error)))

    def follow(self, selector: str) -> None:
        """Presses what leads to another page and waits until it is there whole."""
        with self.page.expect_navigation(wait_until="load"):
            self.page.click(selector)

    def see(self, where: str) -> str:
        """Everything that the page says; axe-core and the console have nothing to say."""
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{where} is too wide"
        if self._look:
            found = Axe().run(self.page)["violations"]
            assert found == [], [(each["id"], each["nodes"][0]["html"]) for each in found]
        if PICTURES:
            self.page.screenshot(path=f"{PICTURES}/{self.name}-{where}.png", full_page=True)
        assert [text for text in self._complaints if "status of 40" not in text] == []
        return self.page.inner_text("body")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("wide", {"viewport": {"width": 1280, "height": 900}}),
        ("phone-dark", {"viewport": {"width": 390, "height": 800}, "color_scheme": "dark"}),
        ("plain", {"viewport": {"width": 1024, "height": 800}, "java_script_enabled": False}),
    ],
)
def test_a_visitor_finds_what_is_owed_and_all_bills(
    browser: Browser, make_app: MakeApp, name: str, options: dict[str, object]
) -> None:
    scripted = options.get("java_script_enabled", True)
    with served(make_app()) as address:
        page = browser.new_page(locale="bg-BG", **options)  # type: ignore[arg-type]
        # Without JavaScript of the page nothing can be evaluated in it either.
        visitor = Visitor(page, name, look=True) if scripted else Unscripted(page, name)
        page.goto(f"{address}/bills")
        assert "Справка за сметки" in visitor.see("start")
        page.fill("#number", "300000000009")
        visitor.follow("main button")
        assert "Няма такъв номер" in visitor.see("not-found")
        page.fill("#number", "300 000 000 001")
        visitor.follow("main button")
        assert "45,30 €" in visitor.see("balance").replace("\xa0", " ")
        page.fill("#code", "demo01")
        visitor.follow("main button:has-text('Покажи')")
        assert "2004" in visitor.see("invoices")
        visitor.follow("nav.years >> text=2025")
        assert "kWh" in visitor.see("invoices-2025")
        assert page.is_visible("button[data-print]") is bool(scripted)
        visitor.follow("tbody a >> nth=0")
        assert "Платима до" in visitor.see("invoice")
        visitor.follow("nav.tabs >> text=Плащания")
        visitor.follow("nav.years >> text=2004")
        assert "лв." in visitor.see("payments-2004")
        visitor.follow("text=English")
        assert page.url.endswith("/en/bills/payments?year=2004") and "Payments 2004" in visitor.see("payments-en")
        with page.expect_download() as download:
            page.click("text=Download CSV")
        assert download.value.suggested_filename == "payments-2004.csv"
        visitor.follow("text=Log out")
        page.goto(f"{address}/en/bills/invoices")
        assert "Enter the number and the code again" in visitor.see("expired")
        page.fill("#number", "1000003")
        visitor.follow("main button")
        assert "supply may be cut off" in visitor.see("cut-off")
        page.close()


class Unscripted(Visitor):
    """Has JavaScript off."""

    def __init__(self, page: Page, name: str) -> None:
        super().__init__(page, name, look=False)

    def see(self, where: str) -> str:
        if PICTURES:
            self.page.screenshot(path=f"{PICTURES}/{self.name}-{where}.png", full_page=True)
        return self.page.inner_text("body")
