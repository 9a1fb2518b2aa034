import copy
import dataclasses
import json
import logging
import pickle
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.billing.identifier import (
    DEFAULT_SCHEMES,
    Identifier,
    IdentifierScheme,
    IdentifierSchemes,
    InvalidIdentifier,
)
from voicebot.billing.store import Account
from voicebot.errors import VoicebotError

DIGITS = "300712345689"
IDENTIFIER = Identifier(DIGITS, "customer_number")
SCHEMES = IdentifierSchemes([IdentifierScheme("itn", 7), IdentifierScheme("customer_number", 12, prefix="3")])
MASKED = "••••••••••89"


def test_text_forms_are_masked() -> None:
    assert str(IDENTIFIER) == f"{IDENTIFIER}" == "%s" % IDENTIFIER == IDENTIFIER.masked == MASKED  # noqa: UP031
    assert repr(IDENTIFIER) == f"{IDENTIFIER!r}" == f"Identifier({MASKED}, customer_number)"
    assert "3007" not in f"{[IDENTIFIER]} {IDENTIFIER!a}"


def test_log_record_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("found %s, %r", IDENTIFIER, {"identifier": IDENTIFIER})
    assert MASKED in caplog.text
    assert "30071" not in caplog.text


def test_what_holds_an_identifier_is_masked_as_well() -> None:
    account = Account(IDENTIFIER, "household", (), datetime(2026, 11, 23, tzinfo=UTC))
    assert MASKED in repr(account)
    assert "30071" not in repr(account)
    assert dataclasses.asdict(account)["identifier"] is IDENTIFIER


@given(st.text("0123456789", min_size=1, max_size=4))
def test_short_number_is_masked_entirely(digits: str) -> None:
    assert set(str(Identifier(digits, "code"))) == {"•"}


@given(st.text("0123456789", min_size=5, max_size=16))
def test_mask_has_the_length_of_the_number_and_shows_two_digits(digits: str) -> None:
    masked = str(Identifier(digits, "any"))
    assert len(masked) == len(digits)
    assert masked.strip("•") == digits[-2:]


def test_number_in_clear_has_to_be_asked_for() -> None:
    assert IDENTIFIER.reveal() == DIGITS


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_is_refused(protocol: int) -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps([IDENTIFIER], protocol)


def test_json_is_refused() -> None:
    with pytest.raises(TypeError):
        json.dumps({"identifier": IDENTIFIER})


def test_copies_are_the_identifier_itself() -> None:
    assert copy.copy(IDENTIFIER) is IDENTIFIER
    assert copy.deepcopy([IDENTIFIER])[0] is IDENTIFIER


def test_identifiers_are_equal_by_digits_and_scheme() -> None:
    assert IDENTIFIER == Identifier(DIGITS, "customer_number")
    assert hash(IDENTIFIER) == hash(Identifier(DIGITS, "customer_number"))
    assert IDENTIFIER != Identifier(DIGITS, "itn")
    assert IDENTIFIER != Identifier(DIGITS[:-1] + "0", "customer_number")
    assert IDENTIFIER != DIGITS


@pytest.mark.parametrize(
    ("text", "scheme", "digits"),
    [
        ("1000001", "itn", "1000001"),
        ("100 00 01", "itn", "1000001"),
        (" 300-000-000-001\n", "customer_number", "300000000001"),
    ],
)
def test_number_is_parsed_with_spaces_and_hyphens_in_it(text: str, scheme: str, digits: str) -> None:
    identifier = SCHEMES.parse(text)
    assert (identifier.reveal(), identifier.scheme) == (digits, scheme)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "other signs than digits"),
        ("123456", "it has 6 digits"),
        ("12345678", "it has 8 digits"),
        ("400000000001", "begins with 3"),
        ("100000a", "other signs than digits"),
        ("١٠٠٠٠٠١", "other signs than digits"),
        ("100000²", "other signs than digits"),
        ("100/0001", "other signs than digits"),
    ],
)
def test_text_of_no_scheme_is_refused_with_a_sentence_that_says_why(text: str, reason: str) -> None:
    with pytest.raises(InvalidIdentifier) as refusal:
        SCHEMES.parse(text)
    assert reason in str(refusal.value)
    assert "itn has 7 digits" in str(refusal.value)
    assert text == "" or text not in str(refusal.value)
    assert isinstance(refusal.value, VoicebotError)


def test_first_scheme_that_matches_wins() -> None:
    schemes = IdentifierSchemes([IdentifierScheme("a", 7, "1"), IdentifierScheme("b", 7)])
    assert schemes.parse("1234567").scheme == "a"
    assert schemes.parse("2234567").scheme == "b"
    assert schemes.lengths == {7}


def test_metering_points_and_customer_numbers_are_known_by_default() -> None:
    assert DEFAULT_SCHEMES.parse("1000001").scheme == "itn"
    assert DEFAULT_SCHEMES.parse("300000000001").scheme == "customer_number"
    assert DEFAULT_SCHEMES.lengths == {7, 12}


@pytest.mark.parametrize(
    ("digits", "continues"),
    [
        ("", True),
        ("3", True),
        ("100000", True),
        ("1000001", False),
        ("3000000", True),
        ("30000000000", True),
        ("300000000001", False),
        ("10000012", False),
    ],
)
def test_digits_continue_only_towards_a_scheme(digits: str, continues: bool) -> None:
    assert SCHEMES.can_continue(digits) is continues


@given(st.text("0123456789", max_size=14))
def test_every_beginning_of_a_match_can_continue(digits: str) -> None:
    if SCHEMES.match(digits):
        assert all(SCHEMES.can_continue(digits[:n]) for n in range(len(digits)) if n not in (7, 12))


def test_schemes_cannot_be_empty() -> None:
    with pytest.raises(InvalidIdentifier, match=r"\[\[identifiers\]\]"):
        IdentifierSchemes([])


@pytest.mark.parametrize(("length", "prefix"), [(0, ""), (-1, ""), (2, "300"), (7, "3a"), (7, "-"), (7, "٣")])
def test_scheme_that_fits_no_number_is_refused(length: int, prefix: str) -> None:
    with pytest.raises(InvalidIdentifier, match="'code' fits no number"):
        IdentifierScheme("code", length, prefix)
