"""Screens sets by Whisper, which has no part in any training here; run it as `python benchmarks/screening.py NAME...`.

A synthesiser swallows sounds too. Whisper base is asked up to three times for each utterance: told beforehand which
words may come, given them as hot words, told nothing. An utterance with digits is kept when one of the answers holds
exactly its digits; a phrase is kept when the phrase of its question that is nearest in letters to one of the answers
means the same. The others move from `index.tsv` to `dropped.tsv` with what was heard; figures are to be given with and
without them. `--count` moves nothing and tells how many Whisper gets: for people a reference to compare with.

The rule was written before any model of this project had heard the sets, by looking at what Whisper makes of a few
strings of the development set and of Festival.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from rapidfuzz.distance import Levenshtein
from rich.progress import track
from utterances import COLUMNS, read_table, write_table

from voicebot.acoustics.whisper import transcripts
from voicebot.errors import VoicebotError
from voicebot.evaluation.intervals import wilson
from voicebot.evaluation.recordings import read_sound

HERE = Path(__file__).parent
SETS = HERE.parent / "build" / "sets"

DIGIT_WORDS: Mapping[str, Sequence[str]] = {
    "bg": "нула едно две три четири пет шест седем осем девет".split(),
    "uk": "нуль один два три чотири п'ять шість сім вісім дев'ять".split(),
    "mk": "нула еден два три четири пет шест седум осум девет".split(),
    "sr": "нула један два три четири пет шест седам осам девет".split(),
}

OTHER_FORMS: Mapping[str, str] = {"един": "1", "една": "1", "два": "2"}
"""Other words for digits of the sets."""

COMMON = "да, не, точно така, правилно, вярно, грешка, оператор, повтори, друг номер, край, довиждане, благодаря, помощ"
"""What Whisper is told beforehand of answers and commands."""

Key = tuple[str, str]
"""Path and grammar of a row."""

Verdict = tuple[bool, str]
"""Whether Whisper gets it, and what it heard last."""

_NEAREST = 0.34
"""How much of a phrase's letters may differ."""


def digits_in(text: str, language: str) -> str:
    """The digits of a transcript: figures as they are, words by the way of least edits through its letters."""
    return "".join(
        part if part.isdecimal() else _spelled(part, language)
        for part in re.findall(r"\d+|[^\W\d_]+", re.sub(r"[\s'’.,-]+(?=[^\W\d_])", "", text.lower()))
    )


@cache
def _spelled(letters: str, language: str) -> str:
    """The digits whose words joined are nearest to `letters`; a letter that is left over costs one edit too."""
    words = {word.replace("'", ""): str(digit) for digit, word in enumerate(DIGIT_WORDS[language])}
    if language == "bg":
        words |= OTHER_FORMS
    best: list[tuple[float, str]] = [(0.0, "")]
    for end in range(1, len(letters) + 1):
        ways = [(best[end - 1][0] + 1.0, best[end - 1][1])]
        for word, digit in words.items():
            for length in range(max(1, len(word) - 1), min(end, len(word) + 1) + 1):
                cost, before = best[end - length]
                ways.append((cost + Levenshtein.distance(letters[end - length : end], word), before + digit))
        best.append(min(ways, key=lambda way: way[0]))
    return best[-1][1]


@cache
def _phrases(grammar: str) -> Sequence[tuple[str, str]]:
    return [(row["text"], row["intent"]) for row in read_table(HERE / "phrases.tsv") if row["grammar"] == grammar]


def intent_of(text: str, grammar: str) -> str:
    """The intent of the phrase that is nearest in letters, "" when none is near."""
    plain = re.sub(r"[^\w ]", "", text.lower()).strip()
    far, intent = min((Levenshtein.normalized_distance(plain, phrase), intent) for phrase, intent in _phrases(grammar))
    return intent if far <= _NEAREST else ""


def screen(row: Mapping[str, str], folder: Path) -> tuple[bool, str]:
    """Whether Whisper gets an utterance, and what it heard in the end."""
    language = row["language"]
    hint = ", ".join(DIGIT_WORDS[language]) if row["digits"] else COMMON
    heard = ""
    for heard in transcripts(read_sound(folder / row["path"]), language, hint):
        if row["digits"] and digits_in(heard, language) == row["digits"]:
            return True, " ".join(heard.split())
        if row["intent"] and intent_of(heard, row["grammar"]) == row["intent"]:
            return True, " ".join(heard.split())
    return False, " ".join(heard.split())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", metavar="NAME", help="sets that are rendered")
    parser.add_argument("--folder", type=Path, default=SETS)
    parser.add_argument("--count", action="store_true", help="move nothing, tell how many Whisper gets")
    parser.add_argument("--manner", help="only utterances that are said so")
    options = parser.parse_args()
    try:
        for name in options.names:
            folder = options.folder / name
            rows = [row for row in everything(folder) if row["digits"] or row["intent"]]
            rows = [row for row in rows if options.manner in (None, row["manner"])]
            heard = listen(rows, folder, name)
            good = sum(right for right, _ in heard.values())
            low, high = wilson(good, len(heard))
            print(f"{name}: Whisper gets {good} of {len(heard)} ({100 * low:.1f}-{100 * high:.1f} %)")
            if not options.count:
                part(folder, heard)
    except VoicebotError as error:
        print(f"screening: {error}", file=sys.stderr)
        return 1
    return 0


def everything(folder: Path) -> list[dict[str, str]]:
    """The rows of a set, with those that were dropped from it."""
    dropped = folder / "dropped.tsv"
    rows = read_table(folder / "index.tsv") + (read_table(dropped) if dropped.is_file() else [])
    return list({_key(row): row for row in rows}.values())


def _key(row: Mapping[str, str]) -> Key:
    return row["path"], row["grammar"]


def listen(rows: Sequence[Mapping[str, str]], folder: Path, name: str) -> dict[Key, Verdict]:
    """What Whisper says of each row; it is written down at once, in `whisper.tsv`, and asked but once."""
    notes = folder / "whisper.tsv"
    heard: dict[Key, Verdict] = {}
    if notes.is_file():
        heard = {_key(note): (note["right"] == "yes", note["whisper"]) for note in read_table(notes)}
    else:
        notes.write_text("path\tgrammar\tright\twhisper\n", encoding="utf-8")
    with notes.open("a", encoding="utf-8") as file:
        for row in track(rows, description=name):
            if _key(row) not in heard:
                right, text = heard[_key(row)] = screen(row, folder)
                file.write(f"{row['path']}\t{row['grammar']}\t{'yes' if right else 'no'}\t{text}\n")
                file.flush()
    return {_key(row): heard[_key(row)] for row in rows}


def part(folder: Path, heard: Mapping[Key, Verdict]) -> None:
    """Move what Whisper did not get from `index.tsv` to `dropped.tsv`."""
    verdicts = [(row, *heard.get(_key(row), (True, ""))) for row in everything(folder)]
    dropped = [{**row, "whisper": text} for row, right, text in verdicts if not right]
    write_table(folder / "dropped.tsv", (*COLUMNS, "whisper"), dropped)
    write_table(folder / "index.tsv", COLUMNS, [{c: row[c] for c in COLUMNS} for row, right, _ in verdicts if right])


if __name__ == "__main__":
    sys.exit(main())
