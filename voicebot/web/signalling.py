"""Signalling of calls from browsers over HTTP, in the manner of WHIP (RFC 9725); `docs/webrtc.md` describes it."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from voicebot.legs.webrtc import InvalidOffer
from voicebot.settings import WebRtc
from voicebot.web.browser_calls import BrowserCalls
from voicebot.web.problem import TooMany, WrongMediaType, WrongOrigin
from voicebot.web.tokens import Tokens

MOST_OFFER_BYTES = 32_768
"""Largest offer; a browser's has some 3,000 bytes."""

SDP = "application/sdp"


class Door:
    """Who may call, and how often; it leads to the calls."""

    def __init__(self, chosen: WebRtc, calls: BrowserCalls) -> None:
        self.calls = calls
        """The calls from browsers."""
        self.tokens = Tokens(chosen)
        """The tokens that calls need."""
        self._allowed_origins = chosen.allowed_origins
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._pace = RateLimitItemPerMinute(chosen.most_requests_per_minute)

    def address(self, request: Request) -> str:
        """Whom a request came from; raises `TooMany` for one that asks too often."""
        address = _address(request)
        if not self._limiter.hit(self._pace, address):
            raise TooMany("There are too many requests from this address: try again in a minute.")
        return address

    def origin(self, request: Request) -> str | None:
        """The site of the page that asks, None where it does not say; raises `WrongOrigin`."""
        named = request.headers.get("origin")
        own = f"{request.url.scheme}://{request.headers.get('host')}"
        if named is not None and named != own and named not in self._allowed_origins:
            raise WrongOrigin(f"Calls from {named} are not allowed: its operator has to add it to the allowed origins.")
        return named

    def admit(self, request: Request) -> None:
        """See that a request may begin a call; raises `WrongOrigin` or `InvalidToken`."""
        self.tokens.check(request.headers.get("authorization", ""), self.origin(request))


def _door(request: Request) -> Door:
    found: Door = request.app.state.door
    return found


Entered = Annotated[Door, Depends(_door)]
router = APIRouter(prefix="/webrtc")
"""The routes; they expect the door in `app.state.door`."""


@router.post("/token")
async def token(request: Request, door: Entered) -> JSONResponse:
    """A token for one visitor."""
    door.address(request)
    body = {"token": door.tokens.issue(door.origin(request)), "expires_in": door.tokens.lifetime_s}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


@router.get("/ice")
async def ice(request: Request, door: Entered) -> JSONResponse:
    """The STUN and TURN servers, as `RTCConfiguration.iceServers` wants them."""
    door.admit(request)
    servers = [
        {"urls": s.urls} | ({"username": s.username, "credential": s.credential} if s.username else {})
        for s in door.calls.ice_servers()
    ]
    return JSONResponse({"iceServers": servers}, headers={"Cache-Control": "no-store"})


@router.post("/calls")
async def offer(request: Request, door: Entered) -> Response:
    """Begin a call: an SDP offer comes in, its answer goes out."""
    address = door.address(request)
    door.admit(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != SDP:
        raise WrongMediaType(f"The offer has another type: send it as {SDP}.")
    if int(request.headers.get("content-length", 0)) > MOST_OFFER_BYTES:
        raise InvalidOffer(f"The offer is larger than {MOST_OFFER_BYTES} bytes: send a shorter one.")
    body = await request.body()
    call_id, answer = await door.calls.take(body.decode(errors="replace"), address)
    return Response(answer, 201, {"Location": f"/webrtc/calls/{call_id}"}, media_type=SDP)


@router.delete("/calls/{call_id}")
async def end(call_id: str, door: Entered) -> Response:
    """End a call; its address is known to nobody but the page that began it."""
    await door.calls.end(call_id)
    return Response()


def _address(request: Request) -> str:
    """Whom a request came from; of IPv6 the network, because one visitor has all of it."""
    host = request.client.host if request.client else ""
    try:
        address: Any = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else host
