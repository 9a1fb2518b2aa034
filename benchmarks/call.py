"""Delays, recognition speed and memory of whole calls from the fixtures. Run: make bench (or this file).

Prints for each call the delay from the end of speech to the first sound of the answer, with an empty phrase cache and
with a filled one; the real-time factor of recognition; the peak memory of the process. The delay has two parts: the
end-of-turn timer, which is waited on the line, and the work, which depends on the machine; both are given.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table

from voicebot.audio.sound import TELEPHONE_RATE_HZ
from voicebot.audio.wav import read_wav
from voicebot.billing.demonstration import create_demonstration
from voicebot.call import Call, CallRecord
from voicebot.hearing.recognizer import recognize
from voicebot.hearing.vosk_recognizer import VoskRecognizer
from voicebot.legs.wav import WavLeg
from voicebot.operations import logs
from voicebot.settings import Settings, Store, Voice
from voicebot.switchboard import open_services

FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures"
NUMBERS = [
    "number-12-300000000001",
    "number-12-300000000002",
    "number-12-300000000003",
    "number-12-300000000004",
    "number-7-1000001",
]
console = Console()


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def real_time_factor(recognizer: VoskRecognizer) -> float:
    """Seconds of work for a second of sound, over all number fixtures, on one thread."""
    sounds = [read_wav(FIXTURES / f"{name}.wav").resampled(TELEPHONE_RATE_HZ) for name in NUMBERS]
    began_s = time.process_time()
    for sound in sounds:
        recognize(recognizer, sound, "identifier")
    return (time.process_time() - began_s) * 1000 / sum(sound.duration_ms for sound in sounds)


async def hold_calls(settings: Settings) -> list[CallRecord]:
    records = []
    async with open_services(settings) as services:
        for name in NUMBERS:
            leg = WavLeg([read_wav(FIXTURES / f"{name}.wav"), read_wav(FIXTURES / "yes.wav")])
            records.append(await Call(leg, services).run())
    return records


def main() -> None:
    logs.configure(level="error")
    began_s = time.perf_counter()
    recognizer = VoskRecognizer(Settings().recognition.model)
    recognizer.load()
    console.print(f"models loaded in {time.perf_counter() - began_s:.2f} s, peak memory {memory_mb():.0f} MB")
    console.print(f"recognition: real-time factor {real_time_factor(recognizer):.3f} on one core")
    with tempfile.TemporaryDirectory() as folder:
        create_demonstration(Path(folder) / "bills.sqlite", date.today())
        settings = Settings(
            store=Store(url=str(Path(folder) / "bills.sqlite")), voice=Voice(cache=Path(folder) / "phrases")
        )
        table = Table("phrase cache", "calls", "informed", "delay p50 ms", "delay max ms", "delays ms")
        for state in ("cold", "warm"):
            records = asyncio.run(hold_calls(settings))
            delays = [delay for record in records for delay in record.latency_ms]
            informed = sum(record.outcome == "informed" for record in records)
            table.add_row(
                state,
                str(len(records)),
                str(informed),
                f"{statistics.median(delays):.0f}",
                str(max(delays)),
                " ".join(map(str, delays)),
            )
    console.print(table)
    console.print(
        f"of each delay the end-of-turn timer is {settings.timers.final_ms} ms behind a yes or the longest number and "
        f"{settings.timers.extendable_ms} ms behind one that could go on; peak memory {memory_mb():.0f} MB"
    )


if __name__ == "__main__":
    main()
