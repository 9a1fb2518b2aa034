"""Measures how well a recognition model hears: digit strings and phrases of held-out voices, people, and no speech.

Run it as `python benchmarks/hearing.py --model models/bg-telephone`. Synthetic speech is rendered once and kept in a
cache folder. People's recordings are read from folders with an `index.tsv` (path, text, lang, speaker) given by
`--human`; languages other than Bulgarian are heard through the digits' lexicon in `lexica/`. Nothing here may ever be
trained on.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import platformdirs
import soundfile
from rich.console import Console
from rich.table import Table

from voicebot.acoustics import telephone
from voicebot.acoustics.graph import compile_model
from voicebot.audio.sound import TELEPHONE_RATE_HZ, Sound
from voicebot.audio.wav import read_wav, write_wav
from voicebot.hearing.recognizer import Recognizer, recognize
from voicebot.hearing.vosk_recognizer import VoskRecognizer
from voicebot.language.numbers import digits as digit_words

HERE = Path(__file__).parent
REPOSITORY = HERE.parent
CACHE = platformdirs.user_cache_path("voicebot") / "benchmarks" / "hearing"

PHRASES: dict[str, dict[str, str]] = {
    "confirm": {
        "да": "yes",
        "да да": "yes",
        "точно така": "yes",
        "правилно": "yes",
        "не": "no",
        "грешка": "no",
        "не е вярно": "no",
    },
    "menu": {
        "повтори": "repeat",
        "отново": "repeat",
        "друг номер": "another",
        "оператор": "operator",
        "човек": "operator",
        "край": "end",
        "не": "end",
        "благодаря": "end",
        "помощ": "help",
    },
    "identifier": {
        "оператор": "operator",
        "помощ": "help",
        "край": "end",
        "повтори": "repeat",
        "не знам": "unknown_number",
    },
}
"""Phrases said alone with what they mean, for each grammar."""


def wilson(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (E. B. Wilson, 1927)."""
    if not count:
        return 0.0, 1.0
    share = right / count
    centre = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (centre - spread) / (1 + z * z / count), (centre + spread) / (1 + z * z / count)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One utterance with what must be heard."""

    wave: telephone.Wave
    """8 kHz, units of int16, clean."""
    grammar: str
    digits: str = ""
    intent: str | None = None
    speaker: str = ""


@dataclass
class Score:
    """Counts of one set under one condition."""

    name: str
    condition: str
    voices: set[str] = field(default_factory=set)
    right: int = 0
    count: int = 0
    edits: int = 0
    symbols: int = 0

    def add(self, case: Case, heard: str, wanted: str, right: bool) -> None:
        self.voices.add(case.speaker)
        self.count += 1
        self.right += right
        self.symbols += len(wanted)
        self.edits += distance(wanted, heard)


def distance(wanted: str, heard: str) -> int:
    """Levenshtein's distance."""
    row = list(range(len(heard) + 1))
    for i, sign in enumerate(wanted, start=1):
        before, row[0] = row[0], i
        for j, other in enumerate(heard, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (sign != other))
    return row[-1]


# Sounds


def synthetic(style: str, per_kind: int, seed: int) -> Iterator[tuple[str, Case]]:
    """Digit strings and phrases of one Kokoro style, with the names of their sets."""
    rng = random.Random(seed)
    for length in (7, 12):
        for name, separator in (("spelled", ", "), ("connected", " ")):
            for _ in range(per_kind):
                digits = "".join(rng.choices("0123456789", k=length))
                text = separator.join(digit_words(digits))
                wave = rendered(text, style, rng.choice((0.9, 1.0, 1.1)))
                yield f"{length} digits {name}", Case(wave, "identifier", digits=digits, speaker=style)
    for speed in (0.9, 1.1):
        for grammar, phrases in PHRASES.items():
            for text, intent in phrases.items():
                yield f"phrases {grammar}", Case(rendered(text, style, speed), grammar, intent=intent, speaker=style)


def rendered(text: str, style: str, speed: float) -> telephone.Wave:
    """`text` said by Kokoro, with half a second of silence around it."""
    folder = CACHE / f"{style}@{speed:g}"
    path = folder / (text.replace(",", "_")[:120] + ".wav")
    if not path.exists():
        from voicebot.voice.kokoro import KokoroVoice

        folder.mkdir(parents=True, exist_ok=True)
        write_wav(path, KokoroVoice(style, speed, threads=1).synthesize(text).resampled(TELEPHONE_RATE_HZ))
    return framed(read_wav(path).samples.astype(np.float64))


