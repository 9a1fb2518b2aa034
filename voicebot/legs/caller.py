"""Who rings: a telephone caller's address as a type that keeps it masked."""

from __future__ import annotations

import re

_USER = re.compile(r"(sips?:)([^@\s<>;]+)@", re.IGNORECASE)


class CallerId:
    """A caller's SIP address. `str`, `repr` and format show the last two signs of its user part; nothing gives more."""

    __slots__ = ("_uri",)

    def __init__(self, uri: str) -> None:
        self._uri = mask_addresses(uri)

    def __str__(self) -> str:
        return self._uri

    def __repr__(self) -> str:
        return f"CallerId({self._uri})"


def mask_addresses(text: str) -> str:
    """`text` with the user part of each SIP address in it masked but for its last two signs."""
    return _USER.sub(lambda found: f"{found[1]}{_masked(found[2])}@", text)


def _masked(user: str) -> str:
    return "•" * (len(user) - 2) + user[-2:] if len(user) > 4 else "•" * len(user)
