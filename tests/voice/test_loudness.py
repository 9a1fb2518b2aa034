import numpy as np
import pytest
from numpy.typing import NDArray

from voicebot.voice import loudness

RATE_HZ = 24000


def speech(level: float, *, before_ms: int = 0, after_ms: int = 0) -> NDArray[np.float32]:
    """A second of a tone between two silences."""
    tone = level * np.sin(2 * np.pi * 300 * np.arange(RATE_HZ) / RATE_HZ)
    silences = [np.zeros(RATE_HZ * ms // 1000) for ms in (before_ms, after_ms)]
    return np.concatenate([silences[0], tone, silences[1]]).astype(np.float32)


@pytest.mark.parametrize("level", [0.003, 0.1, 0.9])
def test_quiet_and_loud_clips_come_out_at_one_level(level: float) -> None:
    result = loudness.even(speech(level), RATE_HZ)
    assert loudness.active_level_db(result, RATE_HZ) == pytest.approx(loudness.ACTIVE_LEVEL_DB, abs=0.2)


def test_pauses_do_not_make_a_clip_louder() -> None:
    with_pause = np.concatenate([speech(0.1), np.zeros(RATE_HZ, np.float32), speech(0.1)])
    assert loudness.active_level_db(with_pause, RATE_HZ) == pytest.approx(
        loudness.active_level_db(speech(0.1), RATE_HZ), abs=0.1
    )


def test_a_clip_with_a_high_peak_stays_quieter_and_is_not_clipped() -> None:
    clip = speech(0.02)
    clip[RATE_HZ // 2] = 1.0
    result = loudness.even(clip, RATE_HZ)
    assert np.abs(result).max() == pytest.approx(10 ** (loudness.PEAK_LIMIT_DB / 20), rel=1e-3)
    assert loudness.active_level_db(result, RATE_HZ) < loudness.ACTIVE_LEVEL_DB - 3


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
