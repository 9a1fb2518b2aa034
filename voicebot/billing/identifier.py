"""Customers' numbers: the schemes that they follow, and a type that keeps them masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voicebot.errors import VoicebotError


class InvalidIdentifier(VoicebotError):
    """A number that follows none of the schemes."""


@dataclass(frozen=True, slots=True)
class IdentifierScheme:
    """One kind of number that customers are known by."""

    name: str
    """Name in settings and in the store, such as "itn"."""
    length: int
    """How many digits it has."""
    prefix: str = ""
    """The digits that every number of this kind begins with."""

    def __post_init__(self) -> None:
        only_digits = self.prefix == "" or (self.prefix.isascii() and self.prefix.isdecimal())
        if not only_digits or not max(1, len(self.prefix)) <= self.length:
            raise InvalidIdentifier(
                f"The identifier scheme {self.name!r} fits no number: its length has to be 1 or more and its prefix"
                " digits, no longer than that."
            )

    def matches(self, digits: str) -> bool:
        """Whether `digits` is a number of this kind."""
        return len(digits) == self.length and digits.isascii() and digits.isdecimal() and digits.startswith(self.prefix)

    def begins(self, digits: str) -> bool:
        """Whether `digits` could still become a number of this kind, or is one."""
        shared = min(len(digits), len(self.prefix))
        return len(digits) <= self.length and digits[:shared] == self.prefix[:shared]


class Identifier:
    """A customer's number. `str`, `repr` and format are masked; only `reveal()` gives the digits."""

    __slots__ = ("_digits", "scheme")

    def __init__(self, digits: str, scheme: str) -> None:
        self._digits = digits
        self.scheme = scheme
        """Name of the scheme that the number follows."""

    def reveal(self) -> str:
        """The digits in clear: for the store, the read-back and nothing else."""
        return self._digits

    @property
    def masked(self) -> str:
        """The form for logs: all but the last two digits hidden, and these too when there are hardly more."""
        shown = self._digits[-2:] if len(self._digits) > 4 else ""
        return "•" * (len(self._digits) - len(shown)) + shown

    def __str__(self) -> str:
        return self.masked

    def __repr__(self) -> str:
        return f"Identifier({self.masked}, {self.scheme})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identifier) and (self._digits, self.scheme) == (other._digits, other.scheme)

    def __hash__(self) -> int:
        return hash((self._digits, self.scheme))

    def __copy__(self) -> Identifier:
        return self

    def __deepcopy__(self, memo: object) -> Identifier:
        return self  # so that a dataclass that holds it can be copied and taken apart

    def __reduce__(self) -> str:
        raise TypeError("an identifier is not pickled: it would be written in clear")


@dataclass(frozen=True, slots=True)
class IdentifierSchemes:
    """The schemes that a utility uses, in the order in which they are tried."""

    schemes: tuple[IdentifierScheme, ...]

    def __init__(self, schemes: Sequence[IdentifierScheme]) -> None:
        if not schemes:
            raise InvalidIdentifier("No identifier scheme is set: name at least one under [[identifiers]].")
        object.__setattr__(self, "schemes", tuple(schemes))

    @property
    def lengths(self) -> frozenset[int]:
        """How many digits a complete number can have."""
        return frozenset(scheme.length for scheme in self.schemes)

    def parse(self, text: str) -> Identifier:
        """The identifier in `text`, where spaces and hyphens may stand between digits.

        Raises `InvalidIdentifier`.
        """
        digits = "".join(text.replace("-", " ").split())
        found = self.match(digits)
        if found is None:
            kinds = ", ".join(
                f"{s.name} has {s.length} digits" + (f" and begins with {s.prefix}" if s.prefix else "")
                for s in self.schemes
            )
            given = f"{len(digits)} digits" if digits.isascii() and digits.isdecimal() else "other signs than digits"
            raise InvalidIdentifier(f"That is not a customer's number: it has {given}, but {kinds}.")
        return found

    def match(self, digits: str) -> Identifier | None:
        """The identifier that `digits` is, by the first scheme that it follows, or None."""
        for scheme in self.schemes:
            if scheme.matches(digits):
                return Identifier(digits, scheme.name)
        return None

    def can_continue(self, digits: str) -> bool:
        """Whether more digits behind `digits` could still make a number."""
        return any(scheme.begins(digits) and len(digits) < scheme.length for scheme in self.schemes)


DEFAULT_SCHEMES = IdentifierSchemes((IdentifierScheme("itn", 7), IdentifierScheme("customer_number", 12)))
"""A metering point's ITN of 7 digits and a customer number of 12."""
