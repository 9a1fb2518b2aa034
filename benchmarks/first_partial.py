"""Measures how soon after the onset of speech there is a first word, and how soon a caller stops a prompt.

Run it as `python benchmarks/first_partial.py`: what the development set answers to each question is said while the bot
speaks, over a quiet line and through the whole of hearing. Times are those of the sound; how long the machine takes to
decode it comes on top (a tenth of a frame and less, see the real-time factor). The onset is the first 10 ms whose power
is within 30 dB of the loudest. `--without-guesses` waits until words are known.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from end_of_turn import questions
from hearing import REPOSITORY, SETS, answers_nothing, rows_of
from lines import CONDITIONS, send
from rich.console import Console
from rich.table import Table

import voicebot.hearing.vosk_recognizer
from voicebot.audio.sound import FRAME_MS, TELEPHONE_RATE_HZ, Sound
from voicebot.errors import VoicebotError
from voicebot.evaluation.recordings import read_sound
from voicebot.hearing.events import BargeIn, PartialReading
from voicebot.hearing.expectation import Expectation
from voicebot.hearing.listener import Listener
from voicebot.hearing.vosk_recognizer import VoskRecognizer

WINDOW = TELEPHONE_RATE_HZ // 100


def onset_ms(sound: Sound) -> int:
    windows = sound.samples[: len(sound.samples) // WINDOW * WINDOW].reshape(-1, WINDOW).astype(np.float64)
    powers = np.square(windows).mean(axis=1)
    return 10 * int(np.flatnonzero(powers > powers.max() / 1000)[0])


def firsts(recognizer: VoskRecognizer, expectation: Expectation, sound: Sound) -> Iterator[tuple[str, int]]:
    """What happens for the first time, and when in ms of the sound: a "word" in a partial reading, a "stop"."""
    listener, happened = Listener(recognizer), set[str]()
    listener.expect(expectation, 0)
    for number, frame in enumerate(sound.frames(), start=1):
        for event in listener.accept(frame, number * FRAME_MS, bot_speaking=True):
            word = isinstance(event, PartialReading) and event.reading.text
            what = "word" if word else "stop" if isinstance(event, BargeIn) else ""
            if what and what not in happened:
                happened.add(what)
                yield what, number * FRAME_MS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=REPOSITORY / "models" / "bg-telephone")
    parser.add_argument("--sets", type=Path, default=SETS)
    parser.add_argument("--without-guesses", action="store_true", help="wait until words are known")
    options = parser.parse_args()
    if options.without_guesses:
        voicebot.hearing.vosk_recognizer._GUESSING_S = 0.0
    table = Table("asked for", "", "of", "a tenth below, ms", "median, ms", "a tenth above, ms")
    try:
        recognizer, asked = VoskRecognizer(options.model), questions()
        folder = options.sets / "development"
        rows = [row for row, _ in rows_of(folder) if not answers_nothing(row)]
        for grammar, expectation in asked.items():
            delays: dict[str, list[int]] = {"word": [], "stop": []}
            said = [row for row in rows if row["grammar"] == grammar and (grammar != "identifier" or row["digits"])]
            for row in said:
                sound = send(read_sound(folder / row["path"]), CONDITIONS[0], "", [0], ())
                for what, at_ms in firsts(recognizer, expectation, sound):
                    delays[what].append(at_ms - onset_ms(sound))
            for what, times in delays.items():
                low, median, high = np.percentile(times, (10, 50, 90)).round().astype(int)
                table.add_row(grammar, what, f"{len(times)} of {len(said)}", *map(str, (low, median, high)))
    except VoicebotError as error:
        print(f"first_partial: {error}", file=sys.stderr)
        return 1
    Console(width=100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
