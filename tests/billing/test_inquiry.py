import json
import stat
from pathlib import Path

import pytest

from tests.fakes.store import CODE, FakeStore, account, invoice
from voicebot.billing.disclosure import Disclosures, NoDisclosure
from voicebot.billing.identifier import Identifier
from voicebot.billing.inquiry import Inquiries, InquiryLimits, TooManyInquiries
from voicebot.billing.store import StoreUnavailable

KNOWN = Identifier("300000000001", "customer_number")
UNKNOWN = Identifier("300000000009", "customer_number")


class Clock:
    """Time passes only in sleep."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def inquiries(tmp_path: Path, clock: Clock, store: FakeStore | None = None, **limits: float) -> Inquiries:
    return Inquiries(
        store or FakeStore(account("300000000001", invoice("45.30"))),
        Disclosures(tmp_path / "audit"),
        InquiryLimits(**limits),  # type: ignore[arg-type]
        monotonic=clock,
        sleep=clock.sleep,
    )


def recorded(tmp_path: Path) -> list[dict[str, object]]:
    path = tmp_path / "audit" / "disclosures.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_delays_grow_with_misses_up_to_the_longest(tmp_path: Path) -> None:
    clock = Clock()
    site = inquiries(tmp_path, clock, free_misses=2, most_delay_s=5)
    took = []
    for _ in range(7):
        began = clock.now_s
        await site.visit("web", "192.0.2.1").balance(UNKNOWN)
        took.append(round(clock.now_s - began))
    assert took == [0, 0, 1, 2, 4, 5, 5]
    began = clock.now_s
    await site.visit("web", "192.0.2.2").balance(UNKNOWN)
    assert clock.now_s - began < 1


async def test_hits_are_delayed_as_misses_are(tmp_path: Path) -> None:
    clock = Clock()
    site = inquiries(tmp_path, clock, free_misses=1, answer_ms=200)
    await site.visit("web", "x").balance(UNKNOWN)
    took = []
    for number in (KNOWN, KNOWN):
        began = clock.now_s
        await site.visit("web", "x").balance(number)
        took.append(clock.now_s - began)
    assert took == [1, 1]


@pytest.mark.parametrize("seconds", [0.001, 0.05, 0.199, 0.3])
async def test_answers_come_at_a_multiple_of_a_time_however_long_the_books_take(tmp_path: Path, seconds: float) -> None:
    clock = Clock()

    class Slow(FakeStore):
        async def check(self) -> None:
            await clock.sleep(seconds)

    await inquiries(tmp_path, clock, Slow(), answer_ms=200).visit("web", "x").balance(UNKNOWN)
    assert clock.now_s == pytest.approx(0.2 if seconds < 0.2 else 0.4)


async def test_after_many_wrong_codes_the_right_one_gets_the_same_answer(tmp_path: Path) -> None:
    site = inquiries(tmp_path, Clock(), wrong_codes_per_hour=3, per_hour=100)
    assert await site.visit("web", "a").history(KNOWN, CODE) is not None
    for n in range(3):
        assert await site.visit("web", f"robber {n}").history(KNOWN, "ZZZZZZ") is None
    assert await site.visit("web", "b").history(KNOWN, CODE) is None
    assert await site.visit("web", "c").balance(KNOWN) is not None


async def test_call_has_a_limit_of_its_own_and_waits_for_no_round_time(tmp_path: Path) -> None:
    clock = Clock()
    call = inquiries(tmp_path, clock, per_call=2).visit("browser")
    assert await call.balance(KNOWN) is not None and await call.balance(KNOWN) is not None
    assert clock.now_s == 0
    with pytest.raises(TooManyInquiries):
        await call.balance(KNOWN)
    assert [line["channel"] for line in recorded(tmp_path)] == ["browser"] * 2


async def test_caller_is_limited_over_his_calls(tmp_path: Path) -> None:
    site = inquiries(tmp_path, Clock(), per_hour=2)
    for _ in range(2):
        await site.visit("telephone", "+359 2 1").balance(KNOWN)
    with pytest.raises(TooManyInquiries, match="minutes"):
        await site.visit("telephone", "+359 2 1").balance(KNOWN)
    assert await site.visit("telephone", "+359 2 2").balance(KNOWN) is not None


async def test_failing_store_is_neither_recorded_nor_a_miss(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await inquiries(tmp_path, Clock(), FakeStore(failing=True)).visit("web", "x").balance(KNOWN)
    assert not (tmp_path / "audit" / "disclosures.jsonl").exists()


def test_key_is_made_once_for_this_user_alone_and_kept(tmp_path: Path) -> None:
    first = Disclosures(tmp_path / "audit").pseudonym("itn:1000001")
    assert Disclosures(tmp_path / "audit").pseudonym("itn:1000001") == first
    assert Disclosures(tmp_path / "other").pseudonym("itn:1000001") != first
    assert stat.S_IMODE((tmp_path / "audit" / "key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "audit").iterdir()] == ["key"]


def test_short_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(NoDisclosure, match="too short"):
        Disclosures(tmp_path).pseudonym("x")
