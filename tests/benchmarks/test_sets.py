from pathlib import Path

from sets import GROUPS, in_turn, numbers, strings
from speakers import FestivalSpeaker
from utterances import Item, Row, read_table, write_table

from voicebot.audio.sound import Sound

SPEAKER = FestivalSpeaker("czech_dita")


def test_strings_are_of_both_lengths_and_the_same_again() -> None:
    items = list(strings(SPEAKER, 4, 2, 1))
    assert [len(item.row.digits) for item in items] == [7] * 6 + [12] * 6
    assert [item.row.manner for item in items[:6]] == ["natural"] * 4 + ["groups"] * 2
    assert [item.path for item in items] == [item.path for item in strings(SPEAKER, 4, 2, 1)]
    assert [item.path for item in items] != [item.path for item in strings(SPEAKER, 4, 2, 2)]


def test_half_of_the_long_numbers_begin_as_customer_numbers_do() -> None:
    long = [item.row.digits for item in strings(SPEAKER, 10, 0, 1) if len(item.row.digits) == 12]
    assert sum(digits.startswith("300") for digits in long) == 5


def test_groups_make_up_the_number() -> None:
    assert all(sum(sizes) == length for length, ways in GROUPS.items() for sizes in ways)


def test_a_hundred_numbers_are_each_said_in_three_ways() -> None:
    items = list(numbers([FestivalSpeaker("czech_ph")], [SPEAKER], 5, 1))
    first, again = items[:300], items[300:]
    assert len({item.row.digits for item in first}) == 100
    assert [item.row.voice for item in first].count("czech_ph") == 5
    assert {item.row.voice for item in again} == {"czech_ph"}
    assert [item.row.text for item in again] == [i.row.text for i in first if i.row.voice == SPEAKER.name]


def test_voices_are_rendered_in_turn() -> None:
    items = [Item(Row(voice=voice, text=str(number)), "", Sound.silence) for voice in "ab" for number in range(2)]
    assert [item.row.voice for item in in_turn(items)] == ["a", "b", "a", "b"]


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    rows = [{"path": "a.wav", "text": 'три "нула"'}, {"path": "b.wav", "text": ""}]
    write_table(tmp_path / "index.tsv", ("path", "text"), rows)
    assert read_table(tmp_path / "index.tsv") == rows
