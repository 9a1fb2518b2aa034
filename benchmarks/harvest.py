"""What somebody learns who tries numbers one after another at the inquiry site, and what the record shows of it.

Runs the site with its real limits over invented bills, and asks from one address (or from several, --addresses) as
quickly as it is answered; delays are counted instead of waited for.
    python benchmarks/harvest.py --numbers 100000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from datetime import date
from pathlib import Path

import httpx2
from fastapi import FastAPI

from voicebot.billing.demonstration import create_demonstration
from voicebot.billing.disclosure import Disclosures
from voicebot.billing.identifier import DEFAULT_SCHEMES
from voicebot.billing.inquiry import Inquiries, InquiryLimits
from voicebot.billing.sql import SqlStore
from voicebot.web.inquiry import create_site

FIRST = 300_000_000_001


async def harvest(folder: Path, numbers: int, addresses: int = 1) -> dict[str, object]:
    """Try `numbers` customer numbers in a row, the first four of which are customers'."""
    create_demonstration(folder / "bills.sqlite", date.today())
    waited = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal waited
        waited += seconds

    inquiries = Inquiries(
        SqlStore(folder / "bills.sqlite"), Disclosures(folder / "audit"), InquiryLimits(), sleep=sleep
    )
    app = FastAPI()
    app.include_router(create_site(inquiries, DEFAULT_SCHEMES))
    clients = [
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app, client=(f"192.0.2.{n}", 1)), base_url="http://site")
        for n in range(addresses)
    ]
    answers: Counter[int] = Counter()
    began = time.monotonic()
    for n in range(numbers):
        answer = await clients[n % addresses].post("/en/bills", data={"identifier": str(FIRST + n)})
        answers[answer.status_code] += 1
    for client in clients:
        await client.aclose()
    record = (folder / "audit" / "disclosures.jsonl").read_text().splitlines()
    lines = [json.loads(line) for line in record]
    return {
        "tried": numbers,
        "addresses": addresses,
        "answers": dict(answers),
        "per_address": inquiries.limits.per_hour,
        "recorded": len(lines),
        "recorded_found": sum(line["found"] for line in lines),
        "recorded_visitors": len({line["visitor"] for line in lines}),
        "numbers_in_the_record": sum(str(FIRST + n) in line for n in range(100) for line in record),
        "delayed_s": round(waited),
        "took_s": round(time.monotonic() - began),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--numbers", type=int, default=2_000)
    parser.add_argument("--addresses", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(harvest(Path(folder), chosen.numbers, chosen.addresses)), indent=1))


if __name__ == "__main__":
    main()
