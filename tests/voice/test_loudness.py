import numpy as np
import pytest
from numpy.typing import NDArray

from voicebot.audio.sound import TELEPHONE_RATE_HZ, Sound
from voicebot.voice import loudness

RATE_HZ = 24000


def speech(level: float, *, before_ms: int = 0, after_ms: int = 0) -> NDArray[np.float32]:
    """A second of a tone between two silences."""
    tone = level * np.sin(2 * np.pi * 300 * np.arange(RATE_HZ) / RATE_HZ)
    silences = [np.zeros(RATE_HZ * ms // 1000) for ms in (before_ms, after_ms)]
    return np.concatenate([silences[0], tone, silences[1]]).astype(np.float32)


@pytest.mark.parametrize("rate_hz", [8000, 22050, 24000, 48000])
def test_the_meter_reads_what_bs_1770_says_of_its_reference_tone(rate_hz: int) -> None:
    """Annex 1: a sine of 997 Hz at full scale in one channel is -3.01 LKFS."""
    tone = np.sin(2 * np.pi * 997 * np.arange(3 * rate_hz) / rate_hz)
    assert loudness.loudness_lufs(tone, rate_hz) == pytest.approx(-3.01, abs=0.05)
    assert loudness.loudness_lufs(tone / 10, rate_hz) == pytest.approx(-23.01, abs=0.05)


def test_the_meter_weighs_low_hum_less_and_brightness_more() -> None:
    def tone(hz: float) -> float:
        return loudness.loudness_lufs(np.sin(2 * np.pi * hz * np.arange(RATE_HZ) / RATE_HZ), RATE_HZ)

    assert tone(50) < tone(1000) - 2 < tone(3000) - 4


@pytest.mark.parametrize("level", [0.003, 0.1, 0.9])
@pytest.mark.parametrize("duration_ms", [120, 300, 1000, 4000])
def test_clips_of_any_level_and_length_come_out_equally_loud(level: float, duration_ms: int) -> None:
    clip = np.tile(speech(level), 4)[: RATE_HZ * duration_ms // 1000]
    result = loudness.even(clip, RATE_HZ)
    spoken = result[RATE_HZ * loudness.LEAD_MS // 1000 : -RATE_HZ * loudness.TAIL_MS // 1000]
    assert loudness.loudness_lufs(spoken, RATE_HZ) == pytest.approx(loudness.TARGET_LUFS, abs=0.3)


def test_pauses_do_not_make_a_clip_louder() -> None:
    with_pause = np.concatenate([speech(0.1), np.zeros(RATE_HZ, np.float32), speech(0.1)])
    plain = loudness.loudness_lufs(speech(0.1), RATE_HZ)
    assert loudness.loudness_lufs(with_pause, RATE_HZ) == pytest.approx(plain, abs=1.0)


def test_a_clip_with_a_high_peak_stays_quieter_and_is_not_clipped_between_samples_either() -> None:
    clip = speech(0.02)
    clip[RATE_HZ // 2 : RATE_HZ // 2 + 2] = 1.0
    result = loudness.even(clip, RATE_HZ)
    assert loudness.true_peak_db(result, RATE_HZ) == pytest.approx(loudness.TRUE_PEAK_DB, abs=0.01)
    assert 20 * np.log10(np.abs(result).max()) < loudness.TRUE_PEAK_DB


def test_a_peak_that_rises_on_the_telephone_is_not_clipped_there() -> None:
    phase = 2 * np.pi * 1400 * np.arange(96) / 24_000
    burst = np.hanning(len(phase)) * (np.sin(phase) / 2 + np.sin(3 * phase) / 12)  # 4.2 kHz flatten the crests
    clip = np.zeros(48_000)
    for begin in range(0, len(clip), 9_600):  # seldom enough for the peak to bound the level
        clip[begin : begin + len(burst)] = burst
    telephone = Sound.from_float(loudness.even(clip, 24_000), 24_000).resampled(TELEPHONE_RATE_HZ)
    peak_db = loudness.true_peak_db(telephone.samples / 32768, TELEPHONE_RATE_HZ)
    assert peak_db == pytest.approx(loudness.TRUE_PEAK_DB, abs=0.05)


def test_a_faint_sound_before_a_stop_is_taken_out_and_a_loud_one_left() -> None:
    gap, word = np.zeros(RATE_HZ * 60 // 1000, np.float32), speech(0.5)
    for level, left in ((0.02, False), (0.3, True)):
        start = speech(level)[: RATE_HZ * 70 // 1000]
        clip = loudness.without_false_start(np.concatenate([gap, start, gap, word]), RATE_HZ)
        assert bool(clip[: len(gap) + len(start) + len(gap)].any()) == left
        assert np.array_equal(clip[-len(word) :], word)


def test_dither_keeps_what_lies_below_one_step() -> None:
    """A sine of half a step would be rounded to nothing; dithered, it is still there, in noise of less than a step."""
    sine = np.sin(2 * np.pi * 400 * np.arange(RATE_HZ) / RATE_HZ)
    heard = loudness.pcm(0.45 * sine / 32768, RATE_HZ).samples.astype(float)
    assert 2 * (heard @ sine) / len(sine) == pytest.approx(0.45, abs=0.05)
    assert np.array_equal(heard, loudness.pcm(0.45 * sine / 32768, RATE_HZ).samples)
    assert np.abs(loudness.pcm(np.zeros(RATE_HZ), RATE_HZ).samples).max() <= 1


@pytest.mark.parametrize("before_ms, after_ms", [(0, 0), (10, 500), (700, 0), (300, 300)])
def test_silence_around_the_speech_is_brought_to_a_known_length(before_ms: int, after_ms: int) -> None:
    result = loudness.even(speech(0.3, before_ms=before_ms, after_ms=after_ms), RATE_HZ)
    expected_ms = 1000 + loudness.LEAD_MS + loudness.TAIL_MS
    assert len(result) * 1000 / RATE_HZ == pytest.approx(expected_ms, abs=6)


def test_both_edges_begin_and_end_at_zero() -> None:
    hum = np.full(RATE_HZ, 0.5, np.float32) + speech(0.3)
    result = loudness.even(hum, RATE_HZ)
    assert result[0] == 0.0
    assert result[-1] == 0.0


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros(5000, np.float32)])
def test_a_clip_without_sound_becomes_a_short_silence(samples: NDArray[np.float32]) -> None:
    result = loudness.even(samples, RATE_HZ)
    assert not result.any()
    assert len(result) == RATE_HZ * (loudness.LEAD_MS + loudness.TAIL_MS) // 1000
