"""Which adapter reads the bills: a database, or a utility's own server over HTTP."""

from __future__ import annotations

from voicebot.billing.rest import RestStore
from voicebot.billing.sql import SqlStore
from voicebot.billing.store import BillingStore


def open_store(url: str, token: str = "", timeout_s: float = 1.0) -> BillingStore:
    """The store at `url`, which begins with http where a server answers; nothing is asked yet.

    Args:
        url: a database's or server's URL, or the path of an SQLite file.
        token: the server's key.
        timeout_s: how long a server may take for one attempt.

    Raises:
        StoreUnavailable: the URL cannot be understood.
    """
    if url.startswith(("http://", "https://")):
        return RestStore(url, token, timeout_s=timeout_s)
    return SqlStore(url)
