import pytest
from screening import digits_in, intent_of


@pytest.mark.parametrize(
    "heard, digits",
    [
        ("нула три, нула, шест, седем, пет, три.", "0306753"),
        ("4, 7, 6, 5, 1, 5, 6", "4765156"),
        ("две три седем 0 8 2 8", "2370828"),
        ("едно че тири петедно", "1451"),
        ("Осъм, дивет.", "89"),
        ("", ""),
    ],
)
def test_digits_are_found_in_what_whisper_writes(heard: str, digits: str) -> None:
    assert digits_in(heard, "bg") == digits


def test_digits_of_other_languages_have_their_own_names() -> None:
    assert digits_in("Один, п'ять, дев'ять", "uk") == "159"


@pytest.mark.parametrize("heard, intent", [("Точно така.", "yes"), ("Не.", "no"), ("Хладилник", "")])
def test_a_phrase_is_the_nearest_of_its_question(heard: str, intent: str) -> None:
    assert intent_of(heard, "confirm") == intent
