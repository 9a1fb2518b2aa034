"""Makes the sets by which recognition is developed and measured; run it as `python benchmarks/sets.py [NAME]...`.

A set is a folder under `build/sets/` with WAV files, each at the rate of its source, and an `index.tsv` that
`voicebot evaluate` reads. What was rendered once is kept: a file is named after all that shapes its sound. The sets
whose names begin with `development` are there to choose costs and confidences by; the others are for figures alone, and
nothing may be trained on them or chosen by them.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import recorded
from rich.progress import track
from speakers import CZECH_VOICES, DEVELOPMENT_STYLES, TEST_STYLES, FestivalSpeaker, KokoroSpeaker, Speaker
from utterances import COLUMNS, Item, Row, read_table, write_table

from voicebot.acoustics.texts import draw_phrase
from voicebot.audio.wav import write_wav
from voicebot.errors import VoicebotError
from voicebot.language.dictation import IN_GROUPS, MANNERS, ways_to_say
from voicebot.language.numbers import digits as digit_words
from voicebot.language.srgs import Grammar, load_grammar

HERE = Path(__file__).parent
REPOSITORY = HERE.parent
SETS = REPOSITORY / "build" / "sets"
TEXTS = REPOSITORY / "voicebot" / "acoustics" / "texts.toml"
WORD_LIST = Path("/usr/share/dict/bulgarian")

SPEEDS = (0.9, 1.0, 1.1)
"""Tempos of the voices, 1 being their own."""

GROUPS: Mapping[int, Sequence[Sequence[int]]] = {
    7: ((3, 4), (3, 2, 2), (1, 3, 3), (4, 3), (2, 2, 3)),
    12: ((3, 3, 3, 3), (4, 4, 4), (2, 2, 2, 2, 2, 2), (3, 2, 2, 2, 3), (6, 6)),
}
"""How people part a number of so many digits when they dictate it."""


def spoken(speaker: Speaker, row: Row, speed: float, said: str = "") -> Item:
    """`row` said by `speaker`; `said` is the text with its pauses where it has any."""
    text = said or row.text
    row = Row(**{**asdict(row), "voice": speaker.name, "engine": speaker.engine})
    key = f"{speaker.engine} {speaker.name} {speed} {text}"
    return Item(row, key, lambda: speaker.say(text, speed))


# What is said


def strings(speaker: Speaker, natural: int, grouped: int, seed: int) -> Iterator[Item]:
    """Numbers of 7 and 12 digits: `natural` of each length at a stretch, `grouped` with pauses.

    Half of the long ones begin with 300, as the customer numbers do.
    """
    rng = random.Random(f"{seed} {speaker.name} strings")
    for length in (7, 12):
        for number in range(natural + grouped):
            digits = "".join(rng.choices("0123456789", k=length))
            if length == 12 and number % 2:
                digits = f"300{digits[3:]}"
            words = digit_words(digits)
            row = Row(" ".join(words), digits, manner="natural" if number < natural else "groups")
            said = row.text
            if number >= natural:
                said, at = "", 0
                for size in rng.choice(GROUPS[length]):
                    said += (", " if at else "") + " ".join(words[at : at + size])
                    at += size
            yield spoken(speaker, row, rng.choice(SPEEDS), said)


def phrases(speakers: Sequence[Speaker], times: int, seed: int) -> Iterator[Item]:
    """Answers and commands: the commonest by every speaker, each of the others by `times` of them.

    A phrase that answers several questions is rendered once and stands in the index once for each.
    """
    rng = random.Random(f"{seed} phrases")
    by_text: dict[str, list[dict[str, str]]] = {}
    for row in read_table(HERE / "phrases.tsv"):
        by_text.setdefault(row["text"], []).append(row)
    for text, rows in by_text.items():
        able = [speaker for speaker in speakers if speaker.can_say(text)]
        everyone = rows[0]["everyone"] == "yes"
        for speaker in able if everyone else rng.sample(able, min(times, len(able))):
            speed = rng.choice(SPEEDS)
            for row in rows:
                wanted = Row(text, intent=row["intent"], grammar=row["grammar"], manner="phrase")
                yield spoken(speaker, wanted, speed)


def codes_and_invoices(speakers: Sequence[Speaker], each: int, seed: int) -> Iterator[Item]:
    """Authorisation codes, half of them in groups, and choices of an invoice, `each` of each kind by every speaker."""
    for speaker in speakers:
        rng = random.Random(f"{seed} {speaker.name} codes")
        for name in ("code", "invoice"):
            grammar = _grammar(name)
            done = 0
            while done < each:
                words = draw_phrase(grammar.automaton, rng)
                meaning = grammar.interpret(words) if words else None
                if meaning is None or meaning.intent or (name == "code" and len(meaning.digits) != 6):
                    continue
                said = " ".join(words)
                if name == "code" and done % 2:
                    size = rng.choice((1, 2, 3))
                    said = ", ".join(" ".join(words[at : at + size]) for at in range(0, len(words), size))
                done += 1
                row = Row(" ".join(words), meaning.digits, grammar=name, manner=name)
                yield spoken(speaker, row, rng.choice(SPEEDS), said)


@cache
def _grammar(name: str) -> Grammar:
    return load_grammar(REPOSITORY / "grammars" / f"{name}.grxml")


def other_words(speaker: Speaker, count: int, seed: int) -> Iterator[Item]:
    """Bulgarian words that answer nothing: no part of a grammar, no numeral."""
    rng = random.Random(f"{seed} {speaker.name} words")
    words = _ordinary_words()
    chosen = 0
    while chosen < count:
        text = " ".join(rng.choices(words, k=rng.choice((1, 1, 2, 3))))
        if speaker.can_say(text):
            chosen += 1
            yield spoken(speaker, Row(text, manner="word"), rng.choice(SPEEDS))


def sentences(speakers: Sequence[Speaker], each: int, seed: int) -> Iterator[Item]:
    """Everyday sentences that answer nothing, each said by as many speakers."""
    rng = random.Random(f"{seed} sentences")
    grammars = [_grammar(name) for name in ("identifier", "confirm", "menu")]
    for text in tomllib.loads(TEXTS.read_text(encoding="utf-8"))["everyday"]:
        if not any(grammar.meanings(text.replace("-", " ").split()) for grammar in grammars):
            for speaker in rng.sample(speakers, each):
                yield spoken(speaker, Row(text, manner="sentence"), rng.choice(SPEEDS))


@cache
def _ordinary_words() -> Sequence[str]:
    """Words of the word list that are in no grammar and are no numerals."""
    allowed = set(" ".join(row["text"] for row in read_table(HERE / "phrases.tsv")).split())
    numeral = re.compile("нул|едн|един|дв[ае]|три|четир|пет|шес|сед|осем|девет|десет|сто|двес|трис|хиляд|надесет|йсет")
    ordinary = re.compile("[а-я]{3,10}")
    lines = WORD_LIST.read_text(encoding="utf-8").splitlines()
    return [word for word in lines if ordinary.fullmatch(word) and word not in allowed and not numeral.search(word)]


def numbers(few: Sequence[Speaker], many: Sequence[Speaker], each: int, seed: int) -> Iterator[Item]:
    """300 ways to say 100 numbers: `each` way by each of the `few` speakers, the rest by the `many` in turn.

    What the `many` say, one of the `few` says too, each in turn.
    """
    rng = random.Random(f"{seed} numbers")
    turns = [speaker for speaker in few for _ in range(each)]
    again = []
    for number in range(100):
        digits = "".join(rng.choices("0123456789", k=(7, 12)[number % 2]))
        for way in range(3):
            speaker = turns.pop(0) if way == 0 and turns else many[(3 * number + way) % len(many)]
            while True:
                manner = rng.choice(IN_GROUPS)
                text = ways_to_say(digits, rng, MANNERS[manner])
                if speaker.can_say(text):
                    break
            row, speed = Row(text, digits, manner=manner), rng.choice(SPEEDS)
            yield spoken(speaker, row, speed)
            if speaker in many:
                again.append((row, speed))
    for number, (row, speed) in enumerate(again):
        yield spoken(few[number % len(few)], row, speed)


# Sets


@dataclass(frozen=True)
class Sources:
    """Where the material lies."""

    styles: Path
    """The unpacked npm package kokoro-js."""
    people: Path
    """A folder with recordings of people and an `index.tsv` (path, text, lang, speaker)."""
    packages: Path
    """Debian packages that are unpacked, not installed."""

    def kokoro(self, names: Iterable[str]) -> list[Speaker]:
        return [KokoroSpeaker(name, self.styles) for name in names]

    @property
    def test_speakers(self) -> list[Speaker]:
        return [*self.kokoro(TEST_STYLES), *(FestivalSpeaker(name) for name in CZECH_VOICES)]


def development(sources: Sources) -> Iterator[Item]:
    """Everything that costs and confidences are chosen by, said by the development styles."""
    speakers = sources.kokoro(DEVELOPMENT_STYLES)
    for speaker in speakers:
        yield from strings(speaker, 6, 3, 1)
    yield from phrases(speakers, 1, 1)
    for speaker in speakers:
        yield from other_words(speaker, 25, 1)
    yield from sentences(speakers, 2, 1)


def development_numbers(sources: Sources) -> Iterator[Item]:
    """60 numbers in groups, by counts and with corrections, said by the development styles."""
    rng = random.Random("1 numbers")
    speakers = sources.kokoro(DEVELOPMENT_STYLES)
    for number in range(60):
        digits = "".join(rng.choices("0123456789", k=(7, 12)[number % 2]))
        manner = IN_GROUPS[number // 2 % len(IN_GROUPS)]
        row = Row(ways_to_say(digits, rng, MANNERS[manner]), digits, manner=manner)
        yield spoken(rng.choice(speakers), row, rng.choice(SPEEDS))


def development_codes(sources: Sources) -> Iterator[Item]:
    """Codes and choices of invoices said by the development styles."""
    yield from codes_and_invoices(sources.kokoro(DEVELOPMENT_STYLES), 12, 1)


def development_people(sources: Sources) -> Iterator[Item]:
    """People of six languages who say digits, voices of training: they show what costs do to accents."""
    for language in ("ru", "sr", "sl", "cs", "sk", "pl"):
        yield from recorded.people(sources.people, language, f"gc-{language}", 15, 2, part="train/gcompris")


def test_strings(sources: Sources) -> Iterator[Item]:
    """Numbers of 7 and 12 digits said by the test speakers."""
    for speaker in sources.test_speakers:
        yield from strings(speaker, 7, 3, 2)


def test_phrases(sources: Sources) -> Iterator[Item]:
    """Answers and commands said by the test speakers."""
    yield from phrases(sources.test_speakers, 2, 2)


def test_codes(sources: Sources) -> Iterator[Item]:
    """Codes and choices of invoices said by Kokoro's test styles; Festival's voices lack the schwa of many letters."""
    yield from codes_and_invoices(sources.kokoro(TEST_STYLES), 10, 2)


def test_numbers(sources: Sources) -> Iterator[Item]:
    """Numbers said in groups, by counts and with corrections."""
    czech = [FestivalSpeaker(name) for name in CZECH_VOICES]
    yield from numbers(sources.kokoro(TEST_STYLES), czech, 5, 2)


def test_words(sources: Sources) -> Iterator[Item]:
    """Words that answer nothing, said by the test speakers."""
    for speaker in sources.test_speakers:
        yield from other_words(speaker, 12, 2)


def neural(sources: Sources) -> Iterator[Item]:
    """Digits of a Bulgarian synthesiser that training never heard, single and joined."""
    yield from recorded.people(sources.people, "bg", "bulgarian-neural-tts", 20, 2, "synthetic")


def people_uk(sources: Sources) -> Iterator[Item]:
    """Ukrainians who say digits, single and joined."""
    yield from recorded.people(sources.people, "uk", "ukrainian-digits", 2, 2)


def people_mk(sources: Sources) -> Iterator[Item]:
    """A Macedonian who says digits, single and joined."""
    yield from recorded.people(sources.people, "mk", "macedonian-digits", 20, 2)


def people_sr(sources: Sources) -> Iterator[Item]:
    """A Serb who says digits, single and joined."""
    yield from recorded.people(sources.people, "sr", "serbian-digits", 20, 2)


def people_words(sources: Sources) -> Iterator[Item]:
    """Bulgarian words without digits, of a person and of a synthesiser."""
    yield from recorded.other_words(sources.people, "bulgarian-words", "human")
    yield from recorded.other_words(sources.people, "bulgarian-neural-tts", "synthetic")


def foreign(sources: Sources) -> Iterator[Item]:
    """People who speak other languages."""
    yield from recorded.foreign(sources.people, sources.packages, 60, 2)


def no_speech(sources: Sources) -> Iterator[Item]:
    """Coughs, cries, effects, music, noise and silence."""
    yield from recorded.no_speech(2)


MAKERS: Mapping[str, Callable[[Sources], Iterator[Item]]] = {
    "development": development,
    "development-numbers": development_numbers,
    "development-codes": development_codes,
    "development-people": development_people,
    "strings": test_strings,
    "phrases": test_phrases,
    "words": test_words,
    "numbers": test_numbers,
    "codes-invoices": test_codes,
    "neural": neural,
    "people-uk": people_uk,
    "people-mk": people_mk,
    "people-sr": people_sr,
    "people-words": people_words,
    "foreign": foreign,
    "no-speech": no_speech,
}
"""The sets by name."""


def make(name: str, sources: Sources, folder: Path) -> int:
    """Render what is missing of a set and write its index; returns the number of its utterances."""
    items = list(MAKERS[name](sources))
    for item in track(in_turn(items), description=name):
        path = folder / name / item.path
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_wav(path, item.make())
    write_table(folder / name / "index.tsv", COLUMNS, ({"path": item.path, **asdict(item.row)} for item in items))
    return len(items)


def in_turn(items: Iterable[Item]) -> list[Item]:
    """The items with all voices in turn, so that a set that is half rendered has something of each."""
    said: Counter[str] = Counter()
    places = []
    for number, item in enumerate(items):
        places.append((said[item.row.voice], number, item))
        said[item.row.voice] += 1
    return [item for *_, item in sorted(places, key=lambda place: place[:2])]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which sets: {', '.join(MAKERS)}; all by default")
    parser.add_argument("--folder", type=Path, default=SETS)
    parser.add_argument("--styles", type=Path, default=REPOSITORY / "build" / "kokoro-js", help="npm's kokoro-js")
    parser.add_argument("--people", type=Path, default=REPOSITORY / "build" / "people", help="recordings of people")
    parser.add_argument("--packages", type=Path, default=REPOSITORY / "build" / "debian", help="unpacked packages")
    options = parser.parse_args()
    if unknown := set(options.names) - set(MAKERS):
        parser.error(f"there is no set {', '.join(sorted(unknown))}")
    sources = Sources(options.styles, options.people, options.packages)
    try:
        for name in options.names or MAKERS:
            print(name, make(name, sources, options.folder))
    except VoicebotError as error:
        print(f"sets: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
