import numpy as np
import pytest

from voicebot.audio.level import levels_db


def test_levels_are_those_of_ten_milliseconds_each() -> None:
    sound = np.concatenate([np.zeros(800, np.int16), np.tile(np.array([1000, -1000], np.int16), 400)])
    levels = levels_db(sound)
    assert len(levels) == 20
    assert levels[0] == pytest.approx(0.0) and levels[-1] == pytest.approx(60.0, abs=0.01)


def test_an_offset_is_no_sound() -> None:
    assert levels_db(np.full(160, 3000, np.int16)) == pytest.approx([0.0, 0.0])


def test_what_is_shorter_than_a_piece_has_no_level() -> None:
    assert len(levels_db(np.ones(79, np.int16))) == 0
