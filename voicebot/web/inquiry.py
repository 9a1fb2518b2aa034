"""The inquiry site: what is owed, and with the code from the invoice all bills since 2004; works without JavaScript.

A customer's number never stands in an address. Whoever has shown the code gets a cookie that only this site can read.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from importlib import resources
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Annotated, Any, Literal

from babel.dates import format_date, format_datetime, get_timezone
from babel.numbers import format_currency, format_decimal
from cryptography.fernet import Fernet, InvalidToken
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader
from starlette.routing import Mount

from voicebot.billing.disclosure import NoDisclosure
from voicebot.billing.identifier import Identifier, IdentifierSchemes, InvalidIdentifier
from voicebot.billing.inquiry import Inquiries, TooManyInquiries, Visit
from voicebot.billing.store import History, Invoice, Money, Payment, StoreUnavailable, in_euro

COOKIE = "bills"
SESSION_S = 15 * 60
"""How long the code counts after it was shown."""
TIME_ZONE = "Europe/Sofia"

Language = Literal["bg", "en"]
Year = Annotated[int | None, Query(ge=1990, le=2100)]

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Sent with every page: nothing from elsewhere, nothing inline, nothing kept."""


class _Expired(Exception):
    """The visitor has shown no code, or too long ago."""


@dataclass(frozen=True, slots=True)
class _Session:
    """Somebody who has shown the code."""

    identifier: Identifier
    code: str


class Format:
    """Sums, dates and energy as a language writes them."""

    def __init__(self, language: Language) -> None:
        self._locale = "bg_BG" if language == "bg" else "en_GB"

    def money(self, money: Money) -> str:
        """With the sign of the currency."""
        return format_currency(money.amount, money.currency, locale=self._locale)

    def both(self, money: Money) -> str:
        """In the currency of the invoice, and in euro where that is another."""
        return self.money(money) + (f" ({self.money(in_euro(money))})" if money.currency != "EUR" else "")

    def long(self, day: date) -> str:
        """In words."""
        return format_date(day, "long", locale=self._locale)

    def short(self, day: date) -> str:
        """In digits."""
        return format_date(day, "dd.MM.yyyy" if self._locale == "bg_BG" else "dd/MM/yyyy", locale=self._locale)

    def period(self, invoice: Invoice) -> str:
        """From and to."""
        return f"{self.short(invoice.period_start)} – {self.short(invoice.period_end)}"

    def moment(self, moment: datetime) -> str:
        """Date and time in Bulgaria."""
        return format_datetime(moment, "d MMMM y, HH:mm", get_timezone(TIME_ZONE), locale=self._locale)

    def kwh(self, energy_kwh: int) -> str:
        """Energy."""
        return f"{format_decimal(energy_kwh, locale=self._locale)} kWh"

    def month(self, month: int) -> str:
        """A month's short name."""
        return format_date(date(2000, month, 1), "LLL", locale=self._locale)


