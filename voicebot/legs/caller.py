"""Who rings: a telephone caller's address as a type that keeps it masked."""

from __future__ import annotations

import hashlib
import re

_USER = re.compile(r"(sips?:)([^@\s<>;]+)@", re.IGNORECASE)


_WITHHELD = frozenset(("", "anonymous", "restricted", "unavailable", "unknown"))


class CallerId:
    """A caller's SIP address. `str`, `repr` and format show the last two signs of its user part; nothing gives more."""

    __slots__ = ("_uri", "fingerprint")

    def __init__(self, uri: str) -> None:
        self._uri = mask_addresses(uri)
        found = _USER.search(uri)
        user = found[2].lower() if found else ""
        self.fingerprint = "" if user in _WITHHELD else hashlib.sha256(user.encode()).hexdigest()
        """The same for each call of one number, "" where it is withheld. Not secret enough to be written down."""

    def __str__(self) -> str:
        return self._uri

    def __repr__(self) -> str:
        return f"CallerId({self._uri})"


def mask_addresses(text: str) -> str:
    """`text` with the user part of each SIP address in it masked but for its last two signs."""
    return _USER.sub(lambda found: f"{found[1]}{_masked(found[2])}@", text)


def _masked(user: str) -> str:
    return "•" * (len(user) - 2) + user[-2:] if len(user) > 4 else "•" * len(user)
