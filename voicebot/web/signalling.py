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


def signalling(chosen: WebRtc) -> APIRouter:
    """The routes under `/webrtc`; the calls are expected in `app.state.browser_calls`."""
    router = APIRouter(prefix="/webrtc")
    tokens = Tokens(chosen)
    limiter = FixedWindowRateLimiter(MemoryStorage())
    pace = RateLimitItemPerMinute(chosen.most_requests_per_minute)

    def within_pace(request: Request) -> str:
        """The address that a request came from, which has not asked too often."""
        address = _address(request)
        if not limiter.hit(pace, address):
            raise TooMany("There are too many requests from this address: try again in a minute.")
        return address

    def origin(request: Request) -> str | None:
        """The site of the page that asks, one of those that may."""
        named = request.headers.get("origin")
        own = f"{request.url.scheme}://{request.headers.get('host')}"
        if named is not None and named != own and named not in chosen.allowed_origins:
            raise WrongOrigin(f"Calls from {named} are not allowed: its operator has to add it to the allowed origins.")
        return named

    def admitted(request: Request, named: Annotated[str | None, Depends(origin)]) -> None:
        tokens.check(request.headers.get("authorization", ""), named)

    def calls(request: Request) -> BrowserCalls:
        found: BrowserCalls = request.app.state.browser_calls
        return found

    @router.post("/token", dependencies=[Depends(within_pace)])
    async def token(named: Annotated[str | None, Depends(origin)]) -> JSONResponse:
        """A token for one visitor."""
        body = {"token": tokens.issue(named), "expires_in": tokens.lifetime_s}
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    @router.get("/ice", dependencies=[Depends(admitted)])
    async def ice(live: Annotated[BrowserCalls, Depends(calls)]) -> JSONResponse:
        """The STUN and TURN servers, as `RTCConfiguration.iceServers` wants them."""
        servers = [
            {"urls": s.urls} | ({"username": s.username, "credential": s.credential} if s.username else {})
            for s in live.ice_servers()
        ]
        return JSONResponse({"iceServers": servers}, headers={"Cache-Control": "no-store"})

    @router.post("/calls", dependencies=[Depends(admitted)])
    async def offer(
        request: Request,
        address: Annotated[str, Depends(within_pace)],
        live: Annotated[BrowserCalls, Depends(calls)],
    ) -> Response:
        """Begin a call: an SDP offer comes in, its answer goes out."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != SDP:
            raise WrongMediaType(f"The offer has another type: send it as {SDP}.")
        body = await request.body()
        if len(body) > MOST_OFFER_BYTES:
            raise InvalidOffer(f"The offer is larger than {MOST_OFFER_BYTES} bytes: send a shorter one.")
        call_id, answer = await live.take(body.decode(errors="replace"), address)
        return Response(answer, 201, {"Location": f"/webrtc/calls/{call_id}"}, media_type=SDP)

    @router.delete("/calls/{call_id}")
    async def end(call_id: str, live: Annotated[BrowserCalls, Depends(calls)]) -> Response:
        """End a call; its address is known to nobody but the page that began it."""
        await live.end(call_id)
        return Response()

    return router


def _address(request: Request) -> str:
    """Whom a request came from; of IPv6 the network, because one visitor has all of it."""
    host = request.client.host if request.client else ""
    try:
        address: Any = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else host
