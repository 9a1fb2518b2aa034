"""Answers to visitors of every channel: limited, so that nobody harvests numbers, and recorded.

A number that nobody has and a code that is not its get the same answer, in the same time. Limits are kept in memory,
so each process has its own.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from limits import RateLimitItemPerHour
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from voicebot.billing.disclosure import Disclosures
from voicebot.billing.identifier import Identifier
from voicebot.billing.store import Account, BillingStore, History, StoreUnavailable
from voicebot.errors import VoicebotError

T = TypeVar("T")

CONVERSATIONS = frozenset(("telephone", "browser", "recordings"))
"""Channels in which somebody talks to the bot: answers are limited by the call, and their timing is not evened out."""

_MANY = RateLimitItemPerHour(1_000_000)
"""Counts and never refuses."""


class TooManyInquiries(VoicebotError):
    """A visitor who has asked more than anybody needs to."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many inquiries: try again in {math.ceil(retry_after_s / 60)} minutes.")
        self.retry_after_s = retry_after_s
        """When one more is allowed."""


@dataclass(frozen=True, slots=True)
class InquiryLimits:
    """How much a visitor may ask."""

    per_hour: int = 60
    """Inquiries of one address or caller."""
    per_call: int = 10
    """Inquiries in one call."""
    free_misses: int = 3
    """Misses of a visitor in an hour after which answers are delayed: by 1 s, 2 s, 4 s and so on."""
    most_delay_s: float = 8.0
    """Longest of these delays."""
    wrong_codes_per_hour: int = 10
    """Wrong codes for one number, whoever tries them, after which the right one gets no other answer."""
    answer_ms: int = 200
    """Answers on the web come after a multiple of this time."""


class Inquiries:
    """The one door to the bills for everybody who is not the utility."""

    def __init__(
        self,
        store: BillingStore,
        disclosures: Disclosures,
        limits: InquiryLimits = InquiryLimits(),
        *,
        timeout_s: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Build it around a store.

        Args:
            store: where the bills are.
            disclosures: where answers are recorded.
            limits: how much a visitor may ask.
            timeout_s: how long the store may take.
            monotonic: a clock in s.
            sleep: waits some s.
        """
        self.store = store
        """Where the bills are, without limits."""
        self.disclosures = disclosures
        """Where answers are recorded."""
        self.limits = limits
        """How much a visitor may ask."""
        self._timeout_s = timeout_s
        self._monotonic = monotonic
        self._sleep = sleep
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def visit(self, channel: str, visitor: str = "", *, per_hour: int | None = None) -> Visit:
        """What one visitor does on the web, or in one call.

        Args:
            channel: "web", "api", "telephone", "browser", "recordings" or "command".
            visitor: who it is: an address, a caller, the name of a key; "" where that is unknown.
            per_hour: another limit than that of `limits`.
        """
        return Visit(self, channel, visitor, per_hour or self.limits.per_hour)

    async def _admit(self, visitor: str, per_hour: int) -> None:
        item = RateLimitItemPerHour(per_hour)
        if not await self._limiter.hit(item, "visitor", visitor):
            window = await self._limiter.get_window_stats(item, "visitor", visitor)
            raise TooManyInquiries(max(1, math.ceil(window.reset_time - time.time())))

    async def _count(self, *of: str) -> int:
        return _MANY.amount - (await self._limiter.get_window_stats(_MANY, *of)).remaining

    async def _note(self, *of: str) -> None:
        await self._limiter.hit(_MANY, *of)


class Visit:
    """One visitor's inquiries; each raises `TooManyInquiries`, `StoreUnavailable` or `NoDisclosure`."""

    def __init__(self, inquiries: Inquiries, channel: str, visitor: str, per_hour: int) -> None:
        self._of = inquiries
        self._channel = channel
        self._visitor = f"{channel}:{visitor}" if visitor else ""
        self._per_hour = per_hour
        self._asked = 0

    async def balance(self, identifier: Identifier) -> Account | None:
        """What is owed under a number; None when nobody has it."""
        return await self._answer("balance", identifier, lambda: self._of.store.find(identifier))

    async def history(self, identifier: Identifier, code: str) -> History | None:
        """All bills; None alike for a number that nobody has, a wrong code and too many wrong ones."""
        number = "codes", self._of.disclosures.pseudonym(f"{identifier.scheme}:{identifier.reveal()}")

        async def ask() -> History | None:
            found = await self._of.store.history(identifier, code)
            if await self._of._count(*number) >= self._of.limits.wrong_codes_per_hour:
                return None
            if found is None:
                await self._of._note(*number)
            return found

        return await self._answer("history", identifier, ask)

    async def history_again(self, identifier: Identifier, code: str, what: str) -> History | None:
        """The same for somebody who has shown the code already: without limits, recorded as `what`."""
        found = await self._ask(lambda: self._of.store.history(identifier, code))
        self._record(what, identifier, found is not None)
        return found

    async def known(self, identifiers: Sequence[Identifier]) -> frozenset[Identifier]:
        """Which of some numbers are customers'; one inquiry."""
        if self._visitor:
            await self._of._admit(self._visitor, self._per_hour)
        found = await self._ask(lambda: self._of.store.known(identifiers))
        for identifier in identifiers:
            self._record("known", identifier, identifier in found)
        return found

    async def _answer(self, what: str, identifier: Identifier, ask: Callable[[], Awaitable[T | None]]) -> T | None:
        of, limits = self._of, self._of.limits
        self._asked += 1
        if self._channel in CONVERSATIONS and self._asked > limits.per_call:
            raise TooManyInquiries(3600)
        misses = self._asked - 1
        if self._visitor:
            await of._admit(self._visitor, self._per_hour)
            misses = await of._count("misses", self._visitor)
        began_s = of._monotonic()
        found = await self._ask(ask)
        if found is None and self._visitor:
            await of._note("misses", self._visitor)
        if misses >= limits.free_misses:
            await of._sleep(min(limits.most_delay_s, 2.0 ** (misses - limits.free_misses)))
        if self._channel not in CONVERSATIONS:
            taken_s, step_s = of._monotonic() - began_s, limits.answer_ms / 1000
            await of._sleep(math.ceil(taken_s / step_s) * step_s - taken_s)
        self._record(what, identifier, found is not None)
        return found

    async def _ask(self, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._of._timeout_s):
                return await ask()
        except TimeoutError:
            raise StoreUnavailable("The billing store did not answer in time: try again later.") from None

    def _record(self, what: str, identifier: Identifier, found: bool) -> None:
        self._of.disclosures.record(what, self._channel, identifier, found=found, visitor=self._visitor)
