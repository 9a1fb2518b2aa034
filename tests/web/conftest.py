"""What calls share, with fakes; and the real application around demonstration bills, without waiting."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.fakes.recognizer import FakeRecognizer, command, number
from tests.fakes.store import FakeStore, account, invoice
from tests.fakes.synthesizer import FakeSynthesizer
from voicebot.billing.demonstration import create_demonstration
from voicebot.billing.disclosure import Disclosures
from voicebot.billing.identifier import DEFAULT_SCHEMES
from voicebot.billing.inquiry import Inquiries, InquiryLimits
from voicebot.billing.sql import SqlStore
from voicebot.billing.store import BillingStore
from voicebot.call import Services
from voicebot.dialog.catalogue import Catalogue
from voicebot.dialog.conversation import Conversation
from voicebot.settings import ApiKey
from voicebot.switchboard import Switchboard
from voicebot.web.app import create_app

TODAY = date(2026, 11, 23)
KEYS = {"whole": ["balance", "history", "known"], "balance": ["balance"]}
MakeApp = Callable[..., FastAPI]


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


@pytest.fixture
def services() -> Iterator[Services]:
    with ThreadPoolExecutor(2) as executor:
        yield Services(
            recognizer=FakeRecognizer([number("300000000001"), command("yes"), command("end")]),
            synthesizer=FakeSynthesizer(),
            store=FakeStore(account("300000000001", invoice("45.30"))),
            conversation=Conversation(DEFAULT_SCHEMES),
            catalogue=Catalogue.load("bg"),
            executor=executor,
            renderers=executor,
            today=lambda: TODAY,
        )


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("web") / "demonstration.sqlite"
    create_demonstration(path, TODAY)
    return path


@pytest.fixture
def make_app(demonstration: Path, tmp_path: Path) -> Iterator[MakeApp]:
    with ThreadPoolExecutor(1) as executor:

        def make(store: BillingStore | None = None, **options: object) -> FastAPI:
            inquiries = Inquiries(
                store or SqlStore(demonstration),
                Disclosures(tmp_path / "audit"),
                InquiryLimits(**{"answer_ms": 1, "most_delay_s": 0.0, **options}),  # type: ignore[arg-type]
            )
            services = Services(
                FakeRecognizer(),
                FakeSynthesizer(),
                inquiries.store,
                Conversation(DEFAULT_SCHEMES),
                Catalogue.load("bg"),
                executor,
                executor,
                today=lambda: TODAY,
                inquiries=inquiries,
            )
            keys = [
                ApiKey(name=n, sha256=hashlib.sha256(n.encode()).hexdigest(), scopes=s, per_hour=1_000_000)  # type: ignore[arg-type]
                for n, s in KEYS.items()
            ]
            return create_app(Switchboard(services, 1), api_keys=keys)

        yield make


@pytest.fixture
def client(make_app: MakeApp) -> TestClient:
    return TestClient(make_app())


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """The file of disclosures."""
    return tmp_path / "audit" / "disclosures.jsonl"
