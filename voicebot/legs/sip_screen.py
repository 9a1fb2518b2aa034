"""Who may speak SIP to the bot, and how much: a packet filter in the kernel on the SIP stack's own sockets.

What comes from a peer that is not allowed, or does not begin like SIP, is dropped before the stack reads it and never
answered. A peer that sends too much is not heard for a while. The filters are classic BPF programs (McCanne and
Jacobson 1993; Linux: Documentation/networking/filter.rst), which need no privileges.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path

from voicebot.errors import VoicebotError

Network = IPv4Network | IPv6Network
PeerAddress = IPv4Address | IPv6Address

METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "REFER", "NOTIFY", "UPDATE", "PRACK")
"""Methods that are read (RFC 3261 and others)."""

_MOST_BLOCKED = 100
"""A filter has 4096 instructions at most (BPF_MAXINSNS); the peer that was blocked first is let in again."""
_MOST_PEERS = 1000
"""Peers whose messages are counted at a time."""

_SO_ATTACH_FILTER = 26
_NETWORK_HEADER = 0xFFF00000  # SKF_NET_OFF
_UDP_PAYLOAD = 8
_LOAD_WORD, _LOAD_BYTE, _AND, _SHIFT_RIGHT, _IF_EQUAL, _JUMP, _RETURN = 0x20, 0x30, 0x54, 0x74, 0x15, 0x05, 0x06
_ACCEPT, _DROP = 0xFFFFFFFF, 0

Instruction = tuple[int, int, int, int]
"""Operation, jump if true, jump if false, operand."""


class CannotScreen(VoicebotError):
    """The machine has no packet filters, or the SIP stack's sockets were not found."""


def program(allowed: Iterable[Network], blocked: Iterable[PeerAddress], *, datagrams: bool) -> list[Instruction]:
    """A filter that lets through what `allowed` peers send unless they are `blocked`.

    Args:
        allowed: networks of peers.
        blocked: addresses of peers that are not heard although they are allowed.
        datagrams: whether each packet is a UDP datagram, which must begin like a SIP message.
    """
    tests: dict[int, list[Instruction]] = {4: [], 6: []}
    for address in blocked:
        tests[address.version] += _if_source(_host(address), [(_RETURN, 0, 0, _DROP)])
    for network in allowed:
        tests[network.version] += _if_source(network, [(_RETURN, 0, 0, _ACCEPT)])
    drop: list[Instruction] = [(_RETURN, 0, 0, _DROP)]
    sources: list[Instruction] = [
        (_LOAD_BYTE, 0, 0, _NETWORK_HEADER),
        (_SHIFT_RIGHT, 0, 0, 4),
        (_IF_EQUAL, 1, 0, 4),
        (_JUMP, 0, 0, len(tests[4]) + 1),
        *(tests[4] + drop),
        *(tests[6] + drop),
    ]
    return (_if_begins_like_sip() if datagrams else []) + sources


def _host(address: PeerAddress) -> Network:
    return IPv4Network(address) if isinstance(address, IPv4Address) else IPv6Network(address)


def _if_source(network: Network, then: list[Instruction]) -> list[Instruction]:
    """Do `then` where the packet's source lies in `network`; otherwise go on behind it."""
    where = 12 if network.version == 4 else 8
    size = network.max_prefixlen // 32
    addresses = struct.unpack(f">{size}I", network.network_address.packed)
    masks = struct.unpack(f">{size}I", network.netmask.packed)
    code = list(then)
    for i in reversed([i for i in range(size) if masks[i]]):
        test = (_IF_EQUAL, 0, len(code), addresses[i])
        code = [(_LOAD_WORD, 0, 0, _NETWORK_HEADER + where + 4 * i), (_AND, 0, 0, masks[i]), test, *code]
    return code


