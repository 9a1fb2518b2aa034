import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot.audio.sound import Sound
from voicebot.audio.tones import KEYS, ToneDetector, dtmf


def heard(sound: Sound, piece: int = 160) -> str:
    detector = ToneDetector()
    return "".join(
        key
        for start in range(0, len(sound.samples), piece)
        for key in detector.accept(sound.samples[start : start + piece])
    )


def with_noise(sound: Sound, snr_db: float, seed: int = 1) -> Sound:
    signal = sound.samples.astype(float)
    loud = signal[np.abs(signal) > 0]
    noise = np.random.default_rng(seed).standard_normal(len(signal)) * loud.std() / 10 ** (snr_db / 20)
    return Sound.from_float((signal + noise) / 32768, sound.rate_hz)


@given(st.text(alphabet=KEYS, max_size=16), st.integers(1, 500))
@settings(max_examples=40, deadline=None)
def test_each_key_is_heard_once_however_the_sound_is_cut(keys: str, piece: int) -> None:
    assert heard(dtmf(keys), piece) == keys


def test_shortest_tones_of_the_standard_are_heard() -> None:
    assert heard(dtmf("300000000001#", tone_ms=40, gap_ms=40)) == "300000000001#"


def test_a_held_key_counts_once() -> None:
    assert heard(dtmf("5", tone_ms=2000)) == "5"


def test_a_dropped_frame_does_not_double_a_key() -> None:
    tone = dtmf("7", tone_ms=300).samples.copy()
    tone[800:880] = 0
    assert heard(Sound(tone, 8000)) == "7"


@pytest.mark.parametrize("level_dbfs", [-3, -20, -30])
def test_loud_and_soft_keys_are_heard(level_dbfs: float) -> None:
    assert heard(dtmf("1590#", level_dbfs=level_dbfs)) == "1590#"


def test_keys_are_heard_over_noise() -> None:
    assert heard(with_noise(dtmf(KEYS), 15)) == KEYS


@pytest.mark.parametrize("high_over_low_db, expected", [(3, "5"), (-7, "5"), (7, ""), (-12, "")])
def test_tones_of_unlike_level_are_a_key_only_within_the_allowed_twist(high_over_low_db: float, expected: str) -> None:
    time_s = np.arange(800) / 8000
    tones = np.sin(2 * np.pi * 770 * time_s) + 10 ** (high_over_low_db / 20) * np.sin(2 * np.pi * 1336 * time_s)
    assert heard(Sound.from_float(0.1 * tones, 8000).then(Sound.silence(100))) == expected


def test_noise_and_single_tones_are_no_keys() -> None:
    noise = Sound.from_float(0.2 * np.random.default_rng(3).standard_normal(80000), 8000)
    dial_tone = Sound.from_float(0.3 * np.sin(2 * np.pi * 425 * np.arange(80000) / 8000), 8000)
    assert heard(noise) + heard(dial_tone) == ""


def test_a_sign_on_no_keypad_is_refused() -> None:
    with pytest.raises(ValueError):
        dtmf("1x")
