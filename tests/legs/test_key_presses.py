import pytest

from voicebot.legs.key_presses import KeyPresses


def counted(*told: tuple[float, str]) -> str:
    """The keys that count of those that go down, and up where the key is "", at these times in s."""
    presses, found = KeyPresses(), ""
    for at_s, key in sorted(told, key=lambda one: one[0]):
        if not key:
            presses.up(at_s)
        elif presses.down(key, at_s):
            found += key
    return found


def pressed(at_s: float, key: str, for_s: float = 0.1) -> list[tuple[float, str]]:
    return [(at_s, key), (at_s + for_s, "")]


@pytest.mark.parametrize("later_s", [-0.03, 0.0, 0.05, 0.08, 0.15])
def test_presses_that_a_telephone_tells_by_both_ways_count_once(later_s: float) -> None:
    told = [
        one
        for at_s, key in enumerate("500057", start=1)
        for one in (*pressed(at_s, key), *pressed(at_s + later_s, key, 0.07))
    ]
    assert counted(*told) == "500057"


def test_equal_keys_one_after_the_other_count_each() -> None:
    assert counted(*pressed(1.0, "0"), *pressed(1.17, "0"), *pressed(1.34, "0")) == "000"


@pytest.mark.parametrize("late_s", [0.0, 0.001, 0.03])
def test_equal_keys_that_a_busy_machine_tells_late_count_each(late_s: float) -> None:
    assert counted(*pressed(1.0, "3"), *pressed(1.2, "0"), *pressed(1.3 + late_s, "0")) == "300"
