"""The record of what was told of whom: who a customer is, is told only by a keyed hash."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from voicebot.billing.identifier import Identifier
from voicebot.errors import VoicebotError


class NoDisclosure(VoicebotError):
    """What is told cannot be recorded, so nothing is told."""


class Disclosures:
    """Appends a JSON line for each answer to `disclosures.jsonl`; its key lies beside it, for this user alone.

    Several machines that share customers share the file `key`, else the same customer has another hash on each.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def record(self, what: str, channel: str, identifier: Identifier, *, found: bool, visitor: str = "") -> None:
        """Write that something is about to be told.

        Args:
            what: "balance", "history" and the like.
            channel: "telephone", "browser", "recordings", "web", "api" or "command".
            identifier: of whom; kept as a keyed hash.
            found: False where the answer is that there is nothing to tell.
            visitor: who asks, such as an address; kept as a keyed hash.

        Raises:
            NoDisclosure: it cannot be written; then nothing may be told.
        """
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "what": what,
            "channel": channel,
            "identifier": self.pseudonym(f"{identifier.scheme}:{identifier.reveal()}"),
            "found": found,
            "visitor": self.pseudonym(visitor) if visitor else None,
        }
        try:
            descriptor = os.open(self._folder / "disclosures.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with open(descriptor, "ab", buffering=0) as file:
                # One write of one line: lines of several processes do not mix.
                file.write(json.dumps(line).encode() + b"\n")
        except OSError as error:
            raise self._refusal(error) from error

    def pseudonym(self, text: str) -> str:
        """The keyed hash of `text` (HMAC-SHA-256, 128 bits of it); raises `NoDisclosure`."""
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:32]

    def derived_key(self, purpose: str) -> bytes:
        """32 bytes for another purpose than pseudonyms; raises `NoDisclosure`."""
        return hmac.new(self._key, f"key:{purpose}".encode(), hashlib.sha256).digest()

    @cached_property
    def _key(self) -> bytes:
        path = self._folder / "key"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            # A whole key or none, also where two processes begin at once.
            new = path.with_name(f".key.{secrets.token_hex(8)}")
            if not path.exists():
                with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(secrets.token_bytes(32))
                try:
                    os.link(new, path)
                except FileExistsError:
                    pass
                finally:
                    new.unlink()
            key = path.read_bytes()
        except OSError as error:
            raise self._refusal(error) from error
        if len(key) < 32:
            raise NoDisclosure(f"The key {path} is too short: bring it back from a backup, or remove it.")
        return key

    def _refusal(self, error: OSError) -> NoDisclosure:
        return NoDisclosure(
            f"What is told of customers cannot be recorded in {self._folder} ({error.strerror}), so nothing is told:"
            " let this user write there or set audit.folder."
        )
