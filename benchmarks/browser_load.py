"""Calls from browsers at once: delay of each answer, processor time and memory per call. Run: make browser-load.

The bot runs as its own process and is the one that is measured; the visitors run in two others. Each speaks a number
and a yes, each once the bot has asked, and hangs up when it has heard the bill. The delay goes from the last frame
of speech that a visitor sent to the first audible frame of the answer that came back, so it holds the network and both
jitter buffers, and the silence that ends a turn. "Stolen" is the part of the machine's time that its host gave away.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path

import httpx2
import uvloop
from rich.console import Console
from rich.table import Table

from voicebot.audio.wav import read_wav
from voicebot.billing.demonstration import create_demonstration
from voicebot.scenarios.visitor import Visitor

FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures"
SPOKEN = [read_wav(FIXTURES / f"{name}.wav") for name in ("number-12-300000000001", "yes-right")]
SPREAD_S = 10.0
"""The calls begin within this time, as callers do, not in one instant."""
PROCESSES = 2
ADDRESS = "http://127.0.0.1:18080"
COSTS = ("bot: CPU % of a core", "CPU s a call", "MB a call", "stolen %")
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def machine_s() -> tuple[float, float]:
    """Time of all cores since the machine started, and the part of it that its host gave to others."""
    times = [int(field) / TICKS for field in Path("/proc/stat").read_text().split()[1:9]]
    return sum(times), times[7]


async def visit(number: int, begins_s: float) -> Visitor:
    """One visitor's call, from an address of his own: answers to many calls of one address are delayed."""
    await asyncio.sleep(begins_s)
    visitor = Visitor(SPOKEN)
    address = {"X-Forwarded-For": f"192.0.2.{number}"}
    async with (
        httpx2.AsyncClient(base_url=ADDRESS, timeout=60, headers=address) as http,
        asyncio.TaskGroup() as tasks,
    ):
        listening = tasks.create_task(visitor.listen())
        try:
            await visitor.ring(http)
            await visitor.until(lambda: "Данните са към" in " ".join(visitor.captions("bot")), timeout_s=120)
        except TimeoutError:
            pass
        finally:
            listening.cancel()
            await visitor.close()
    return visitor


def visit_all(numbers: range, calls: int) -> list[tuple[list[float], bool]]:
    """In a process of its own: for each visitor the delays of the two answers, and whether it was told the debt."""

    async def run() -> list[Visitor]:
        return await asyncio.gather(*(visit(number, SPREAD_S * number / calls) for number in numbers))

    return [(v.delays_s[:2], "45,30 евро" in " ".join(v.captions("bot"))) for v in uvloop.run(run())]


async def measure(pool: ProcessPoolExecutor, pid: int, calls: int) -> list[str]:
    before_mb, before_s, began_s = memory_mb(pid), cpu_s(pid), time.monotonic()
    peak_mb, (total_s, stolen_s) = before_mb, machine_s()
    loop = asyncio.get_running_loop()
    running = [loop.run_in_executor(pool, visit_all, range(i, calls, PROCESSES), calls) for i in range(PROCESSES)]
    while not all(visits.done() for visits in running):
        await asyncio.wait(running, timeout=1)
        peak_mb = max(peak_mb, memory_mb(pid))
    visitors = [visitor for visits in running for visitor in visits.result()]
    passed_s, busy_s = time.monotonic() - began_s, cpu_s(pid) - before_s
    total_s, stolen_s = (after - before for after, before in zip(machine_s(), (total_s, stolen_s), strict=True))
    delays_s = sorted(delay for delays, _ in visitors for delay in delays)
    return [
        str(calls),
        f"{sum(informed for _, informed in visitors)} of {calls}",
        str(len(delays_s)),
        f"{statistics.median(delays_s) * 1000:.0f}",
        f"{delays_s[-(len(delays_s) // 20) - 1] * 1000:.0f}",
        f"{100 * busy_s / passed_s:.0f}",
        f"{busy_s / calls:.1f}",
        f"{(peak_mb - before_mb) / calls:.1f}",
        f"{100 * stolen_s / total_s:.1f}",
    ]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("calls", nargs="*", type=int, default=[1, 5, 10, 20], help="how many calls at once")
    numbers = parser.parse_args().calls
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        create_demonstration(folder / "bills.sqlite", date.today())
        own = {
            "VOICEBOT_STORE__URL": str(folder / "bills.sqlite"),
            "VOICEBOT_WEB__LISTEN": ADDRESS.removeprefix("http://"),
            "VOICEBOT_CALLS__MOST": str(max(numbers)),
            "VOICEBOT_CALLS__DRAIN_S": "0",
            "VOICEBOT_WEB__TRUSTED_PROXIES": "127.0.0.1",
            "VOICEBOT_LOGS__LEVEL": "error",
            "VOICEBOT_VOICE__REHEARSE": "false",
            "VOICEBOT_SIP__LISTEN": "",
            "VOICEBOT_AUDIT__FOLDER": str(folder / "audit"),
            "VOICEBOT_INQUIRY__PER_HOUR": "1000000",
        }
        command = Path(sys.executable).parent / "voicebot"
        bot = await asyncio.create_subprocess_exec(command, "serve", env=os.environ | own)
        try:
            async with httpx2.AsyncClient(base_url=ADDRESS, timeout=60) as http:
                for _ in range(600):
                    try:
                        (await http.get("/ready")).raise_for_status()
                        break
                    except httpx2.TransportError:
                        await asyncio.sleep(0.1)
            with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
                await measure(pool, bot.pid, 2)  # fills the phrase cache
                table = Table("calls", "told the bill", "answers", "p50 ms", "p95 ms", *COSTS)
                for calls in numbers:
                    table.add_row(*await measure(pool, bot.pid, calls))
            console.print(table)
        finally:
            bot.terminate()
            await bot.wait()


if __name__ == "__main__":
    asyncio.run(main())