def _if_begins_like_sip() -> list[Instruction]:
    starts = [struct.unpack(">I", f"{word} "[:4].encode())[0] for word in (*METHODS, "SIP/2.0")]
    tests: list[Instruction] = [(_IF_EQUAL, len(starts) - i, 0, start) for i, start in enumerate(starts)]
    return [(_LOAD_WORD, 0, 0, _UDP_PAYLOAD), *tests, (_RETURN, 0, 0, _DROP)]


@dataclass(slots=True)
class TokenBucket:
    """Lets `burst` messages through at once and `per_s` on average."""

    per_s: float
    burst: int
    _tokens: float = field(init=False)
    _at_s: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._tokens = self.burst

    def take(self, now_s: float) -> bool:
        """Count a message; False when it is one too many."""
        self._tokens = min(self.burst, self._tokens + (now_s - self._at_s) * self.per_s)
        self._at_s = now_s
        self._tokens -= 1
        return self._tokens >= 0


class Screen:
    """The filters on the sockets of one SIP stack. Used by one thread at a time."""

    def __init__(self, allowed: Iterable[Network], new_bucket: Callable[[], TokenBucket], block_s: float) -> None:
        """Prepare the filters.

        Args:
            allowed: networks of peers.
            new_bucket: how much a peer may send.
            block_s: how long one that sends more is not heard.
        """
        self._allowed = tuple(allowed)
        self._new_bucket = new_bucket
        self._block_s = block_s
        self._sockets: list[socket.socket] = []
        self._buckets: dict[PeerAddress, TokenBucket] = {}
        self._blocked: dict[PeerAddress, float] = {}

    def attach(self, host: str, ports: Iterable[int]) -> None:
        """Filter what comes to the sockets of this process that listen at `host` and one of `ports`.

        Raises:
            CannotScreen: there is none, or the kernel takes no filter.
        """
        wanted = set(ports)
        self._sockets = [door for door in _own_sockets() if _listens_at(door, host, wanted)]
        if not self._sockets:
            raise CannotScreen(
                f"The SIP stack does not listen at {host}: give an address that a network interface has."
            )
        self._filter()

    def close(self) -> None:
        """Let go of the sockets."""
        for door in self._sockets:
            door.close()
        self._sockets = []

    def count(self, peer: str, now_s: float) -> bool:
        """Count a message of `peer`; True when it is blocked for having sent too many."""
        address = ip_address(peer)
        if released := [other for other, until_s in self._blocked.items() if until_s <= now_s]:
            for other in released:
                del self._blocked[other]
            self._filter()
        if address in self._blocked:
            return False
        if len(self._buckets) >= _MOST_PEERS:
            self._buckets.clear()
        if self._buckets.setdefault(address, self._new_bucket()).take(now_s):
            return False
        del self._buckets[address]
        if len(self._blocked) >= _MOST_BLOCKED:
            del self._blocked[next(iter(self._blocked))]
        self._blocked[address] = now_s + self._block_s
        self._filter()
        return True

    def _filter(self) -> None:
        for door in self._sockets:
            code = program(self._allowed, self._blocked, datagrams=door.type == socket.SOCK_DGRAM)
            packed = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in code))
            try:
                door.setsockopt(
                    socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(code), ctypes.addressof(packed))
                )
            except OSError as error:
                raise CannotScreen(
                    f"The kernel takes no packet filter ({error.strerror}), so peers cannot be kept out: "
                    "name fewer networks in sip.allow."
                ) from None


def _own_sockets() -> Iterable[socket.socket]:
    for link in Path("/proc/self/fd").iterdir():
        try:
            if os.readlink(link).startswith("socket:"):
                yield socket.socket(fileno=os.dup(int(link.name)))
        except OSError:
            continue


def _listens_at(door: socket.socket, host: str, ports: set[int]) -> bool:
    try:
        if door.family in (socket.AF_INET, socket.AF_INET6):
            address, port = door.getsockname()[:2]
            listening = door.type == socket.SOCK_DGRAM or door.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if listening and port in ports and ip_address(address) == ip_address(host):
                return True
    except OSError:
        pass
    door.close()
    return False
