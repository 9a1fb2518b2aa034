from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes.recognizer import FakeRecognizer, command, number
from tests.fakes.store import TODAY, FakeStore, account, invoice
from tests.fakes.synthesizer import FakeSynthesizer
from voicebot.billing.identifier import DEFAULT_SCHEMES
from voicebot.call import Services
from voicebot.dialog.catalogue import Catalogue
from voicebot.dialog.conversation import Conversation


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
            today=lambda: TODAY,
        )
