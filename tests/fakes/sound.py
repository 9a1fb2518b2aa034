"""Sound that a voice activity detector takes for speech, made without a voice."""

import numpy as np

from voicebot.audio.sound import Sound


def cough(seed: int) -> Sound:
    """Two bursts of throaty noise, the second longer and weaker, as loud as speech."""
    rng = np.random.default_rng(seed)
    bursts = []
    for duration_ms, level in ((rng.integers(90, 160), 0.3), (rng.integers(150, 260), 0.15)):
        noise = np.convolve(rng.normal(size=8 * duration_ms), np.hanning(7) / 3, "same")
        bursts += [level * noise * np.exp(-4 * np.linspace(0, 1, len(noise))), np.zeros(8 * int(rng.integers(60, 120)))]
    return Sound.from_float(np.concatenate(bursts), 8000)


def speechlike(duration_ms: int = 1000) -> Sound:
    """A buzz of 140 Hz with two formants that swells and fades four times a second."""
    time_s = np.arange(8 * duration_ms) / 8000
    buzz = sum(
        np.sin(2 * np.pi * 140 * k * time_s) / (1 + ((140 * k - formant) / 150) ** 2)
        for k in range(1, 25)
        for formant in (600, 1400)
    )
    return Sound.from_float(0.1 * np.asarray(buzz) * (1.1 + np.sin(2 * np.pi * 4 * time_s)), 8000)
