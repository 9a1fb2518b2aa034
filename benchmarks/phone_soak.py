"""Sets up and ends calls in random ways and prints what they leave behind. Run: make phone (or this file).

A third of the calls is given up while it rings, the others are ended after 0 to 2 s, some with a key. The first
thousand warms caches and allocators up; growth is counted from there, in tasks, threads, open files and memory.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import threading
import time

from phone import open_files, open_phone, resident_mb, sipp
from rich.console import Console
from rich.table import Table

from voicebot.operations import logs
from voicebot.settings import Sip


async def soak(calls: int, rate: int) -> None:
    table = Table("calls", "seconds", "tasks", "threads", "open files", "resident MB", "as planned / not")
    sip = Sip(listen="127.0.0.1:0", answer_after_s=0.2, burst=100_000, messages_per_s=10_000)
    began_s = time.monotonic()
    async with open_phone(sip, most_calls=60) as phone:
        done, share = 0, max(1, calls // 10)
        while done <= calls:
            options = ("-m", str(share), "-r", str(rate), "-l", "60", "-aa")
            told = await sipp(phone, "soak", *options) if done else "before the first"
            await asyncio.sleep(3)
            gc.collect()
            phone.ended.clear()
            row = (len(asyncio.all_tasks()), threading.active_count(), open_files())
            table.add_row(str(done), f"{time.monotonic() - began_s:.0f}", *map(str, row), f"{resident_mb():.0f}", told)
            Console(stderr=True).print(*row, f"{resident_mb():.0f} MB", told)
            done += share
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=25, help="calls a second")
    options = parser.parse_args()
    logs.configure(level="error")
    asyncio.run(soak(options.calls, options.rate))


if __name__ == "__main__":
    main()
