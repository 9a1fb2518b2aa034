"""The HTTP door: health and readiness, the page with the voice widget, and calls from recordings, for testers."""

from __future__ import annotations

import base64
import tomllib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, File, Form, Request, UploadFile
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader

from voicebot.audio.wav import parse_wav, to_wav
from voicebot.errors import VoicebotError
from voicebot.legs.wav import WavLeg
from voicebot.settings import ApiKey, Web, WebRtc
from voicebot.switchboard import Switchboard
from voicebot.web import signalling
from voicebot.web.api import create_api
from voicebot.web.browser_calls import open_browser_calls
from voicebot.web.inquiry import create_site
from voicebot.web.problem import WrongMediaType, problem, problem_of
from voicebot.web.signalling import Door

MOST_RECORDINGS = 10
"""Most recordings in one uploaded call."""
MOST_KEYS = 64
"""Most keys in one uploaded call."""


CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "media-src data:",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)
"""What the bot's own pages may load: nothing from another host, nothing inline (W3C CSP Level 3)."""


def create_app(
    switchboard: Switchboard, web: Web | None = None, webrtc: WebRtc | None = None, api_keys: Sequence[ApiKey] = ()
) -> FastAPI:
    """The application around a switchboard that is ready for calls.

    Args:
        switchboard: holds the calls.
        web: the settings of this door.
        webrtc: those of calls from browsers.
        api_keys: who may use the JSON API.
    """
    web, webrtc = web or Web(), webrtc or WebRtc()
    pages = Environment(loader=PackageLoader("voicebot.web", "pages"), autoescape=True)
    texts = tomllib.loads(files("voicebot.web").joinpath("pages", "index.toml").read_text(encoding="utf-8"))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_browser_calls(switchboard, webrtc) as calls:
            app.state.door = Door(webrtc, calls)
            yield

    app = FastAPI(title="voicebot", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.include_router(signalling.router)
    app.mount("/static", _Static(directory=Path(__file__).parent / "static"))

    @app.middleware("http")
    async def secure(request: Request, call_next: Any) -> Response:
        answer: Response = await call_next(request)
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "same-origin"
        if answer.headers.get("content-type", "").startswith("text/html"):
            answer.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
            answer.headers["Permissions-Policy"] = "microphone=(self)"
        return answer

    @app.middleware("http")
    async def limit_the_body(request: Request, call_next: Any) -> Response:
        length = request.headers.get("content-length", "")
        if request.method == "POST" and not length.isdecimal():
            return problem(411, "The request says no Content-Length: send one.")
        if length.isdecimal() and int(length) > web.max_upload_bytes:
            return problem(413, f"The recordings are larger than {web.max_upload_bytes} bytes: send shorter ones.")
        answer: Response = await call_next(request)
        return answer

    @app.exception_handler(VoicebotError)
    async def tell(_: Request, error: VoicebotError) -> JSONResponse:
        return problem_of(error)

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
            return problem(503, str(error))
        return JSONResponse({"status": "ready", "calls": switchboard.live})

    @app.get("/", response_class=HTMLResponse)
    async def index(request: Request, lang: Literal["bg", "en"] = "bg") -> str:
        return pages.get_template("index.html").render(
            lang=lang, t=texts[lang], base=request.base_url, inquiry_url=web.inquiry_url
        )

    @app.get("/recordings", response_class=HTMLResponse)
    async def recordings_page() -> str:
        return pages.get_template("recordings.html").render()

    @app.post("/calls", response_model=None)
    async def call(
        request: Request,
        recordings: Annotated[list[UploadFile] | None, File()] = None,
        keys: Annotated[str, Form(max_length=MOST_KEYS, pattern=r"^[0-9*#,]*$")] = "",
    ) -> Response:
        """A whole call: each recording is one thing that the caller says once the bot has finished asking."""
        sent_as = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if sent_as not in ("", "multipart/form-data", "application/x-www-form-urlencoded"):
            raise WrongMediaType("A call has another type: send 'recordings' and 'keys' as multipart/form-data.")
        named = [upload for upload in recordings or () if upload.filename]
        if len(named) > MOST_RECORDINGS:
            return problem(400, f"A call has {MOST_RECORDINGS} recordings at most: send fewer.")
        sounds = [parse_wav(await upload.read(), upload.filename or "The recording") for upload in named]
        leg = WavLeg(sounds, keys=keys)
        record = (await switchboard.hold(leg)).as_dict()
        reply = base64.b64encode(to_wav(leg.reply)).decode()
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(pages.get_template("recordings.html").render(record=record, reply=reply))
        return JSONResponse(record | {"reply_wav": reply})

    services = switchboard.services
    if services.inquiries is not None:
        app.include_router(create_site(services.inquiries, services.conversation.schemes, services.today))
        app.mount("/api/v1", create_api(services.inquiries, services.conversation.schemes, api_keys))

    # Last, so that refusals by the middleware above can be read by the widget, too.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=webrtc.allowed_origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["Location"],
    )
    return app


class _Static(StaticFiles):
    """The widget's files; pages of other sites load them, too."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        answer = super().file_response(*args, **kwargs)
        answer.headers["Access-Control-Allow-Origin"] = "*"
        answer.headers["Cache-Control"] = "no-cache"
        return answer
