"""`RestStore`, the billing store of a utility that keeps its bills elsewhere and answers over HTTP.

It speaks what `web/api.py` serves (docs/api.md), so one bot can also read from another.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx2
import stamina
from circuitbreaker import CircuitBreaker, CircuitBreakerError
from pydantic import ValidationError

from voicebot.billing.identifier import Identifier
from voicebot.billing.messages import BalanceMessage, HistoryMessage, KnownMessage
from voicebot.billing.store import Account, History, StoreUnavailable


class RestStore:
    """A `BillingStore` behind HTTP: with a time-out, retries, and a circuit breaker that gives a sick server rest."""

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        timeout_s: float = 1.0,
        attempts: int = 3,
        failures: int = 5,
        recovery_s: float = 10.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Name the server; nothing is asked yet.

        Args:
            url: where the API is, such as https://bills.example/api/v1.
            token: its key.
            timeout_s: how long one attempt may take.
            attempts: how often one question is asked, within three times `timeout_s`.
            failures: questions in a row without an answer after which no more are asked ...
            recovery_s: ... for that long.
            transport: another way there, for tests.
        """
        self._client = httpx2.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=timeout_s,
            transport=transport,
        )
        self._attempts = attempts
        self._limit_s = 3 * timeout_s
        breaker = CircuitBreaker(failures, recovery_s, (httpx2.HTTPError,), name=url)
        self._guarded = breaker(self._exchange)

    async def find(self, identifier: Identifier) -> Account | None:
        """The account with this number, or None; raises `StoreUnavailable`."""
        answer = await self._ask("/balance", {"identifier": identifier.reveal()})
        return BalanceMessage.model_validate(answer).account(identifier) if answer else None

    async def history(self, identifier: Identifier, code: str) -> History | None:
        """All invoices and payments where the code is the customer's; raises `StoreUnavailable`."""
        answer = await self._ask("/history", {"identifier": identifier.reveal(), "code": code})
        return HistoryMessage.model_validate(answer).history(identifier) if answer else None

    async def known(self, identifiers: Sequence[Identifier]) -> frozenset[Identifier]:
        """Which of these few numbers are some customer's; raises `StoreUnavailable`."""
        asked = {identifier.reveal(): identifier for identifier in identifiers}
        answer = await self._ask("/known", {"identifiers": list(asked)}) if asked else {"known": []}
        return frozenset(asked[digits] for digits in KnownMessage.model_validate(answer).known if digits in asked)

    async def check(self) -> None:
        """Return when the server can answer; raise `StoreUnavailable` when not."""
        await self._ask("/status", None)

    async def close(self) -> None:
        """Give back connections."""
        await self._client.aclose()

    async def _ask(self, path: str, question: dict[str, Any] | None) -> Any:
        """The answer's JSON, None for 404."""
        try:
            return await self._guarded(path, question)
        except CircuitBreakerError:
            raise self._unavailable("has failed several times and is left alone for some seconds") from None
        except httpx2.HTTPStatusError as error:
            status = error.response.status_code
            if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise self._unavailable("refuses the key: set store.token") from None
            raise self._unavailable(f"answers with status {status}") from None
        except httpx2.HTTPError as error:
            raise self._unavailable(f"does not answer ({type(error).__name__})") from None
        except (ValidationError, ValueError):
            raise self._unavailable("answers with something else than bills") from None

    async def _exchange(self, path: str, question: dict[str, Any] | None) -> Any:
        retries = stamina.retry_context(
            _worth_another_try,
            attempts=self._attempts,
            timeout=timedelta(seconds=self._limit_s),
            wait_initial=0.05,
        )
        async for attempt in retries:
            with attempt:
                answer = await self._client.request("POST" if question else "GET", path, json=question)
                if answer.status_code == HTTPStatus.NOT_FOUND and question:
                    return None
                answer.raise_for_status()
                return answer.json()
        raise AssertionError("the last attempt ends the loop")

    def _unavailable(self, what: str) -> StoreUnavailable:
        return StoreUnavailable(
            f"The billing store {self._client.base_url} {what}: see that it runs and that store.url is right."
        )


def _worth_another_try(error: Exception) -> bool:
    if isinstance(error, httpx2.HTTPStatusError):
        return error.response.status_code in (HTTPStatus.BAD_GATEWAY, 503, 504)
    return isinstance(error, httpx2.TransportError)
