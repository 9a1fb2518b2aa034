"""The HTTP door: health and readiness, and calls from uploaded recordings, for testers."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import FastAPI, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment, PackageLoader

from voicebot.audio.wav import parse_wav, to_wav
from voicebot.errors import VoicebotError
from voicebot.legs.wav import WavLeg
from voicebot.settings import ApiKey
from voicebot.switchboard import Busy, Switchboard
from voicebot.web.api import create_api
from voicebot.web.inquiry import create_site

MOST_RECORDINGS = 10
"""Most recordings in one uploaded call."""
MOST_KEYS = 64
"""Most keys in one uploaded call."""


def create_app(switchboard: Switchboard, *, max_upload_bytes: int, api_keys: Sequence[ApiKey] = ()) -> FastAPI:
    """The application around a switchboard that is ready for calls.

    Args:
        switchboard: holds the calls.
        max_upload_bytes: largest request body.
        api_keys: who may use the JSON API.
    """
    page = Environment(loader=PackageLoader("voicebot.web", "."), autoescape=True).get_template("index.html")
    app = FastAPI(title="voicebot", docs_url=None, redoc_url=None)

    @app.middleware("http")
    async def limit_the_body(request: Request, call_next: Any) -> Response:
        length = request.headers.get("content-length", "")
        if request.method == "POST" and not length.isdecimal():
            return _problem(411, "The request says no Content-Length: send one.")
        if length.isdecimal() and int(length) > max_upload_bytes:
            return _problem(413, f"The recordings are larger than {max_upload_bytes} bytes: send shorter ones.")
        answer: Response = await call_next(request)
        return answer

    @app.exception_handler(VoicebotError)
    async def tell(_: Request, error: VoicebotError) -> JSONResponse:
        return _problem(503 if isinstance(error, Busy) else 400, str(error))

    @app.get("/health")
    async def health() -> dict[str, str]:
        """That the process lives."""
        return {"status": "ok"}

    @app.get("/ready")
    async def ready() -> JSONResponse:
        """Whether a call can be answered now, or what is in the way."""
        try:
            await switchboard.services.store.check()
        except VoicebotError as error:
            return _problem(503, str(error))
        return JSONResponse({"status": "ready", "calls": switchboard.live})

    @app.get("/", response_class=HTMLResponse)
    async def index() -> str:
        return page.render()

    @app.post("/calls", response_model=None)
    async def call(
        request: Request,
        recordings: Annotated[list[UploadFile] | None, File()] = None,
        keys: Annotated[str, Form(max_length=MOST_KEYS, pattern=r"^[0-9*#,]*$")] = "",
    ) -> Response:
        """A whole call: each recording is one thing that the caller says once the bot has finished asking."""
        named = [upload for upload in recordings or () if upload.filename]
        if len(named) > MOST_RECORDINGS:
            return _problem(400, f"A call has {MOST_RECORDINGS} recordings at most: send fewer.")
        sounds = [parse_wav(await upload.read(), upload.filename or "The recording") for upload in named]
        leg = WavLeg(sounds, keys=keys)
        record = (await switchboard.hold(leg)).as_dict()
        reply = base64.b64encode(to_wav(leg.reply)).decode()
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(page.render(record=record, reply=reply))
        return JSONResponse(record | {"reply_wav": reply})

    services = switchboard.services
    if services.inquiries is not None:
        app.include_router(create_site(services.inquiries, services.conversation.schemes, services.today))
        app.mount("/api/v1", create_api(services.inquiries, services.conversation.schemes, api_keys))
    return app


def _problem(status: int, detail: str) -> JSONResponse:
    return JSONResponse({"detail": detail}, status)
