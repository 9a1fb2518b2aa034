"""Simulated lines change sound as real ones do."""

import numpy as np
import pytest

from voicebot.acoustics import telephone

RATE = 8000


def _tone(hertz: float, seconds: float = 1.0) -> telephone.Wave:
    return 8000 * np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE)


def _power(wave: telephone.Wave) -> float:
    return float(np.square(wave).mean())


@pytest.mark.parametrize("codec", [code for _, code in telephone.CODECS.values()], ids=list(telephone.CODECS))
@pytest.mark.parametrize("size", [1, 4001, 8000])
def test_a_codec_keeps_the_length(codec, size: int) -> None:
    assert len(codec(_tone(440)[:size])) == size


@pytest.mark.parametrize("codec", [telephone.a_law, telephone.mu_law, telephone.adpcm, telephone.gsm])
def test_a_codec_keeps_a_tone_but_not_exactly(codec) -> None:
    tone = _tone(440)
    coded = codec(tone)
    assert np.corrcoef(tone, coded)[0, 1] > 0.9
    assert np.abs(tone - coded).max() > 1


def test_a_law_has_the_signal_to_noise_ratio_of_g711() -> None:
    tone = _tone(1020)
    ratio_db = 10 * np.log10(_power(tone) / _power(tone - telephone.a_law(tone)))
    assert 35 < ratio_db < 42


def test_the_band_ends_at_300_and_3400_hertz() -> None:
    middle = _power(telephone.band_limited(_tone(1000)))
    for hertz in (100, 3800):
        assert _power(telephone.band_limited(_tone(hertz))) < middle / 100


def test_clipping_cuts_at_a_share_of_the_peak() -> None:
    assert np.abs(telephone.clipped(_tone(440), 0.25)).max() == pytest.approx(2000, rel=1e-3)


def test_lost_packets_are_whole_and_others_untouched() -> None:
    tone = _tone(440, 10)
    lossy = telephone.with_packet_loss(tone, np.random.default_rng(1), 0.05, conceal=False)
    changed = (lossy != tone).reshape(-1, 160).any(axis=1)
    assert 0.02 < changed.mean() < 0.2
    assert not lossy.reshape(-1, 160)[changed].any()


def test_a_gate_lets_noise_through_around_speech_alone() -> None:
    noise = telephone.white(32000, np.random.default_rng(0))
    for seed in range(20):
        heard = telephone.gated(noise, 12000, 20000, np.random.default_rng(seed))
        assert np.array_equal(heard[11600:20400], noise[11600:20400])
        assert _power(heard[:8000]) < 0.1 * _power(noise) and _power(heard[24000:]) < 0.1 * _power(noise)


def test_a_room_lets_the_sound_die_away_slowly() -> None:
    click = np.zeros(8000)
    click[0] = 10000
    echoed = telephone.in_room(click, np.random.default_rng(0), 0.4, 0.5)
    assert echoed[0] == pytest.approx(10000)
    assert _power(echoed[100:800]) > _power(echoed[1600:2300]) > 0


@pytest.mark.parametrize("noise", sorted(set(telephone.BACKGROUNDS), key=lambda n: n.__name__))
def test_a_background_has_power_one(noise) -> None:
    assert _power(noise(16000, np.random.default_rng(3))) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("event", sorted(set(telephone.EVENTS), key=lambda e: e.__name__))
def test_an_event_has_a_peak_of_one_and_is_short(event) -> None:
    sound = event(np.random.default_rng(4))
    assert np.abs(sound).max() == pytest.approx(1, abs=1e-6)
    assert len(sound) <= 2 * RATE


def test_events_on_a_line_lie_beside_the_utterance() -> None:
    line = telephone.Line([_tone(200)], [])
    rng = np.random.default_rng(5)
    seen = 0
    for _ in range(40):
        call = line.through(_tone(440, 0.5), rng)
        for event in call.events:
            seen += 1
            assert event.end <= call.lead or event.begin >= call.lead + 4000
        assert np.abs(call.wave).max() <= 32768
    assert seen


def test_the_same_seed_gives_the_same_call() -> None:
    line = telephone.Line([_tone(200)], [_tone(300)])
    first, second = (line.through(_tone(440), np.random.default_rng(6)).wave for _ in range(2))
    assert np.array_equal(first, second)


def test_a_line_on_which_nobody_speaks_is_a_call_too() -> None:
    line, rng = telephone.Line([_tone(200)], [_tone(300)]), np.random.default_rng(7)
    calls = [line.without_speech(rng) for _ in range(40)]
    assert all(2 * 8000 <= len(call.wave) <= 6 * 8000 and np.isfinite(call.wave).all() for call in calls)
    assert all(0 <= event.begin < event.end <= len(call.wave) for call in calls for event in call.events)
    assert {bool(call.events) for call in calls} == {True, False}


def test_recorded_music_plays_on_some_lines() -> None:
    tune_hz = 3000.0
    line, rng = telephone.Line([_tone(200)], [_tone(300)], [_tone(tune_hz, 3.0)]), np.random.default_rng(8)
    playing = 0
    for _ in range(60):
        wave = line.without_speech(rng).wave
        power = np.square(np.abs(np.fft.rfft(wave)))
        near = np.abs(np.fft.rfftfreq(len(wave), 1 / RATE) - tune_hz) < 20
        playing += power[near].sum() > 0.5 * power.sum()
    assert 3 <= playing <= 20
