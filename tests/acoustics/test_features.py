"""The features are Kaldi's."""

import numpy as np
import pytest

from voicebot.acoustics.features import BINS, MFCC_CONF, mel_filters, mfcc


def _sound(samples: int = 8000) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(samples) * 3000


def test_they_agree_with_kaldi() -> None:
    kaldi = pytest.importorskip("kaldi_native_fbank", reason="needs the train extra: pip install -e '.[train]'")
    options = kaldi.MfccOptions()
    options.frame_opts.samp_freq = 8000
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = True
    options.use_energy = False
    options.num_ceps = options.mel_opts.num_bins = BINS
    options.mel_opts.low_freq, options.mel_opts.high_freq = 100, 3800
    computer = kaldi.OnlineMfcc(options)
    computer.accept_waveform(8000, _sound().tolist())
    computer.input_finished()
    expected = np.array([computer.get_frame(number) for number in range(computer.num_frames_ready)])
    found = mfcc(_sound())
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-3


def test_a_frame_begins_every_ten_milliseconds() -> None:
    assert mfcc(_sound(199)).shape == (0, BINS)
    assert mfcc(_sound(200)).shape == (1, BINS)
    assert mfcc(_sound(279)).shape == (1, BINS)
    assert mfcc(_sound(280)).shape == (2, BINS)


def test_digital_silence_has_finite_features() -> None:
    assert np.isfinite(mfcc(np.zeros(800))).all()


def test_a_warp_moves_a_tone_to_a_higher_filter() -> None:
    tone_bin = 40  # 1250 Hz
    plain, warped = (mel_filters(warp)[:, tone_bin].argmax() for warp in (1.0, 1.15))
    assert warped > plain


def test_what_kaldi_is_told_is_what_is_computed() -> None:
    told = dict(line.removeprefix("--").split("=") for line in MFCC_CONF.splitlines())
    assert told["num-mel-bins"] == told["num-ceps"] == str(BINS)
    assert (told["low-freq"], told["high-freq"], told["use-energy"]) == ("100", "3800", "false")
