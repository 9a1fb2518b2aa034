"""The JSON API of the bills: keys with scopes, limits, and an OpenAPI description of its own at `openapi.json`.

Numbers and codes come in bodies, never in addresses, so that they stay out of logs.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from voicebot.billing.identifier import IdentifierSchemes
from voicebot.billing.inquiry import Inquiries, TooManyInquiries, Visit
from voicebot.billing.messages import BalanceMessage, HistoryMessage, KnownMessage
from voicebot.errors import VoicebotError
from voicebot.settings import ApiKey

Scope = Literal["balance", "history", "known"]

MOST_NUMBERS = 50
"""Most numbers in one question of which are known."""

_BEARER = HTTPBearer(auto_error=False)
NOT_FOUND = "There is no such number, or the code is not its."


class Problem(BaseModel):
    """Why there is no answer, and what to do."""

    detail: str


class Status(BaseModel):
    """That the bills can be read."""

    status: Literal["ok"] = "ok"


class Refused(VoicebotError):
    """A request that the API does not answer."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers


def create_api(inquiries: Inquiries, schemes: IdentifierSchemes, keys: Sequence[ApiKey]) -> FastAPI:
    """The API, to be mounted.

    Args:
        inquiries: the door to the bills.
        schemes: which numbers there are.
        keys: who may ask.
    """
    pattern = "|".join(f"{s.prefix}[0-9]{{{s.length - len(s.prefix)}}}" for s in schemes.schemes)
    Number = Annotated[str, Field(pattern=f"^(?:{pattern})$", examples=["300000000001"])]

    class BalanceQuestion(BaseModel):
        """Of whom."""

        model_config = ConfigDict(extra="forbid")

        identifier: Number

    class HistoryQuestion(BalanceQuestion):
        """Of whom, with the authorisation code on the invoices."""

        code: str = Field(pattern="^[0-9A-Za-z]{6}$", examples=["DEMO01"])
        year: int | None = Field(None, ge=1990, le=2100)

    class KnownQuestion(BaseModel):
        """Of which numbers."""

        model_config = ConfigDict(extra="forbid")

        identifiers: list[Number] = Field(max_length=MOST_NUMBERS)

    codes: dict[int | str, dict[str, Any]] = {
        401: {"model": Problem, "description": "No key, or an unknown one"},
        403: {"model": Problem, "description": "The key lacks the scope"},
        429: {"model": Problem, "description": "Too many inquiries; see Retry-After"},
        503: {"model": Problem, "description": "The bills cannot be read now"},
    }
    missing: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": NOT_FOUND}}
    api = FastAPI(title="Bills", version="1", docs_url=None, redoc_url=None, responses=codes, description=__doc__ or "")
    api.add_exception_handler(VoicebotError, _tell)

    def may(scope: Scope | None) -> Callable[..., Visit]:
        def visit(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> Visit:
            digest = hashlib.sha256(given.credentials.encode()).hexdigest() if given else ""
            key = next((key for key in keys if hmac.compare_digest(key.sha256, digest)), None)
            if key is None:
                raise Refused(401, "No key, or one that is not known: send Authorization: Bearer KEY.")
            if scope is not None and scope not in key.scopes:
                raise Refused(403, f'The key has not the scope "{scope}": ask for one that has.')
            return inquiries.visit("api", key.name, per_hour=key.per_hour)

        return visit

    @api.get("/status")
    async def status(_: Annotated[Visit, Depends(may(None))]) -> Status:
        """Whether the bills can be read."""
        await inquiries.store.check()
        return Status()

    @api.post("/balance", responses=missing)
    async def balance(question: BalanceQuestion, visit: Annotated[Visit, Depends(may("balance"))]) -> BalanceMessage:
        """What is owed under a number, with the unpaid invoices."""
        account = await visit.balance(schemes.parse(question.identifier))
        if account is None:
            raise Refused(404, NOT_FOUND)
        return BalanceMessage.of(account)

    @api.post("/history", responses=missing)
    async def history(question: HistoryQuestion, visit: Annotated[Visit, Depends(may("history"))]) -> HistoryMessage:
        """All invoices and payments since 2004, or those of a year."""
        found = await visit.history(schemes.parse(question.identifier), question.code.upper())
        if found is None:
            raise Refused(404, NOT_FOUND)
        return HistoryMessage.of(found, question.year)

    @api.post("/known")
    async def known(question: KnownQuestion, visit: Annotated[Visit, Depends(may("known"))]) -> KnownMessage:
        """Which of a few numbers are customers': for voice bots, which choose between numbers that sound alike."""
        known = await visit.known([schemes.parse(digits) for digits in question.identifiers])
        return KnownMessage(known=tuple(sorted(identifier.reveal() for identifier in known)))

    return api


async def _tell(_: Request, error: Exception) -> JSONResponse:
    headers: dict[str, str] = {}
    match error:
        case Refused():
            status = error.status
            headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        case TooManyInquiries():
            status, headers = 429, {"Retry-After": str(error.retry_after_s)}
        case _:
            status = 503
    # The sentence of a store names places that are no visitor's business.
    detail = str(error) if status != 503 else "The bills cannot be read now: try again in some minutes."
    return JSONResponse({"detail": detail}, status, headers)
