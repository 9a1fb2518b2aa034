"""How many telephone calls this machine carries at once. Run as root: make phone (or this file).

Needs tcpdump, and root for the raw sockets of it and of sipp. sipp rings at different phases and plays in real time a
caller who says his number and yes. Printed for each number of calls: how many callers were told what they owe; the
delay of answers, from the end of speech to the first sound handed to the line, and how far hearing was behind the
line at worst; frames that left late, by the stack's buffer; lateness of RTP packets on the wire; CPU and memory of the
bot.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import struct
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile
from phone import Phone, open_phone, resident_mb, sipp
from rich.console import Console
from rich.table import Table

from voicebot.audio.sound import FRAME_MS, FRAME_SAMPLES, TELEPHONE_RATE_HZ, Sound
from voicebot.audio.wav import read_wav
from voicebot.operations import logs
from voicebot.settings import Sip

FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures"
PCMA = 8
CALL_MS = 45_000
LOOPBACK = b"\x7f\0\0\1"


def caller(greeting_ms: int, read_back_ms: int) -> Sound:
    """What the caller says: nothing while the bot asks, his number, nothing while it is read back, yes."""
    number, yes = (read_wav(FIXTURES / name) for name in ("number-12-300000000001.wav", "format-48k-float.wav"))
    return Sound.silence(greeting_ms).then(number, Sound.silence(read_back_ms), yes, Sound.silence(3000))


def write_pcap(path: Path, sound: Sound) -> None:
    """A capture of RTP over UDP, IPv4 and Ethernet with `sound` in A-law, as sipp plays it (RFC 3550, RFC 3551)."""
    alaw = path.with_suffix(".raw")
    soundfile.write(alaw, sound.samples, TELEPHONE_RATE_HZ, format="RAW", subtype="ALAW")
    payload = alaw.read_bytes()
    with path.open("wb") as capture:
        capture.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for i in range(len(payload) // FRAME_SAMPLES):
            rtp = struct.pack(">BBHII", 0x80, PCMA, i & 0xFFFF, i * FRAME_SAMPLES, 0x1234)
            rtp += payload[i * FRAME_SAMPLES : (i + 1) * FRAME_SAMPLES]
            udp = struct.pack(">HHHH", 6000, 6000, 8 + len(rtp), 0) + rtp
            ip = struct.pack(
                ">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), i & 0xFFFF, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\1"
            )
            packet = bytes(12) + b"\x08\x00" + ip + udp
            seconds, microseconds = divmod(i * FRAME_MS * 1000, 1_000_000)
            capture.write(struct.pack("<IIII", seconds, microseconds, len(packet), len(packet)) + packet)


def lateness_ms(capture: Path) -> np.ndarray:
    """How much later than by its timestamp each RTP packet of the bot came, against the median of its stream."""
    data = capture.read_bytes()
    streams: dict[tuple[int, int], list[tuple[float, int]]] = defaultdict(list)
    at = 24
    while at + 16 <= len(data):
        seconds, microseconds, size, _ = struct.unpack_from("<IIII", data, at)
        packet = data[at + 16 : at + 16 + size]
        at += 16 + size
        if len(packet) < 54 or packet[42] >> 6 != 2 or packet[43] & 0x7F != PCMA:
            continue
        source, timestamp, ssrc = *struct.unpack_from(">H", packet, 34), *struct.unpack_from(">II", packet, 46)
        streams[source, ssrc].append((seconds + microseconds / 1e6, timestamp))
    late = [np.zeros(0)]
    for packets in streams.values():
        times, stamps = np.array(packets).T
        stamps -= stamps[0]
        behind = times * 1000 - stamps / (TELEPHONE_RATE_HZ / 1000)
        late.append(behind - np.median(behind))
    return np.concatenate(late)


async def carry(phone: Phone, calls: int, rounds: int) -> tuple[str, ...]:
    """Hold `calls` calls at once, each line `rounds` times; gives a row of the table."""
    capture = phone.folder / f"{calls}.pcap"
    ports = "{}-{}".format(*phone.settings.sip.rtp_ports)
    sniffer = await asyncio.create_subprocess_exec(
        *("tcpdump", "-i", "lo", "-s", "60", "-w", str(capture), f"udp and src portrange {ports}"),
        stderr=asyncio.subprocess.DEVNULL,
    )
    phone.ended.clear()
    phone.telephone.worst_lateness_ms = 0.0
    cpu_s, began_s = time.process_time(), time.monotonic()
    rate = ("-r", str(calls), "-rp", str(CALL_MS // 2))
    told = await sipp(phone, "load", "-m", str(calls * rounds), "-l", str(calls), *rate, "-d", str(CALL_MS))
    cpu = (time.process_time() - cpu_s) / (time.monotonic() - began_s)
    await asyncio.sleep(2)
    sniffer.terminate()
    await sniffer.wait()
    records, legs = [record for _, record in phone.ended], [leg for leg, _ in phone.ended]
    delays = [delay for record in records for delay in record.latency_ms] or [0]
    late = lateness_ms(capture)
    capture.unlink()
    return (
        str(calls),
        told,
        f"{sum(record.outcome == 'informed' for record in records)} / {len(records)}",
        f"{np.percentile(delays, 50):.0f} / {np.percentile(delays, 95):.0f} / {max(delays)}",
        f"{max((leg.worst_backlog_ms for leg in legs), default=0)}",
        f"{sum(leg.late_frames for leg in legs)}",
        f"{np.percentile(late, 99):.0f} / {np.percentile(late, 99.9):.0f} / {late.max():.0f}" if len(late) else "-",
        f"{cpu * 100:.0f}",
        f"{resident_mb():.0f}",
    )


async def measure(numbers: list[int], rounds: int) -> None:
    table = Table(
        *("calls at once", "sipp: as planned / not", "informed", "delay p50 / p95 / max ms", "hearing behind ms"),
        *("late frames", "RTP late p99 / p99.9 / max ms", "CPU % of a core, mean", "resident MB"),
    )
    sip = Sip(listen="127.0.0.1:0", answer_after_s=0.2, burst=100_000)
    async with open_phone(sip, most_calls=max(numbers)) as phone:
        write_pcap(phone.folder / "caller.pcap", caller(greeting_ms=13_500, read_back_ms=10_500))
        for calls in numbers:
            row = await carry(phone, calls, rounds)
            table.add_row(*row)
            Console(stderr=True, width=200).print(row)
    Console(width=200).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calls", type=int, nargs="*", default=[1, 10, 20, 40, 60], help="numbers of calls at once")
    parser.add_argument("--rounds", type=int, default=1, help="calls of each line")
    options = parser.parse_args()
    if shutil.which("tcpdump") is None:
        parser.error("tcpdump is missing: apt-get install tcpdump")
    logs.configure(level="error")
    asyncio.run(measure(options.calls, options.rounds))


if __name__ == "__main__":
    main()
