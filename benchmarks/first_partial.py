"""Measures how soon after the onset of speech the recogniser has its first word.

Run it as `python benchmarks/first_partial.py`: the numbers of the development set are fed in frames of 20 ms, the
recogniser is asked for its partial reading as often as in a call, and the time is that of the sound fed so far; how
long the machine takes to decode it comes on top (a tenth of a frame and less, see the real-time factor). The onset is
the first 10 ms whose power is within 30 dB of the loudest.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from hearing import REPOSITORY, SETS, rows_of
from lines import CONDITIONS, send

from voicebot.audio.sound import FRAME_MS, TELEPHONE_RATE_HZ, Sound
from voicebot.errors import VoicebotError
from voicebot.evaluation.recordings import read_sound
from voicebot.hearing.listener import ListenerTimers
from voicebot.hearing.vosk_recognizer import VoskRecognizer

WINDOW = TELEPHONE_RATE_HZ // 100
FRAME = TELEPHONE_RATE_HZ * FRAME_MS // 1000


def onset_ms(sound: Sound) -> int:
    windows = sound.samples[: len(sound.samples) // WINDOW * WINDOW].reshape(-1, WINDOW).astype(np.float64)
    powers = np.square(windows).mean(axis=1)
    return 10 * int(np.flatnonzero(powers > powers.max() / 1000)[0])


def first_word_ms(recognizer: VoskRecognizer, sound: Sound) -> int | None:
    """When the first partial reading with a word is there, in ms of the sound; None when there is none."""
    stream, period = recognizer.stream("identifier"), ListenerTimers().partial_ms
    for number, first in enumerate(range(0, len(sound.samples), FRAME), start=1):
        stream.accept(sound.samples[first : first + FRAME])
        now_ms = number * FRAME_MS
        if now_ms % period == 0 and stream.partial().text:
            return now_ms
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=REPOSITORY / "models" / "bg-telephone")
    parser.add_argument("--sets", type=Path, default=SETS)
    options = parser.parse_args()
    delays: list[int] = []
    try:
        recognizer = VoskRecognizer(options.model)
        folder = options.sets / "development"
        rows = [row for row, _ in rows_of(folder) if row["digits"]]
        for row in rows:
            sound = send(read_sound(folder / row["path"]), CONDITIONS[0], "", [0], ())
            word_ms = first_word_ms(recognizer, sound)
            if word_ms is not None:
                delays.append(word_ms - onset_ms(sound))
    except VoicebotError as error:
        print(f"first_partial: {error}", file=sys.stderr)
        return 1
    low, median, high = (round(float(np.percentile(delays, share))) for share in (10, 50, 90))
    print(
        f"{len(delays)} of {len(rows)} utterances: median {median} ms, a tenth below {low} ms, a tenth above {high} ms"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
