"""A bot with a telephone in the process of a benchmark, and sipp to ring it."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from voicebot.billing.demonstration import create_demonstration
from voicebot.call import CallRecord
from voicebot.legs.leg import CallLeg
from voicebot.legs.sip import SipLeg, Telephone
from voicebot.settings import Audit, Calls, Inquiry, Settings, Sip, Store
from voicebot.switchboard import Switchboard, open_services

SCENARIOS = Path(__file__).parent / "sipp"


@dataclass
class Phone:
    """The bot that is measured."""

    telephone: Telephone
    settings: Settings
    folder: Path
    ended: list[tuple[SipLeg, CallRecord]] = field(default_factory=list)
    """Calls that are over."""


@asynccontextmanager
async def open_phone(sip: Sip, most_calls: int) -> AsyncIterator[Phone]:
    """A bot with demonstration bills and the user's own phrase cache."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        create_demonstration(folder / "bills.sqlite", date.today())
        settings = Settings(
            sip=sip,
            store=Store(url=str(folder / "bills.sqlite")),
            audit=Audit(folder=folder / "audit"),
            inquiry=Inquiry(per_hour=1_000_000, free_misses=1_000_000),  # all calls come from one caller
            calls=Calls(most=most_calls),
        )
        async with open_services(settings) as services:
            switchboard = Switchboard(services, most_calls)
            ended: list[tuple[SipLeg, CallRecord]] = []

            @contextmanager
            def admit() -> Iterator[Callable[[CallLeg], Awaitable[object]]]:
                with switchboard.admit() as hold:

                    async def held(leg: CallLeg) -> None:
                        record = await hold(leg)
                        assert isinstance(leg, SipLeg)
                        ended.append((leg, record))

                    yield held

            async with Telephone.open(settings.sip, admit) as telephone:
                yield Phone(telephone, settings, folder, ended)
                await telephone.drain(60)


async def sipp(phone: Phone, scenario: str, *options: str) -> str:
    """Ring the phone by a scenario; gives how many calls went as it says, and how many did not, by sipp's count."""
    process = await asyncio.create_subprocess_exec(
        *("sipp", phone.telephone.address, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", "127.0.0.1", "-nostdin"),
        *options,
        cwd=phone.folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output = (await process.communicate())[0].decode(errors="replace")
    counts = [line for line in output.splitlines() if "Successful call" in line or "Failed call" in line]
    return " / ".join(line.rpartition("|")[2].strip() for line in counts[-2:])


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))