def framed(wave: telephone.Wave, silence_s: float = 0.5) -> telephone.Wave:
    """`wave` at -18 dB of full scale at its peak, between two silences."""
    silence = np.zeros(int(TELEPHONE_RATE_HZ * silence_s))
    return np.concatenate([silence, wave / (np.abs(wave).max() + 1e-9) * 8000, silence])


@dataclass(frozen=True, slots=True)
class Recording:
    """One row of an index."""

    path: Path
    text: str
    language: str
    speaker: str


def recordings(index: Path, folder: str) -> list[Recording]:
    """The rows of `index` whose path begins with `folder`."""
    with index.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            Recording(index.parent / row["path"], row["text"], row["lang"], row["speaker"])
            for row in rows
            if row["path"].startswith(folder)
        ]


def loaded(path: Path) -> telephone.Wave:
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return Sound.from_float(samples.mean(axis=1), rate_hz).resampled(TELEPHONE_RATE_HZ).samples.astype(np.float64)


def trimmed(wave: telephone.Wave) -> telephone.Wave:
    """Without the silence around it, but 40 ms."""
    loud = np.flatnonzero(np.abs(wave) > 0.03 * np.abs(wave).max())
    return wave[max(0, loud[0] - 320) : loud[-1] + 320]


def joined(clips: dict[str, list[tuple[str, telephone.Wave]]], count: int, seed: int) -> Iterator[Case]:
    """Strings of seven digits made of one speaker's clips with gaps of 80 to 400 ms."""
    rng = random.Random(seed)
    speakers = [speaker for speaker in sorted(clips) if len({digit for digit, _ in clips[speaker]}) >= 8]
    for number in range(count if speakers else 0):
        speaker = speakers[number % len(speakers)]
        chosen = rng.choices(clips[speaker], k=7)
        pieces: list[telephone.Wave] = []
        for _, wave in chosen:
            clip = trimmed(wave)
            pieces += [clip / (np.abs(clip).max() + 1e-9), np.zeros(int(TELEPHONE_RATE_HZ * rng.uniform(0.08, 0.4)))]
        digits = "".join(digit for digit, _ in chosen)
        yield Case(framed(np.concatenate(pieces)), "string", digits=digits, speaker=speaker)


# Lines


def conditions(
    voices: Sequence[telephone.Wave],
) -> dict[str, Callable[[telephone.Wave, telephone.Random], telephone.Wave]]:
    """What lines the utterances are sent over; noises are the average of babble, street and hum."""

    def noisy(ratio_db: float) -> Callable[[telephone.Wave, telephone.Random], telephone.Wave]:
        def send(wave: telephone.Wave, rng: telephone.Random) -> telephone.Wave:
            kind = int(rng.integers(3))
            noise = (
                telephone.babble(len(wave), rng, voices)
                if kind == 0
                else (telephone.street, telephone.hum)[kind - 1](len(wave), rng)
            )
            loud = wave[np.abs(wave) > 0.05 * np.abs(wave).max()]
            noise *= np.sqrt(np.square(loud).mean() / 10 ** (ratio_db / 10))
            return telephone.a_law(telephone.band_limited(wave + noise))

        return send

    return {
        "clean": lambda wave, rng: telephone.a_law(telephone.band_limited(wave)),
        "20 dB": noisy(20),
        "10 dB": noisy(10),
    }


# Evaluation


