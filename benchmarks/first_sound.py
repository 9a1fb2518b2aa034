"""From "the text is known" to the first sound, for each voice, with its phrase cache empty and filled.

Run it as `python benchmarks/first_sound.py [VOICE...]`. The text is an answer of the bot with a sum or a day of its own
each time; what counts is its first phrase, rendered, resampled to 8 kHz and fed, which is when a leg can play it. The
model is loaded and has spoken once before. Real-time factor: work for a second of sound. Memory: what the process had
at its peak, each voice in a process of its own. The voice "joe" is the English Piper voice of the train extra.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from intelligibility import CATALOGUE, Sentence, draw, named_voice
from rich.console import Console
from rich.table import Table

from voicebot.audio.sound import TELEPHONE_RATE_HZ
from voicebot.errors import VoicebotError
from voicebot.legs.playback import Playback
from voicebot.voice.cache import CachedSynthesizer
from voicebot.voice.voices import DEFAULT_VOICE


def first_sound_ms(cache: CachedSynthesizer, sentence: Sentence) -> tuple[float, float]:
    """How long the first phrase takes to be ready to play, and how long it sounds, in ms."""
    began_s = time.perf_counter()
    playback = Playback(TELEPHONE_RATE_HZ)
    sound = cache.synthesize(CATALOGUE.phrases(sentence.prompt)[0].text).resampled(TELEPHONE_RATE_HZ)
    playback.feed(sound)
    playback.take(1)
    return (time.perf_counter() - began_s) * 1000, sound.duration_ms


def measure(name: str, count: int) -> tuple[str, ...]:
    """One row of the table."""
    sentences = list({CATALOGUE.phrases(s.prompt)[0].text: s for s in draw(20 * count, seed=3)}.values())[: count + 1]
    voice = named_voice(name)
    with tempfile.TemporaryDirectory() as folder:
        cache = CachedSynthesizer(voice, Path(folder))
        first_sound_ms(cache, sentences.pop())
        cold = [first_sound_ms(cache, sentence) for sentence in sentences]
        memory = [first_sound_ms(cache, sentence)[0] for sentence in sentences]
        read = CachedSynthesizer(voice, Path(folder), memory_bytes=0)
        disk = [first_sound_ms(read, sentence)[0] for sentence in sentences]
    factor = sum(work for work, _ in cold) / sum(sound for _, sound in cold)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times = (quantiles([work for work, _ in cold]), quantiles(disk), quantiles(memory))
    return voice.name.partition("/")[0], str(len(sentences)), *times, f"{factor:.2f}", f"{peak_mb:.0f}"


def quantiles(times_ms: list[float]) -> str:
    """Median and 95th percentile."""
    return f"{statistics.median(times_ms):.1f} / {statistics.quantiles(times_ms, n=20)[-1]:.1f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voices", nargs="*", default=[DEFAULT_VOICE, "espeak"], metavar="VOICE")
    parser.add_argument("--count", type=int, default=40, help="different phrases")
    options = parser.parse_args()
    columns = ("voice", "phrases", "cold, p50 / p95 ms", "from disk", "from memory", "real-time factor", "peak MB")
    table = Table(*columns)
    for name in options.voices:
        try:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                table.add_row(*pool.apply(measure, (name, options.count)))
        except VoicebotError as error:
            print(f"first_sound: {error}", file=sys.stderr)
            return 1
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
