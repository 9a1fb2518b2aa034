"""How large the report of many calls is, and how quickly Chromium shows it: calls of a run, over and over.

Run: python benchmarks/report_size.py run.json 1000 (run.json is what `voicebot test --json` writes).
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from playwright.async_api import async_playwright

from voicebot.audio.sound import TELEPHONE_RATE_HZ, Sound
from voicebot.scenarios.page import write_page
from voicebot.scenarios.run import of_calls, read


async def measure(page_file: Path) -> None:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=shutil.which("chromium"), headless=True)
        page = await (await browser.new_context(offline=True)).new_page()
        began_s = time.monotonic()
        await page.goto(page_file.as_uri())
        await page.wait_for_selector("#calls .call")
        print(f"shown after {time.monotonic() - began_s:.2f} s")
        for what, act in (("a call is opened", open_last), ("words are found", find)):
            began_s = time.monotonic()
            await act(page)
            print(f"{what} in {time.monotonic() - began_s:.2f} s")
        heap = await page.evaluate("performance.memory.usedJSHeapSize")
        print(f"JavaScript holds {heap / 1e6:.0f} MB")
        await browser.close()


async def open_last(page) -> None:  # type: ignore[no-untyped-def]
    await page.locator("#calls .call > button").last.click()
    await page.wait_for_selector("#calls canvas")


async def find(page) -> None:  # type: ignore[no-untyped-def]
    await page.get_by_label("Find").fill("goodbye")
    await page.wait_for_function("document.getElementById('count').textContent !== '' && words.size > 0")


def main() -> None:
    source, count = read(Path(sys.argv[1])), int(sys.argv[2])
    calls = [{**call, "name": f"{call['name']} {i}"} for i, call in enumerate(islice(cycle(source["calls"]), count))]
    random = np.random.default_rng(1)
    noise = random.integers(-3000, 3000, TELEPHONE_RATE_HZ * 60, dtype=np.int16)
    sounds = {}
    for i, call in enumerate(calls):
        sound = Sound(noise[: call["duration_ms"] * 8], TELEPHONE_RATE_HZ)
        sounds[i] = (sound, sound)
    run = of_calls(calls, source["figures"], datetime.now(UTC), source["duration_s"], source["voice"])
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "report.html"
        began_s = time.monotonic()
        write_page(path, run, sounds)
        print(f"{count} calls: {path.stat().st_size / 1e6:.1f} MB, written in {time.monotonic() - began_s:.1f} s")
        without = Path(name) / "silent.html"
        write_page(without, run, sounds, sound_bytes=0)
        print(f"without sound: {without.stat().st_size / 1e6:.1f} MB, {len(json.dumps(run)) / 1e6:.1f} MB as JSON")
        asyncio.run(measure(path))


if __name__ == "__main__":
    main()
