import numpy as np
import pytest

from tests.fakes.sound import speechlike
from voicebot.audio.level import SlowGain, levels_db
from voicebot.audio.sound import Samples, Sound


def test_levels_are_those_of_ten_milliseconds_each() -> None:
    sound = np.concatenate([np.zeros(800, np.int16), np.tile(np.array([1000, -1000], np.int16), 400)])
    levels = levels_db(sound)
    assert len(levels) == 20
    assert levels[0] == pytest.approx(0.0) and levels[-1] == pytest.approx(60.0, abs=0.01)


def test_an_offset_is_no_sound() -> None:
    assert levels_db(np.full(160, 3000, np.int16)) == pytest.approx([0.0, 0.0])


def test_what_is_shorter_than_a_piece_has_no_level() -> None:
    assert len(levels_db(np.ones(79, np.int16))) == 0


def noisy(sound: Sound, share: float) -> Sound:
    """`sound` at `share` of its strength between silences, over noise of one step."""
    samples = Sound.silence(400).then(sound, Sound.silence(400)).samples * share
    return Sound((samples + np.random.default_rng(1).normal(0, 1, len(samples))).round().astype(np.int16), 8000)


def raised(gain: SlowGain, sound: Sound) -> Samples:
    return np.concatenate([gain.accept(frame) for frame in sound.frames()])


def test_a_quiet_voice_is_raised_within_a_syllable_and_stays_so() -> None:
    gain = SlowGain()
    quiet = noisy(speechlike(1000), 0.005)
    levels = levels_db(raised(gain, quiet))
    assert np.percentile(levels_db(quiet.samples)[50:130], 90) < 40
    assert np.percentile(levels[80:130], 90) == pytest.approx(55.0, abs=3.0)
    gain_db = gain.gain_db
    raised(gain, Sound.silence(5000))
    assert gain.gain_db == pytest.approx(gain_db, abs=1.0)


def test_a_voice_that_is_loud_enough_is_left_as_it_is() -> None:
    sound = noisy(speechlike(1000), 0.3)
    assert np.array_equal(raised(SlowGain(), sound), sound.samples)


def test_noise_alone_is_not_raised() -> None:
    rng = np.random.default_rng(2)
    hiss = Sound(rng.normal(0, 8, 40_000).round().astype(np.int16), 8000)
    assert np.array_equal(raised(SlowGain(), hiss), hiss.samples)


def test_a_shout_behind_a_quiet_voice_does_not_clip() -> None:
    gain = SlowGain()
    raised(gain, noisy(speechlike(1000), 0.005))
    shout = Sound(np.tile(np.array([30_000, -30_000], np.int16), 800), 8000)
    assert np.abs(raised(gain, shout).astype(int)).max() <= 32_767
    assert np.array_equal(gain.accept(shout.samples[:160]), shout.samples[:160])
