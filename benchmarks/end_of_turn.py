"""Measures what a shorter silence at the end of a turn wins in waiting and costs in answers that are cut off.

Run it as `python benchmarks/end_of_turn.py 450 300`: the numbers and answers of the development set arrive over quiet
and noisy lines, and are heard as in a call, with each of these values (ms) of `timers.final_ms` in turn. Waiting
goes from the end of speech: of the last 10 ms whose power, without the noise, is within 30 dB of the loudest.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from hearing import NOISES, REPOSITORY, SETS, answers_nothing, rows_of, voices_for_babble
from lines import CONDITIONS, send
from rich.console import Console
from rich.progress import track
from rich.table import Table

from voicebot.audio.sound import FRAME_MS, FRAME_SAMPLES, TELEPHONE_RATE_HZ, Sound
from voicebot.billing.identifier import DEFAULT_SCHEMES
from voicebot.dialog.actions import Listen
from voicebot.dialog.conversation import Conversation, Phase, State
from voicebot.dialog.events import Answered
from voicebot.errors import VoicebotError
from voicebot.evaluation.intervals import wilson
from voicebot.evaluation.recordings import read_sound
from voicebot.hearing.events import NoInput, TurnEnded
from voicebot.hearing.expectation import Expectation
from voicebot.hearing.listener import Listener, ListenerTimers
from voicebot.hearing.turn import EndOfTurn
from voicebot.hearing.vosk_recognizer import VoskRecognizer

WINDOW = TELEPHONE_RATE_HZ // 100
BEFORE_MS, BEHIND_MS = 1000, 9000
"""Noise of the line around each utterance."""


def questions() -> dict[str, Expectation]:
    """What the conversation expects at each question, by grammar."""
    conversation, asked = Conversation(DEFAULT_SCHEMES), {}
    number = DEFAULT_SCHEMES.match("300000000001")
    states = (State(), State(Phase.CONFIRMATION, candidate=number), State(Phase.MENU))
    for state, event in zip(states, (Answered(), NoInput(), NoInput()), strict=True):
        _, actions = conversation.step(state, event)
        (expectation,) = (action.expectation for action in actions if isinstance(action, Listen))
        asked[expectation.grammar] = expectation
    return asked


def end_ms(sound: Sound) -> int:
    windows = sound.samples[: len(sound.samples) // WINDOW * WINDOW].reshape(-1, WINDOW).astype(np.float64)
    powers = np.square(windows).mean(axis=1)
    return 10 * int(np.flatnonzero(powers > powers.max() / 1000)[-1] + 1)


def around(sound: Sound, ms: int) -> np.ndarray:
    """Noise of the line as it is where nobody speaks: the first half second, over and over."""
    return np.resize(sound.samples[: TELEPHONE_RATE_HZ // 2], ms * TELEPHONE_RATE_HZ // 1000)


def turn_of(
    recognizer: VoskRecognizer, expectation: Expectation, sound: Sound, final_ms: int
) -> tuple[TurnEnded, int] | None:
    """The turn that is heard and when it ended, in ms from the beginning of `sound`; None where none was."""
    listener = Listener(recognizer, ListenerTimers(EndOfTurn(final_ms=final_ms), no_input_ms=60_000))
    listener.expect(expectation, 0)
    samples = np.concatenate([around(sound, BEFORE_MS), sound.samples, around(sound, BEHIND_MS)])
    for begin in range(0, len(samples) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        now_ms = (begin // FRAME_SAMPLES + 1) * FRAME_MS
        for event in listener.accept(samples[begin : begin + FRAME_SAMPLES], now_ms, bot_speaking=False):
            if isinstance(event, TurnEnded):
                return event, now_ms - BEFORE_MS
    return None


def percent(hits: int, count: int) -> str:
    low, high = wilson(hits, count)
    return f"{100 * low:.0f}–{100 * high:.0f} %"


def is_right(row: Mapping[str, str], turn: TurnEnded) -> bool:
    best = turn.readings[0]
    return best.digits == row["digits"] and (best.intent or "") == row["intent"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("final_ms", type=int, nargs="+")
    parser.add_argument("--model", type=Path, default=REPOSITORY / "models" / "bg-telephone")
    parser.add_argument("--sets", type=Path, default=SETS)
    parser.add_argument("--every", type=int, default=1, help="hear every so manyth utterance")
    options = parser.parse_args()
    table = Table("final_ms", "asked for", "line", "right", "ended too soon", "waiting p50 ms", "p95 ms")
    try:
        recognizer, asked = VoskRecognizer(options.model), questions()
        folder = options.sets / "development"
        rows = [row for row, _ in rows_of(folder) if not answers_nothing(row)][:: options.every]
        voices = voices_for_babble(folder)
        for final_ms in options.final_ms:
            for condition in CONDITIONS:
                found: dict[str, list[tuple[bool, int]]] = {grammar: [] for grammar in asked}
                for number, row in enumerate(
                    track(rows, f"{final_ms} ms, {condition.name}", console=Console(stderr=True))
                ):
                    spoken = read_sound(folder / row["path"])
                    sound = send(spoken, condition, NOISES[number % 3], [number], voices)
                    turn = turn_of(recognizer, asked[row["grammar"]], sound, final_ms)
                    right, ended_ms = (False, BEHIND_MS) if turn is None else (is_right(row, turn[0]), turn[1])
                    found[row["grammar"]].append((right, ended_ms - end_ms(send(spoken, CONDITIONS[0], "", [], ()))))
                for grammar, turns in found.items():
                    rights, too_soon = sum(ok for ok, _ in turns), sum(ms < 0 for _, ms in turns)
                    p50, p95 = np.percentile([ms for _, ms in turns if ms >= 0], [50, 95]).round().astype(int)
                    share = f"{rights} of {len(turns)}, {percent(rights, len(turns))}"
                    table.add_row(*map(str, (final_ms, grammar, condition.name, share, too_soon, p50, p95)))
    except VoicebotError as error:
        print(f"end_of_turn: {error}", file=sys.stderr)
        return 1
    Console(width=130).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
