import pytest

from voicebot.hearing.events import KeysEntered
from voicebot.hearing.expectation import Completeness, Expectation
from voicebot.hearing.keypad import Keypad
from voicebot.hearing.recognizer import Reading


def expectation(*complete: str) -> Expectation:
    def keyed(digits: str) -> Completeness:
        return Completeness.COMPLETE if digits in complete else Completeness.INCOMPLETE

    return Expectation("any", lambda reading: Completeness.INCOMPLETE, keyed, lambda reading: False)


def entries(keypad: Keypad, keys: str, start_ms: int = 0, interval_ms: int = 100) -> list[str]:
    found = []
    for index, key in enumerate(keys):
        now_ms = start_ms + index * interval_ms
        keypad.press(key, now_ms)
        if entry := keypad.poll(now_ms):
            found.append(entry.digits)
    return found


def asked(*complete: str) -> Keypad:
    keypad = Keypad(3000)
    keypad.expect(expectation(*complete), 0)
    return keypad


def test_hash_ends_an_entry() -> None:
    assert entries(asked(), "300000000001#") == ["300000000001"]


def test_a_complete_entry_needs_no_hash_and_a_needless_one_is_ignored() -> None:
    keypad = asked("12")
    assert entries(keypad, "12#") == ["12"]
    keypad.expect(expectation("1"), 300)
    assert entries(keypad, "1", 400) == ["1"]


def test_a_pause_of_three_seconds_ends_an_entry_and_a_shorter_one_does_not() -> None:
    keypad = asked()
    entries(keypad, "123")
    assert keypad.poll(3199) is None
    assert keypad.poll(3200) == KeysEntered("123")
    assert keypad.poll(9999) is None


def test_a_slow_caller_who_is_still_typing_is_not_cut_off() -> None:
    assert entries(asked(), "3000000#", interval_ms=2900) == ["3000000"]


def test_star_clears_the_entry() -> None:
    assert entries(asked(), "99*12#") == ["12"]


def test_keys_ahead_of_the_question_answer_it_and_the_rest_answers_the_next() -> None:
    keypad = Keypad(3000)
    assert entries(keypad, "12#34#") == []
    keypad.expect(expectation(), 5000)
    assert keypad.poll(5000) == KeysEntered("12")
    assert keypad.poll(5000) is None
    keypad.expect(expectation(), 6000)
    assert keypad.poll(6000) == KeysEntered("34")


def test_the_timer_of_keys_typed_ahead_begins_with_the_question() -> None:
    keypad = Keypad(3000)
    entries(keypad, "12")
    keypad.expect(expectation(), 10_000)
    assert keypad.poll(10_000) is None
    assert keypad.poll(12_999) is None
    assert keypad.poll(13_000) == KeysEntered("12")


def test_the_fourth_column_is_no_part_of_a_number() -> None:
    assert entries(asked(), "1A2B#") == ["12"]


def test_hash_alone_is_an_empty_entry() -> None:
    assert entries(asked(), "#") == [""]


@pytest.mark.parametrize("key", ["", "12", "x", "٣"])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError):
        Keypad().press(key, 0)


def test_an_entry_does_not_show_its_digits() -> None:
    assert "300" not in repr(KeysEntered("300000000001"))
    assert "три" not in repr(Reading("три нула", 0.5, "30"))