def create_site(inquiries: Inquiries, schemes: IdentifierSchemes, today: Callable[[], date] = date.today) -> APIRouter:
    """The pages.

    Args:
        inquiries: the door to the bills.
        schemes: which numbers there are.
        today: what is overdue is so on this day.
    """
    site = APIRouter(include_in_schema=False)
    texts = tomllib.loads(resources.files("voicebot.web.bills").joinpath("texts.toml").read_text(encoding="utf-8"))
    pages = Environment(loader=PackageLoader("voicebot.web", "bills"), autoescape=True, trim_blocks=True)
    sessions = _Sessions(inquiries)
    site.routes.append(
        Mount(
            "/bills/assets",
            StaticFiles(packages=[("voicebot.web", "bills/assets")], follow_symlink=False),
            name="assets",
        )
    )

    def show(page: str, lang: Language, status: int = 200, here: str = "/bills", **values: Any) -> HTMLResponse:
        other = "en" if lang == "bg" else "bg"
        html = pages.get_template(page).render(
            t=texts[lang], f=Format(lang), lang=lang, other=other, here=here, today=today(), **values
        )
        return HTMLResponse(html, status, HEADERS)

    def start(lang: Language, problem: str, status: int, **values: object) -> HTMLResponse:
        return show("start.html", lang, status, problem=texts[lang][problem].format(**values) if problem else "")

    def refusal(lang: Language, error: Exception) -> Response:
        match error:
            case TooManyInquiries():
                answer = start(lang, "too_many", 429, minutes=math.ceil(error.retry_after_s / 60))
                answer.headers["Retry-After"] = str(error.retry_after_s)
                return answer
            case InvalidIdentifier():
                return start(lang, "no_number", 400)
            case _Expired():
                answer = start(lang, "expired", 401)
                answer.delete_cookie(COOKIE, path="/")
                return answer
            case _:
                return start(lang, "unavailable", 503)

    async def opened(request: Request, what: str) -> tuple[_Session, History]:
        """All bills of who has shown the code; raises `_Expired`."""
        session = sessions.read(request.cookies.get(COOKIE, ""), schemes)
        history = await _visit(inquiries, request).history_again(session.identifier, session.code, what)
        if history is None:
            raise _Expired
        return session, history

    @site.get("/bills")
    async def choose_language(request: Request) -> Response:
        """To the language that the browser prefers, Bulgarian if it prefers neither."""
        wanted = [part.split(";")[0].strip()[:2] for part in request.headers.get("accept-language", "").split(",")]
        return RedirectResponse(f"/{next((lang for lang in wanted if lang in texts), 'bg')}/bills", 303, HEADERS)

    @site.get("/{lang}/bills")
    async def ask(lang: Language) -> Response:
        return start(lang, "", 200)

    @site.post("/{lang}/bills")
    async def answer(
        request: Request,
        lang: Language,
        identifier: Annotated[str, Form(max_length=40)] = "",
        code: Annotated[str, Form(max_length=6)] = "",
    ) -> Response:
        try:
            number = schemes.parse(identifier)
            visit = _visit(inquiries, request)
            code = code.strip().upper()
            if not code:
                account = await visit.balance(number)
                if account is None:
                    return start(lang, "not_found", 404)
                return show("balance.html", lang, account=account, as_of=account.as_of)
            if await visit.history(number, code) is None:
                return start(lang, "not_found", 404)
        except _REFUSALS as error:
            return refusal(lang, error)
        redirect = RedirectResponse(f"/{lang}/bills/invoices", 303, HEADERS)
        redirect.set_cookie(
            COOKIE,
            sessions.write(_Session(number, code)),
            max_age=SESSION_S,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return redirect

    @site.post("/{lang}/bills/close")
    async def close(lang: Language) -> Response:
        redirect = RedirectResponse(f"/{lang}/bills", 303, HEADERS)
        redirect.delete_cookie(COOKIE, path="/")
        return redirect

    @site.get("/{lang}/bills/{kind}.csv")
    async def download(
        request: Request, lang: Language, kind: Literal["invoices", "payments"], year: Year = None
    ) -> Response:
        try:
            _, history = await opened(request, f"{kind} as csv")
        except _REFUSALS as error:
            return refusal(lang, error)
        table = _invoice_table(history, year) if kind == "invoices" else _payment_table(history, year)
        name = f"{kind}-{year}.csv" if year else f"{kind}.csv"
        headers = HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(_csv(table, lang), 200, headers, "text/csv; charset=utf-8")

    @site.get("/{lang}/bills/{kind}")
    async def overview(
        request: Request, lang: Language, kind: Literal["invoices", "payments"], year: Year = None
    ) -> Response:
        try:
            session, history = await opened(request, kind)
        except _REFUSALS as error:
            return refusal(lang, error)
        of_invoices, t, f = kind == "invoices", texts[lang], Format(lang)
        dated: list[tuple[date, Any]] = (
            [(invoice.issued, invoice) for invoice in history.invoices]
            if of_invoices
            else [(payment.received, payment) for payment in history.payments]
        )
        rows = [row for day, row in dated if year in (None, day.year)]
        chart = (
            _chart(
                f"{t['consumption_chart']}, kWh", [(i.issued, i.energy_kwh) for i in rows if not i.cancelled], year, f
            )
            if of_invoices
            else _chart(
                f"{t['payments_chart']}, €", [(p.received, float(in_euro(p.effect).amount)) for p in rows], year, f
            )
        )
        return show(
            f"{kind}.html",
            lang,
            here=f"/bills/{kind}" + (f"?year={year}" if year else ""),
            tab=kind,
            identifier=session.identifier,
            account=history.account,
            as_of=history.account.as_of,
            all_years=sorted({day.year for day, _ in dated}, reverse=True),
            chosen=year,
            rows=rows,
            chart=chart,
        )

    @site.get("/{lang}/bills/invoices/{number:path}")
    async def invoice(request: Request, lang: Language, number: str) -> Response:
        try:
            session, history = await opened(request, "invoice")
        except _REFUSALS as error:
            return refusal(lang, error)
        found = next((invoice for invoice in history.invoices if invoice.number == number), None)
        if found is None:
            return start(lang, "no_page", 404)
        return show(
            "invoice.html",
            lang,
            here=f"/bills/invoices/{number}",
            tab="invoices",
            identifier=session.identifier,
            invoice=found,
            payments=[payment for payment in history.payments if payment.invoice_number == number],
            as_of=history.account.as_of,
        )

    return site


_REFUSALS = (TooManyInquiries, InvalidIdentifier, StoreUnavailable, NoDisclosure, _Expired)


def _visit(inquiries: Inquiries, request: Request) -> Visit:
    return inquiries.visit("web", _network(request.client.host if request.client else "?"))


def _network(host: str) -> str:
    """Whom limits count as one: an IPv4 address, or the /64 that a household has of IPv6."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return str(ip_network((address, 64), strict=False)) if isinstance(address, IPv6Address) else host


class _Sessions:
    """Cookies that say who has shown which code: sealed, so that visitors can neither read nor make them."""

    def __init__(self, inquiries: Inquiries) -> None:
        self._inquiries = inquiries

    @property
    def _seal(self) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self._inquiries.disclosures.derived_key("sessions")))

    def write(self, session: _Session) -> str:
        """The cookie."""
        return self._seal.encrypt(json.dumps([session.identifier.reveal(), session.code]).encode()).decode()

    def read(self, cookie: str, schemes: IdentifierSchemes) -> _Session:
        """Whose cookie it is; raises `_Expired`."""
        try:
            digits, code = json.loads(self._seal.decrypt(cookie.encode(), ttl=SESSION_S))
            return _Session(schemes.parse(digits), code)
        except (InvalidToken, InvalidIdentifier):
            raise _Expired from None


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; lengths in the chart's own unit."""

    label: str
    text: str
    x: float
    y: float
    width: float
    height: float
    shown: str

    @property
    def middle(self) -> float:
        """Where its labels stand."""
        return self.x + self.width / 2


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars over years, or over the months of one."""

    title: str
    bars: tuple[Bar, ...]
    width: int = 920

    @property
    def spoken(self) -> str:
        """The same for those who hear the page."""
        return "; ".join(f"{bar.label} {bar.text}" for bar in self.bars)


def _chart(title: str, points: Iterable[tuple[date, float]], year: int | None, f: Format) -> Chart:
    sums: dict[int, float] = defaultdict(float)
    for day, value in points:
        sums[day.month if year else day.year] += value
    if not sums:
        return Chart(title, ())
    steps = range(1, 13) if year else range(min(sums), max(sums) + 1)
    step, most = 920 / len(steps), max(*sums.values(), 1.0)
    bars = []
    for n, key in enumerate(steps):
        value = max(sums.get(key, 0.0), 0.0)
        height = 130 * value / most
        label = f.month(key) if year else str(key)
        text = format_decimal(round(value), locale=f._locale)
        bars.append(
            Bar(
                label if len(steps) <= 14 else label[-2:],
                text,
                round(n * step + step * 0.15, 1),
                round(160 - height, 1),
                round(step * 0.7, 1),
                round(height, 1),
                (text if len(steps) <= 14 else _thousands(value)) if value else "",
            )
        )
    return Chart(title, tuple(bars))


def _thousands(value: float) -> str:
    return f"{value / 1000:.1f}k" if value >= 1000 else str(round(value))


def _invoice_table(history: History, year: int | None) -> list[dict[str, Any]]:
    def row(invoice: Invoice) -> dict[str, Any]:
        return {
            "number": invoice.number,
            "period_start": invoice.period_start,
            "period_end": invoice.period_end,
            "energy_kwh": invoice.energy_kwh,
            **{line.name: line.amount for line in invoice.lines},
            "total": invoice.total,
            "outstanding": invoice.outstanding,
            "currency": invoice.total.currency,
            "issued": invoice.issued,
            "due": invoice.due,
            "cut_off": invoice.cut_off,
            "status": invoice.status,
        }

    return [row(invoice) for invoice in history.invoices if year in (None, invoice.issued.year)]


def _payment_table(history: History, year: int | None) -> list[dict[str, Any]]:
    def row(payment: Payment) -> dict[str, Any]:
        return {
            "number": payment.number,
            "received": payment.received,
            "amount": payment.effect,
            "currency": payment.paid.currency,
            "channel": payment.channel,
            "invoice": payment.invoice_number,
            "reverses": payment.reverses,
        }

    return [row(payment) for payment in history.payments if year in (None, payment.received.year)]


def _csv(table: list[dict[str, Any]], lang: Language) -> bytes:
    """As the spreadsheets of the language's country read it: with its decimal sign and separator."""
    point, delimiter = (",", ";") if lang == "bg" else (".", ",")

    def plain(value: Any) -> str:
        if isinstance(value, Money):
            return f"{value.amount:.2f}".replace(".", point)
        return "" if value is None else str(value)

    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    if table:
        writer.writerow(table[0])
        writer.writerows([plain(value) for value in row.values()] for row in table)
    return text.getvalue().encode("utf-8-sig")
