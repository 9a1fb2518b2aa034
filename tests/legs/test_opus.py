import numpy as np
import pytest
from aiortc.rtp import RtpPacket

from tests.fakes.sound import speechlike
from voicebot.audio.sound import FRAME_SAMPLES, TELEPHONE_RATE_HZ, Samples
from voicebot.legs.opus import _Ear
from voicebot.scenarios.visitor import encoded

PACKETS = [payload for payload, _ in encoded(speechlike(600))]


class Ear:
    """What is heard of packets, by their place in the sequence."""

    def __init__(self, first: int = 1000) -> None:
        self.first = first
        self.heard: list[Samples] = []
        self._ear = _Ear(TELEPHONE_RATE_HZ, self.heard.append)

    def take(self, *places: int, payload: bytes | None = None) -> int:
        """How many frames have been heard by then."""
        for place in places:
            number = (self.first + place) % 65536
            packet = RtpPacket(sequence_number=number, timestamp=(4_294_960_000 + 960 * place) % (1 << 32))
            packet.payload = PACKETS[place % len(PACKETS)] if payload is None else payload
            self._ear.add(packet)
        return len(self.heard)

    def silent(self) -> list[int]:
        return [place for place, frame in enumerate(self.heard) if not frame.any()]


def loudness(frames: list[Samples]) -> float:
    return float(np.concatenate(frames).astype(float).std())


@pytest.mark.parametrize("first", [1000, 65_530])
def test_what_comes_in_order_is_heard_at_once(first: int) -> None:
    ear = Ear(first)
    counts = [ear.take(place) for place in range(20)]
    assert counts == list(range(counts[0], counts[0] + 20)) and counts[0] in (0, 1), "but for the resampler's delay"
    assert all(frame.shape == (FRAME_SAMPLES,) and frame.dtype == np.int16 for frame in ear.heard)
    assert loudness(ear.heard) > 500


def test_packets_that_overtake_each_other_are_heard_in_order() -> None:
    straight, mixed = Ear(65_533), Ear(65_533)
    straight.take(*range(12))
    mixed.take(0, 1, 4, 3, 2, 5, 6, 8, 7, 9, 10, 11)
    assert np.array_equal(np.concatenate(straight.heard), np.concatenate(mixed.heard))


def test_a_lost_packet_becomes_silence_once_four_behind_it_are_there() -> None:
    ear = Ear(65_533)
    before = ear.take(0, 1, 2, 3)
    assert ear.take(5, 6, 7, 8) == before
    assert ear.take(9) == before + 6
    assert len(ear.silent()) == 1
    assert ear.take(4) == before + 6, "it came too late"


def test_a_pause_of_the_sender_is_not_filled() -> None:
    ear = Ear()
    before = ear.take(0, 1, 2)
    ear.first -= 60  # the next sequence number, and a timestamp that lies 1.2 s further on
    assert ear.take(63, 64) == before + 2 and not ear.silent()


def test_a_sequence_that_begins_anew_is_followed() -> None:
    ear = Ear(30_000)
    before = ear.take(0, 1, 2)
    ear.first = 100
    assert ear.take(3, 4, 5) == before + 3


@pytest.mark.parametrize("payload", [b"", b"\xff", bytes(400)])
def test_what_is_no_opus_is_passed_over(payload: bytes) -> None:
    ear = Ear()
    ear.take(0, 1, 2)
    ear.take(3, payload=payload)
    before = len(ear.heard)
    assert ear.take(4, 5, 6) >= before + 3 and loudness(ear.heard[-3:]) > 500
