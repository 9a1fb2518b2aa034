"""Who is heard: the filters run in this machine's kernel, on sockets of the test."""

import socket
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from voicebot.legs.caller import CallerId
from voicebot.legs.sip_screen import CannotScreen, Screen, TokenBucket, program


@pytest.fixture
def door() -> Iterator[socket.socket]:
    with socket.socket(type=socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        door.settimeout(0.2)
        yield door


def screen_for(door: socket.socket, *networks: str, burst: int = 1000) -> Screen:
    screen = Screen(map(ip_network, networks), lambda: TokenBucket(1.0, burst), block_s=10)
    host, port = door.getsockname()
    screen.attach(host, [port])
    return screen


def hears(door: socket.socket, message: bytes, source: str = "127.0.0.1") -> bool:
    with socket.socket(type=socket.SOCK_DGRAM) as peer:
        peer.bind((source, 0))
        peer.sendto(message, door.getsockname())
        try:
            return door.recv(2000) == message
        except TimeoutError:
            return False


INVITE = b"INVITE sip:bot@127.0.0.1 SIP/2.0\r\n\r\n"


def test_only_allowed_peers_are_heard(door: socket.socket) -> None:
    screen_for(door, "127.0.0.0/30", "127.9.0.0/16", "::1/128")
    assert hears(door, INVITE, "127.0.0.2") and hears(door, INVITE, "127.9.200.1")
    assert not hears(door, INVITE, "127.0.0.4") and not hears(door, INVITE, "127.8.0.1")


@pytest.mark.parametrize(
    ("message", "heard"),
    [
        (INVITE, True),
        (b"SIP/2.0 200 OK\r\n\r\n", True),
        (b"BYE sip:bot SIP/2.0\r\n\r\n", True),
        (b"REGISTER sip:bot SIP/2.0\r\n\r\n", False),
        (b"SUBSCRIBE sip:bot SIP/2.0\r\n\r\n", False),
        (b"FRIENDLY-SCANNER", False),
        (b"\x00\x01\x02\x03", False),
        (b"IN", False),
        (b"", False),
    ],
)
def test_what_does_not_begin_like_a_message_for_the_bot_is_dropped(
    message: bytes, heard: bool, door: socket.socket
) -> None:
    screen_for(door, "127.0.0.0/8")
    assert hears(door, message) is heard


def test_a_peer_that_sends_too_much_is_not_heard_for_a_while(door: socket.socket) -> None:
    screen = screen_for(door, "127.0.0.0/8", burst=3)
    assert [screen.count("127.0.0.1", now_s) for now_s in (0, 0, 0, 0.1, 0.2)] == [False, False, False, True, False]
    assert not hears(door, INVITE) and hears(door, INVITE, "127.0.0.2")
    assert not screen.count("127.0.0.2", 10.2)
    assert hears(door, INVITE)


def test_a_peer_within_its_rate_is_never_blocked() -> None:
    bucket = TokenBucket(per_s=10, burst=5)
    assert all(bucket.take(now_s / 10) for now_s in range(1000))


def test_filters_of_ipv6_test_the_whole_address() -> None:
    assert len(program([ip_network("2001:db8::/128")], [], datagrams=False)) == 4 + 1 + 13 + 1


def test_too_many_networks_are_told(door: socket.socket) -> None:
    with pytest.raises(CannotScreen, match=r"sip\.allow"):
        screen_for(door, *(f"10.{i >> 8}.{i & 255}.0/24" for i in range(1200)))


def test_a_stack_that_listens_nowhere_is_told() -> None:
    with pytest.raises(CannotScreen):
        Screen([], lambda: TokenBucket(1, 1), 1).attach("127.0.0.1", [1])


def test_a_caller_is_masked_in_every_form() -> None:
    caller = CallerId("sip:+359888123456@192.0.2.1")
    assert {str(caller), f"{caller}"} == {"sip:•••••••••••56@192.0.2.1"} and "888" not in repr(caller)
    assert str(CallerId("sip:1234@192.0.2.1")) == "sip:••••@192.0.2.1"


def test_calls_of_one_number_are_known_to_be_so_unless_it_is_withheld() -> None:
    fingerprint = CallerId("sip:+359888123456@192.0.2.1").fingerprint
    assert fingerprint == CallerId("sip:+359888123456@trunk.example.org;user=phone").fingerprint
    assert fingerprint != CallerId("sip:+359888123457@192.0.2.1").fingerprint and "888123456" not in fingerprint
    assert CallerId("sip:anonymous@anonymous.invalid").fingerprint == ""