class Bench:
    """Hears cases and counts."""

    def __init__(self, voices: Sequence[telephone.Wave], chosen: Iterable[str]) -> None:
        self.scores: dict[tuple[str, str], Score] = {}
        every = conditions(voices)
        self.conditions = {name: every[name] for name in chosen}
        self.heard_s = self.spent_s = 0.0
        self.misses: list[tuple[str, str, str, str]] = []

    def hear(self, name: str, case: Case, recognizer: Recognizer) -> None:
        for number, (condition, send) in enumerate(self.conditions.items()):
            rng = np.random.default_rng([len(self.scores), number, int(np.abs(case.wave).sum()) % 2**31])
            sound = Sound.from_float(send(case.wave, rng) / 32768, TELEPHONE_RATE_HZ)
            began = time.process_time()
            best = recognize(recognizer, sound, case.grammar)[0]
            self.spent_s += time.process_time() - began
            self.heard_s += sound.duration_ms / 1000
            score = self.scores.setdefault((name, condition), Score(name, condition))
            right = best.digits == case.digits and best.intent == case.intent
            score.add(case, best.digits, case.digits, right)
            if not right:
                wanted = case.digits or str(case.intent)
                self.misses.append((name, condition, wanted, f"{best.text} ({best.confidence:.2f})"))

    def false_alarms(self, name: str, wave: telephone.Wave, speaker: str, recognizer: Recognizer, grammar: str) -> None:
        """Count an utterance as right when nothing is heard in it with a confidence of one half or more."""
        sound = Sound.from_float(telephone.a_law(wave) / 32768, TELEPHONE_RATE_HZ)
        best = recognize(recognizer, sound, grammar)[0]
        accepted = best.confidence >= 0.5 and bool(best.digits or best.intent)
        score = self.scores.setdefault((name, grammar), Score(name, grammar))
        score.add(Case(wave, grammar, speaker=speaker), "", "", not accepted)
        if accepted:
            self.misses.append((name, grammar, "-", f"{best.text} ({best.confidence:.2f})"))

    def table(self) -> Table:
        table = Table("set", "condition", "voices", "right", "share", "95 %", "digit errors")
        for score in self.scores.values():
            low, high = wilson(score.right, score.count)
            errors = f"{100 * score.edits / score.symbols:.1f} %" if score.symbols else ""
            share = f"{100 * score.right / score.count:.1f} %"
            interval = f"{100 * low:.1f}-{100 * high:.1f}"
            table.add_row(
                score.name,
                score.condition,
                str(len(score.voices)),
                f"{score.right}/{score.count}",
                share,
                interval,
                errors,
            )
        return table


def foreign_model(model: Path, language: str, folder: Path) -> VoskRecognizer:
    """`model` with graphs for the digits of another language, "digit" and "string", in `folder`."""
    words: dict[str, str] = {}
    for row in (HERE / "lexica" / language / "digits.tsv").read_text(encoding="utf-8").splitlines():
        if row and not row.startswith("#"):
            words.setdefault(row.split("\t")[0], str(len(words)))
    shutil.copytree(model / "am", folder / "am")
    shutil.copytree(model / "conf", folder / "conf")
    shutil.copyfile(model / "graphs.toml", folder / "graphs.toml")
    with (folder / "graphs.toml").open("a", encoding="utf-8") as file:
        # The same settings as the identifier's, whose place these graphs take.
        settings = (model / "graphs.toml").read_text(encoding="utf-8").partition("[identifier]")[2].partition("[")[0]
        file.write(f"\n[digit]{settings}\n[string]{settings}\n")
    items = "".join(f"<item>{word}<tag>digits:{digit}</tag></item>" for word, digit in words.items())
    for name, repeat in (("digit", "1"), ("string", "7")):
        (folder / f"{name}.grxml").write_text(
            f'<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="{language}" mode="voice" '
            f'root="u" tag-format="voicebot/1.0"><rule id="u" scope="public"><item repeat="{repeat}">'
            f"<one-of>{items}</one-of></item></rule></grammar>",
            encoding="utf-8",
        )
    compile_model(folder, folder.glob("*.grxml"), HERE / "lexica" / language)
    return VoskRecognizer(folder)


NOT_DIGITS = {"sr-peri"}
"""Speakers whose recordings are filed under a digit but are up to ten seconds long: something is told in them."""

DIGIT_NAMES: dict[str, dict[str, str]] = {
    "mk": dict(zip("нула еден два три четири пет шест седум осум девет".split(), "0123456789", strict=True)),
    "sr": dict(zip("нула један два три четири пет шест седам осам девет".split(), "0123456789", strict=True)),
    "uk": {},
}


