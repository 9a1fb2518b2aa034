"""What goes wrong at the HTTP door, as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

from fastapi.responses import JSONResponse

from voicebot.errors import VoicebotError
from voicebot.legs.webrtc import InvalidOffer
from voicebot.switchboard import Busy

RETRY_AFTER_S = 60
"""When to come again after a refusal that passes."""


class InvalidToken(VoicebotError):
    """A call without a token, or with one that is expired, forged or another site's."""


class WrongOrigin(VoicebotError):
    """A page on a site where the widget may not stand."""


class NoSuchCall(VoicebotError):
    """A call that has ended or never was."""


class WrongMediaType(VoicebotError):
    """A body of another type than is taken."""


class TooMany(VoicebotError):
    """More calls or requests from one address than one visitor needs."""


_STATUS: dict[type[VoicebotError], int] = {
    Busy: 503,
    InvalidOffer: 400,
    InvalidToken: 401,
    NoSuchCall: 404,
    TooMany: 429,
    WrongMediaType: 415,
    WrongOrigin: 403,
}


def problem(status: int, detail: str) -> JSONResponse:
    """The answer to a request that cannot be met; `detail` is one sentence for whoever sent it.

    A page on a site that may not call can read why.
    """
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status in (429, 503) else {}
    headers |= {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    headers |= {"Access-Control-Allow-Origin": "*"} if status == 403 else {}
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def problem_of(error: VoicebotError) -> JSONResponse:
    """The answer to a request that ended in `error`."""
    return problem(_STATUS.get(type(error), 400), str(error))
