import base64
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from tests.fakes.sound import speechlike
from tests.fakes.store import FakeStore
from voicebot.audio.wav import parse_wav, to_wav
from voicebot.call import Services
from voicebot.settings import Web
from voicebot.switchboard import Switchboard
from voicebot.web.app import create_app


def client(services: Services, most_calls: int = 2) -> TestClient:
    return TestClient(create_app(Switchboard(services, most_calls), Web(max_upload_bytes=200_000)))


RECORDING = ("recordings", ("a.wav", to_wav(speechlike(700)), "audio/wav"))


def test_health_says_that_the_process_lives(services: Services) -> None:
    assert client(services).get("/health").json() == {"status": "ok"}


def test_ready_says_what_is_in_the_way(services: Services) -> None:
    assert client(services).get("/ready").status_code == 200
    answer = client(replace(services, store=FakeStore(failing=True))).get("/ready")
    assert answer.status_code == 503 and "start it again" in answer.json()["detail"]


def test_an_uploaded_call_is_held_and_its_number_masked(services: Services) -> None:
    answer = client(services).post("/calls", files=[RECORDING] * 3)
    record = answer.json()
    assert record["outcome"] == "informed" and record["identifier"] == "••••••••••01"
    assert "300000000001" not in answer.text and "три нула нула" not in answer.text
    assert parse_wav(base64.b64decode(record["reply_wav"])).duration_ms > 1000


def test_a_call_by_keys_needs_no_recording(services: Services) -> None:
    record = client(services).post("/calls", files=[("keys", (None, "300000000001#"))]).json()
    assert record["outcome"] == "informed"


def test_a_browser_gets_a_page_with_the_conversation(services: Services) -> None:
    answer = client(services).post("/calls", files=[RECORDING] * 3, headers={"Accept": "text/html"})
    assert "четиридесет и пет евро" in answer.text and "<audio controls" in answer.text
    assert 'enctype="multipart/form-data"' in client(services).get("/recordings").text


@pytest.mark.parametrize(
    "files, status, reason",
    [
        ([("recordings", ("a.wav", b"text", "audio/wav"))], 400, "not a WAV"),
        ([("recordings", ("a.wav", to_wav(speechlike(700))[:3000], "audio/wav"))], 400, "cut off"),
        ([("recordings", ("a.wav", b"x" * 300_000, "audio/wav"))], 413, "larger than"),
        ([RECORDING] * 11, 400, "10 recordings at most"),
        ([("keys", (None, "12a"))], 422, ""),
        ([("keys", (None, "1" * 65))], 422, ""),
    ],
)
def test_bad_uploads_are_refused_with_a_reason(
    services: Services, files: list[object], status: int, reason: str
) -> None:
    answer = client(services).post("/calls", files=files)  # type: ignore[arg-type]
    assert answer.status_code == status and reason in str(answer.json()["detail"])


def test_a_call_of_another_type_is_refused_and_not_held_in_silence(services: Services) -> None:
    answer = client(services).post("/calls", json={"keys": "300000000001#"})
    assert answer.status_code == 415 and "multipart/form-data" in answer.json()["detail"]


def test_a_body_without_a_length_is_refused(services: Services) -> None:
    assert client(services).post("/calls", content=iter([b"x"])).status_code == 411


def test_a_call_over_the_limit_is_refused(services: Services) -> None:
    answer = client(services, most_calls=0).post("/calls", files=[RECORDING])
    assert answer.status_code == 503 and "busy" in answer.json()["detail"]


def test_pages_allow_nothing_inline_and_nothing_from_elsewhere(services: Services) -> None:
    for path in ("/", "/?lang=en", "/recordings"):
        answer = client(services).get(path)
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in answer.headers["content-security-policy"]
        assert "<style" not in answer.text and " style=" not in answer.text and "onclick" not in answer.text
    assert client(services).get("/?lang=xx").status_code == 422


def test_other_sites_may_load_the_widget(services: Services) -> None:
    answer = client(services).get("/static/widget.js", headers={"Origin": "https://anywhere.example"})
    assert answer.headers["access-control-allow-origin"] == "*" and "javascript" in answer.headers["content-type"]
    assert client(services).get("/static/../app.py").status_code == 404