def human(bench: Bench, model: Path, index: Path) -> None:
    """People saying digits of other languages: single, and joined into strings."""
    for language, folders in {
        "uk": ["ukrainian-digits"],
        "mk": ["macedonian-digits"],
        "sr": ["serbian-digits"],
    }.items():
        with tempfile.TemporaryDirectory() as folder:
            recognizer = foreign_model(model, language, Path(folder))
            clips: dict[str, list[tuple[str, telephone.Wave]]] = {}
            for row in (row for name in folders for row in recordings(index, f"test/{name}")):
                digit = DIGIT_NAMES[language].get(row.text, row.text)
                if len(digit) == 1 and digit.isdecimal() and row.speaker not in NOT_DIGITS:
                    wave = loaded(row.path)
                    clips.setdefault(row.speaker, []).append((digit, wave))
                    case = Case(framed(wave), "digit", digits=digit, speaker=row.speaker)
                    bench.hear(f"people, {language}, single digits", case, recognizer)
            for case in joined(clips, 60 if language == "uk" else 20, 5):
                bench.hear(f"people, {language}, 7 digits joined", case, recognizer)


def rejection(bench: Bench, recognizer: Recognizer, index: Path | None, voices: Sequence[telephone.Wave]) -> None:
    """Other words, noises and music."""
    rng = np.random.default_rng(11)
    for number in range(60):
        size = int(TELEPHONE_RATE_HZ * rng.uniform(1.0, 4.0))
        match number % 4:
            case 0:
                wave = telephone.music(size, rng)
            case 1:
                wave = telephone.babble(size, rng, voices) if voices else telephone.street(size, rng)
            case 2:
                wave = telephone.BACKGROUNDS[rng.integers(len(telephone.BACKGROUNDS))](size, rng)
            case _:
                pieces = [0.001 * telephone.white(2000, rng)]
                for _ in range(4):
                    pieces += [
                        telephone.EVENTS[rng.integers(len(telephone.EVENTS))](rng),
                        0.001 * telephone.white(3000, rng),
                    ]
                wave = np.concatenate(pieces) * 4
        for grammar in ("identifier", "confirm", "menu"):
            bench.false_alarms("noise and music", 2500 * wave, "-", recognizer, grammar)
    for row in recordings(index, "test/bulgarian-words") if index else []:
        for grammar in ("identifier", "confirm", "menu"):
            bench.false_alarms("people, other words", framed(loaded(row.path)), row.speaker, recognizer, grammar)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=REPOSITORY / "models" / "bg-telephone")
    parser.add_argument("--styles", nargs="*", default=["jf_nezumi"], help="Kokoro styles that training never heard")
    parser.add_argument("--per-kind", type=int, default=12, help="digit strings of each kind and style")
    parser.add_argument("--human", type=Path, help="index.tsv of people's recordings")
    parser.add_argument("--conditions", nargs="*", default=["clean", "20 dB", "10 dB"])
    parser.add_argument("--render-only", action="store_true")
    parser.add_argument("--no-rejection", action="store_true")
    parser.add_argument("--misses", action="store_true", help="print what was not heard rightly")
    parser.add_argument("--json", type=Path, help="where to write the counts")
    options = parser.parse_args()
    cases = [pair for style in options.styles for pair in synthetic(style, options.per_kind, 3)]
    if options.render_only:
        return 0
    voices = [case.wave for _, case in cases[:40]] or [framed(telephone.white(8000, np.random.default_rng(0)))]
    bench = Bench(voices, options.conditions)
    recognizer = VoskRecognizer(options.model)
    for name, case in cases:
        bench.hear(f"synthetic, {name}", case, recognizer)
    if not options.no_rejection:
        rejection(bench, recognizer, options.human, voices)
    if options.human:
        human(bench, options.model, options.human)
    console = Console(width=140)
    console.print(bench.table())
    console.print(f"real-time factor {bench.spent_s / max(bench.heard_s, 1e-9):.4f} over {bench.heard_s:.0f} s")
    if options.misses:
        for miss in bench.misses:
            console.print(*miss, sep=" | ")
    if options.json:
        rows = [
            {
                "set": s.name,
                "condition": s.condition,
                "voices": len(s.voices),
                "right": s.right,
                "count": s.count,
                "edits": s.edits,
                "symbols": s.symbols,
            }
            for s in bench.scores.values()
        ]
        part = options.json.with_name(options.json.name + ".part")
        part.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        os.replace(part, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
