import numpy as np
import pytest

from tests.fakes.sound import speechlike
from voicebot.audio.sound import FRAME_SAMPLES, Sound
from voicebot.scenarios.lines import Line, OpenLine, line_label, named_lines, sound_of

SPEECH = speechlike(2000)


def carried(**line: object) -> Sound:
    return OpenLine(Line.model_validate(line), "seed", [SPEECH]).carry(SPEECH)


def power(samples: np.ndarray) -> float:
    return float(np.square(samples.astype(np.float64)).mean())


@pytest.mark.parametrize("name", named_lines())
def test_every_named_line_carries_speech_the_same_each_time(name: str) -> None:
    line = named_lines()[name]
    first, second = (OpenLine(line, "seed", [SPEECH]).carry(SPEECH).samples for _ in range(2))
    assert np.array_equal(first, second) and len(first) % FRAME_SAMPLES == 0
    assert power(first) > power(SPEECH.samples) / 4


def test_noise_is_as_much_weaker_than_speech_as_is_asked() -> None:
    line = OpenLine(Line(noise="white", snr_db=20), "seed", [SPEECH])
    around = np.concatenate([line.pass_on(line.between(), np.zeros(FRAME_SAMPLES, np.int16)) for _ in range(200)])
    assert 10 * np.log10(power(SPEECH.samples) / power(around)) == pytest.approx(20, abs=2)


def test_lost_and_late_packets_change_what_is_heard() -> None:
    whole = carried().samples
    for line in ({"loss": 0.1}, {"jitter_ms": 40}):
        changed = carried(**line).samples
        packets = (changed != whole).reshape(-1, FRAME_SAMPLES).any(axis=1)
        assert 0.02 < packets.mean() < 0.5


def test_an_echo_brings_the_bot_back_later_and_softer() -> None:
    line = OpenLine(Line(echo_ms=100, echo_db=-20), "seed")
    quiet, bot = np.zeros(FRAME_SAMPLES, np.int16), np.full(FRAME_SAMPLES, 10_000, np.int16)
    heard = [line.pass_on(quiet, bot)[0] for _ in range(7)]
    assert heard == [0] * 5 + [1000] * 2


@pytest.mark.parametrize("kind", ["cough", "knock", "click", "breath", "crackle", "music", "street", "tones"])
def test_noises_are_as_long_as_asked_and_the_same_each_time(kind: str) -> None:
    first, second = (sound_of(kind, 1500, "seed") for _ in range(2))  # type: ignore[arg-type]
    assert np.array_equal(first.samples, second.samples) and first.samples.any()
    assert first.duration_ms <= 1500


def test_a_line_is_called_by_its_name_or_by_what_it_does() -> None:
    assert line_label(None) == "clean" and line_label("gsm") == "gsm"
    assert line_label(Line(codec="gsm", loss=0.1)) == "codec gsm, loss 0.1"
