"""One typed tree of settings: a TOML file, overridden by the environment as `VOICEBOT_SECTION__KEY`.

Settings are read once, here; the rooms get the values that concern them.
"""

from __future__ import annotations

import os
import tomllib
from datetime import datetime, time
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

import platformdirs
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from voicebot.billing.identifier import IdentifierScheme, IdentifierSchemes
from voicebot.billing.inquiry import InquiryLimits
from voicebot.dialog.catalogue import Catalogue
from voicebot.dialog.conversation import Conversation
from voicebot.errors import VoicebotError
from voicebot.hearing.listener import ListenerTimers
from voicebot.hearing.turn import EndOfTurn
from voicebot.voice.voices import default_voice

_DIRS = platformdirs.PlatformDirs("voicebot", appauthor=False)
_HOME = Path(__file__).resolve().parent.parent
"""Where models/ and grammars/ lie beside the package."""

CONFIG_VARIABLE = "VOICEBOT_CONFIG"
"""Environment variable that names the TOML file where no option does."""


class InvalidSettings(VoicebotError):
    """Settings that cannot be used."""


def _listen_address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ValueError("it must be HOST:PORT, for example 127.0.0.1:8080")
    return value


def _long_enough(value: SecretStr) -> SecretStr:
    if 0 < len(value.get_secret_value()) < 32:
        raise ValueError("a secret must have 32 characters or more, for example from `openssl rand -hex 32`")
    return value


def _origin(value: str) -> str:
    scheme, _, rest = value.partition("://")
    if scheme not in ("http", "https") or not rest or "/" in rest:
        raise ValueError("it must be an origin without a path, for example https://www.example.org")
    return value


Address = Annotated[str, AfterValidator(_listen_address)]
ListenAddress = Annotated[str, AfterValidator(lambda value: value and _listen_address(value))]
"""The same, or nothing."""

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PRIVATE_NETWORKS = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
Origin = Annotated[str, AfterValidator(_origin)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Web(_Section):
    """The HTTP door."""

    listen: Address = "127.0.0.1:8080"
    """host:port."""
    max_upload_bytes: int = Field(8_000_000, gt=0)
    """Largest recording that is taken."""
    inquiry_url: str = "/bills"
    """A page on which visitors can look up a bill without speaking; empty: none is offered."""
    trusted_proxies: str = ""
    """Addresses, with commas between, of proxies that tell by X-Forwarded-For who asks; none where empty."""


class IceServer(_Section):
    """A STUN or TURN server through which browsers are reached."""

    urls: tuple[Annotated[str, Field(pattern=r"^(stun|turns?):\S+$")], ...] = Field(min_length=1)
    """Such as "stun:stun.example.org:3478" or "turn:turn.example.org?transport=tcp"."""
    username: str = ""
    """Of a TURN server with fixed credentials."""
    credential: SecretStr = SecretStr("")
    """The password that goes with it; every visitor can read it."""
    secret: SecretStr = SecretStr("")
    """Instead: coturn's `static-auth-secret`, from which each visitor gets credentials for an hour."""


class WebRtc(_Section):
    """Calls from browsers."""

    allowed_origins: tuple[Origin, ...] = ()
    """Sites, besides the bot's own pages, on which the widget may stand."""
    token_secret: Annotated[SecretStr, AfterValidator(_long_enough)] = SecretStr("")
    """Signs the tokens of calls, 32 characters or more, shared with sites that make their own; empty: made at start."""
    token_s: int = Field(120, gt=0)
    """How long a token is good."""
    most_calls_per_address: int = Field(4, ge=1)
    """Most calls at a time from one address (one IPv6 network of 64 bits)."""
    most_requests_per_minute: int = Field(60, ge=1)
    """Most tokens and offers from one address in a minute."""
    ice_servers: tuple[IceServer, ...] = ()
    """A list of tables `[[webrtc.ice_servers]]`; none is needed where browsers reach the bot's own address by UDP."""


class SipAccount(_Section):
    """A trunk that the bot registers with, or an address of record of its own."""

    user: str = Field(min_length=1, pattern=r"^[^@:;<>\"?\s]+$")
    domain: str = Field(min_length=1, pattern=r"^[^@;<>\"?\s]+$")
    """host, or host:port."""
    password: SecretStr = SecretStr("")
    """For digest authentication."""
    auth_user: str | None = None
    """Its user name, where it is not `user`."""
    proxy: str | None = None
    """Outbound proxy: host, host:port or a SIP URI."""
    register_s: int = Field(600, ge=0)
    """How often to register, in s; 0 for a trunk that knows the bot by its address."""
    transport: Literal["udp", "tcp", "tls"] = "udp"


class Sip(_Section):
    """The telephone's door."""

    listen: ListenAddress = "127.0.0.1:5060"
    """host:port for UDP and TCP; TLS is one port higher. Empty: no telephone."""
    transports: tuple[Literal["udp", "tcp", "tls"], ...] = ("udp", "tcp")
    certificate: Path | None = None
    """PEM file with certificate and key, for TLS."""
    accounts: tuple[SipAccount, ...] = ()
    """Tables `[[sip.accounts]]`; calls from allowed peers need none."""
    codecs: tuple[Literal["PCMA", "PCMU", "G722", "opus"], ...] = Field(("PCMA", "PCMU", "G722", "opus"), min_length=1)
    """Codecs that are taken, the one that is liked best first."""
    rtp_ports: tuple[int, int] = (10000, 20000)
    """First and last UDP port for media."""
    answer_after_s: float = Field(0.5, ge=0, le=60)
    """How long it rings."""
    rtp_timeout_s: int = Field(30, ge=0)
    """Silence on the wire, not on hold, after which a call is dead; 0 never."""
    hold_limit_s: int = Field(600, gt=0)
    """How long a caller may hold the bot."""
    transfer_timeout_s: float = Field(40.0, gt=0)
    """How long an operator may ring."""
    allow: tuple[IPvAnyNetwork, ...] = tuple(map(ip_network, _PRIVATE_NETWORKS))
    """Peers that are heard, in CIDR notation; what others send is dropped before it is read."""
    messages_per_s: float = Field(100.0, gt=0)
    """SIP messages that one peer may send, on average."""
    burst: int = Field(2000, gt=0)
    """How many may come at once."""
    block_s: float = Field(10.0, gt=0)
    """How long a peer that sends more is not heard."""

    @model_validator(mode="after")
    def _tls_has_a_certificate(self) -> Self:
        if "tls" in self.transports and self.certificate is None:
            raise ValueError("tls needs sip.certificate, a PEM file with certificate and key")
        if self.certificate is not None and not self.certificate.is_file():
            raise ValueError(f"there is no certificate {self.certificate}")
        first, last = self.rtp_ports
        if not 1024 <= first < last - 1 <= 65534:
            raise ValueError("rtp_ports must be two ports from 1024 to 65535, the smaller one first")
        return self


class Store(_Section):
    """The billing store."""

    url: str = f"sqlite+aiosqlite:///{Path(_DIRS.user_data_dir) / 'bills.sqlite'}"
    """A database URL as SQLAlchemy writes it, the path of an SQLite file, or the URL of a server (docs/api.md)."""
    token: str = Field("", repr=False)
    """The key of a server."""
    attempt_s: float = Field(1.0, gt=0)
    """How long a server may take for one attempt, of which there are three."""
    timeout_s: float = Field(5.0, gt=0)
    """How long the books may take before the caller hears an apology."""


class Audit(_Section):
    """The record of what was told of whom."""

    folder: Path = Path(_DIRS.user_data_dir) / "audit"
    """Where the record and its key lie."""


class Inquiry(_Section):
    """How much a visitor may ask of the bills; `billing/inquiry.py` tells more."""

    per_hour: int = Field(InquiryLimits().per_hour, ge=1)
    """Inquiries of one address or caller."""
    per_call: int = Field(InquiryLimits().per_call, ge=1)
    """Inquiries in one telephone call."""
    free_misses: int = Field(InquiryLimits().free_misses, ge=0)
    """Misses in an hour after which answers are delayed."""
    most_delay_s: float = Field(InquiryLimits().most_delay_s, ge=0)
    """Longest delay."""
    wrong_codes_per_hour: int = Field(InquiryLimits().wrong_codes_per_hour, ge=1)
    """Wrong codes for one number."""
    answer_ms: int = Field(InquiryLimits().answer_ms, ge=1)
    """Answers on the web come after a multiple of this time."""


class ApiKey(_Section):
    """A key of the JSON API, known by its hash alone."""

    name: str = Field(min_length=1)
    """Whose it is: in records and limits."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """The hash that `voicebot api-key` prints."""
    scopes: frozenset[Literal["balance", "history", "known"]]
    """What it opens: "balance" is what is owed, "history" all bills with the code, "known" which numbers there are."""
    per_hour: int = Field(1000, ge=1)
    """Most inquiries."""


class Recognition(_Section):
    """What turns sound into words."""

    speech: bool = True
    """Whether callers may speak; without, prompts ask for keys alone."""
    model: Path = _HOME / "models" / "bg-telephone"
    """Folder of the acoustic model and its graphs."""


class Voice(_Section):
    """What turns words into sound."""

    name: str = Field(default_factory=default_voice)
    """A voice as `voicebot voices list` names it, or the path of a Piper voice file; by default the voice that lies in
    models/voices/, where there is one, else kokoro:jm_kumo."""
    fallbacks: tuple[str, ...] = ("kokoro:jm_kumo", "espeak")
    """Voices that take over, in this order, when that one fails."""
    folder: Path = Path(_DIRS.user_data_dir) / "voices"
    """Where fetched voices lie."""
    cache: Path = Path(_DIRS.user_cache_dir) / "phrases"
    """Where rendered phrases are kept."""
    cache_bytes: int = Field(500_000_000, ge=0)
    """Most that they may take."""
    rehearse: bool = True
    """Whether the fixed phrases are rendered when the bot starts: what opens a call before the first one is taken."""


class OperatorHours(_Section):
    """Some hours of a week, in the time of the machine."""

    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ("mon", "tue", "wed", "thu", "fri")
    opens: time = time(8)
    closes: time = time(18)
    """Earlier than `opens`: on the next day."""

    def include(self, now: datetime) -> bool:
        """Whether `now` lies within them."""
        today, yesterday = _DAYS[now.weekday()], _DAYS[now.weekday() - 1]
        if self.opens < self.closes:
            return today in self.days and self.opens <= now.time() < self.closes
        return (today in self.days and now.time() >= self.opens) or (
            yesterday in self.days and now.time() < self.closes
        )


class Dialog(_Section):
    """The conversation."""

    catalogue: str = "bg"
    """The prompts: "bg", "en" or the path of a TOML file that names those which differ (docs/prompts.md)."""
    speech_tries: int = Field(3, ge=1)
    """Misses after which the keypad is asked for."""
    keypad_tries: int = Field(2, ge=1)
    """Further misses after which a person is."""
    number_confidence: float = Field(0.4, ge=0, le=1)
    """Least confidence (a probability) of a spoken number; on development voices no right one had less."""
    sure_confidence: float = Field(0.8, ge=0, le=1)
    """Confidence (a probability) from which a spoken number is read back without asking the books for alike ones."""
    most_comparisons: int = Field(5, ge=0)
    """How often in a call the books may be asked so."""
    operator: str = "operator"
    """Whom callers are handed to, by telephone a SIP URI; empty when there is nobody."""
    operator_hours: tuple[OperatorHours, ...] = ()
    """When somebody is there, a list of tables `[[dialog.operator_hours]]`; empty: day and night."""


class Calls(_Section):
    """How many calls, and how they end when the bot goes down."""

    most: int = Field(20, ge=1)
    """Most calls at a time."""
    drain_s: float = Field(60.0, ge=0)
    """How long running calls may go on after SIGTERM."""


class Recordings(_Section):
    """Calls that are kept, to become tests; callers must have been told, and must be able to decline."""

    folder: Path | None = None
    """Where the sound of each caller is kept; none is where there is no folder."""


class Logs(_Section):
    """What is written to stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    json_lines: bool = False
    """One JSON object a line instead of text for people."""


class Timers(_Section):
    """The timers of hearing, in ms."""

    final_ms: int = Field(EndOfTurn().final_ms, gt=0)
    """Silence that ends a yes, a no or the longest number."""
    complete_ms: int = Field(EndOfTurn().complete_ms, gt=0)
    """Silence that ends any other complete answer."""
    extendable_ms: int = Field(EndOfTurn().extendable_ms, gt=0)
    """Silence that ends an answer that is complete and could go on."""
    incomplete_ms: int = Field(EndOfTurn().incomplete_ms, gt=0)
    """Silence that ends any other."""
    no_input_ms: int = Field(ListenerTimers().no_input_ms, gt=0)
    """Silence after a question before the caller is asked again."""
    inter_digit_ms: int = Field(ListenerTimers().inter_digit_ms, gt=0)
    """Longest pause between two keys."""


class Scheme(_Section):
    """One kind of customers' numbers."""

    name: str = Field(min_length=1)
    length: int = Field(ge=4, le=16)
    prefix: str = Field("", pattern=r"^[0-9]*$")
    groups: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """How many digits the groups have in which it is read back; empty: by threes, the rest in pairs."""

    @model_validator(mode="after")
    def _groups_make_the_number(self) -> Self:
        if self.groups and sum(self.groups) != self.length:
            raise ValueError(f"groups of {', '.join(map(str, self.groups))} digits do not make {self.length}")
        return self


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        env_prefix="VOICEBOT_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    web: Web = Web()
    webrtc: WebRtc = WebRtc()
    sip: Sip = Sip()
    store: Store = Store()
    audit: Audit = Audit()
    inquiry: Inquiry = Inquiry()
    api_keys: tuple[ApiKey, ...] = ()
    """Who may use the JSON API; a list of tables `[[api_keys]]`."""
    recognition: Recognition = Recognition()
    voice: Voice = Voice()
    dialog: Dialog = Dialog()
    timers: Timers = Timers()
    calls: Calls = Calls()
    recordings: Recordings = Recordings()
    logs: Logs = Logs()
    identifiers: tuple[Scheme, ...] = (
        Scheme(name="itn", length=7),
        Scheme(name="customer_number", length=12),
    )
    """The kinds of customers' numbers, in the order in which they are tried; a list of tables `[[identifiers]]`."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then the file that `load` names."""
        return (env_settings, init_settings)

    @property
    def schemes(self) -> IdentifierSchemes:
        """The identifier schemes."""
        return IdentifierSchemes([IdentifierScheme(s.name, s.length, s.prefix) for s in self.identifiers])

    @property
    def catalogue(self) -> Catalogue:
        """The prompts; raises `CatalogueError`."""
        grouping = {scheme.length: scheme.groups for scheme in self.identifiers if scheme.groups}
        return Catalogue.load(self.dialog.catalogue, keys_only=not self.recognition.speech, grouping=grouping)

    @property
    def conversation(self) -> Conversation:
        """The policy of the conversation."""
        dialog = self.dialog
        return Conversation(
            self.schemes,
            dialog.speech_tries,
            dialog.keypad_tries,
            number_confidence=dialog.number_confidence,
            sure_confidence=dialog.sure_confidence,
            most_comparisons=dialog.most_comparisons,
        )

    def operator_at(self, now: datetime) -> str:
        """Whom callers are handed to at `now`, in the time of the machine; "" when nobody is there."""
        hours = self.dialog.operator_hours
        return self.dialog.operator if not hours or any(span.include(now) for span in hours) else ""

    @property
    def listener_timers(self) -> ListenerTimers:
        """The timers of hearing."""
        timers = self.timers
        return ListenerTimers(
            EndOfTurn(timers.final_ms, timers.complete_ms, timers.extendable_ms, timers.incomplete_ms),
            timers.no_input_ms,
            timers.inter_digit_ms,
        )


def load(config: Path | None = None) -> Settings:
    """The settings from `config`, or from the file that `VOICEBOT_CONFIG` names, under the environment.

    Raises:
        InvalidSettings: no such file, not TOML, or a value that cannot be; the sentence names it.
    """
    path = config or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
    table: dict[str, object] = {}
    if path is not None:
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InvalidSettings(f"The settings file {path} does not exist: give the path of a TOML file.") from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InvalidSettings(f"The settings file {path} cannot be read: {error}.") from None
    for name in os.environ:
        section = name.removeprefix("VOICEBOT_").split("__")[0].lower()
        if name.startswith("VOICEBOT_") and name != CONFIG_VARIABLE and section not in Settings.model_fields:
            raise InvalidSettings(f"The environment sets {name}, which is no setting: mend its name or unset it.")
    try:
        return Settings(**table)  # type: ignore[arg-type]
    except SettingsError as error:
        raise InvalidSettings(f"The environment cannot be read: {error}; write lists and tables as JSON.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        raise InvalidSettings(
            f"The setting {where} cannot be used: {what}; mend it in the file or environment."
        ) from None
