"""Fits and checks how sure the recogniser says that it is.

    python benchmarks/calibration.py --fit SET... --check SET... [--model models/bg-telephone]

A SET is a folder of recordings with an `index.tsv` in it or above it (tabs; path and text; digits, intent and grammar
where they are known). Where an index has neither digits nor intents, the grammar says what its texts mean, and what
is no answer is something that must be rejected. `--fit` hears the sets clean and through simulated lines, adds noises
and music, writes `confidence.toml` into the model and brings its manifest up to date; a question that nothing in the
sets answers gets no fit. `--check` prints how often readings of each confidence are right; give it other sets than
those that were fitted, or the figures flatter. Voices that figures are taken of must never be fitted.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from voicebot.acoustics import telephone
from voicebot.acoustics.corpora import sound_effects
from voicebot.acoustics.graph import CONFIDENCE, record_file
from voicebot.acoustics.speech import SPEECH_RATE_HZ
from voicebot.audio.sound import TELEPHONE_RATE_HZ, Sound
from voicebot.evaluation.recordings import Recording
from voicebot.evaluation.scoring import Said
from voicebot.evaluation.trials import said_in
from voicebot.hearing.confidence import Calibration, Evidence, format_calibrations
from voicebot.hearing.recognizer import Reading
from voicebot.hearing.vosk_recognizer import Hypothesis, VoskRecognizer, calibrated, plain_confidence, readings_of
from voicebot.language.srgs import Grammar, load_grammar

REPOSITORY = Path(__file__).parents[1]
GRAMMARS = REPOSITORY / "grammars"

NOISE_SHARE = 0.25
"""Part of what is heard at a question that is taken to be no answer; it weighs the sets against each other."""
PENALTY = 1e-3
"""Of squared weights (of evidence brought to a deviation of 1), so that scarce sets give no wild ones."""
BINS = 10
_NUMERAL = re.compile(r"\d|нул|ед[ин]|дв[ае]|три|четир|пет|шес|шей|сед|ос[ея]м|девет|десет|сто|хил|йсет")
console = Console(width=140)


@dataclass(frozen=True, slots=True)
class Utterance:
    """One recording with what must be understood; neither digits nor an intent is nothing."""

    path: Path
    grammar: str
    said: Said = field(default_factory=Said)
    voice: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """One utterance heard once."""

    utterance: Utterance
    hypotheses: list[Hypothesis]
    levels_db: NDArray[np.float64]

    def is_right(self, reading: Reading) -> bool:
        return self.utterance.said.is_meant_by(reading)

    def evidence(self, grammar: Grammar) -> Iterator[tuple[Evidence, bool]]:
        """The evidence for each reading that means something, and whether it is right."""
        found: list[Evidence] = []

        def gather(hypothesis: Hypothesis, share: float) -> float:
            found.append(Evidence.of(share, hypothesis.score, hypothesis.spoken, self.levels_db))
            return share

        readings = readings_of(self.hypotheses, grammar, gather)
        meaning = [reading for reading in readings if reading.text]
        yield from zip(found, map(self.is_right, meaning), strict=True)

    def first(self, grammar: Grammar, calibration: Calibration | None) -> Reading:
        judge = plain_confidence if calibration is None else calibrated(calibration, self.levels_db)
        return readings_of(self.hypotheses, grammar, judge)[0]


# What is heard


def utterances(folder: Path, grammars: dict[str, Grammar]) -> list[Utterance]:
    """The utterances of a set that can be labelled."""
    folder = folder.resolve()
    index = next(parent / "index.tsv" for parent in (folder, *folder.parents) if (parent / "index.tsv").is_file())
    with index.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    found = []
    for row in rows:
        path = index.parent / row["path"]
        if not path.is_relative_to(folder) or not path.is_file():
            continue
        grammar = row.get("grammar") or "identifier"
        if grammar not in grammars:
            continue
        voice = row.get("voice") or row.get("speaker") or ""
        text = row["text"] if "digits" in row else " ".join(re.findall(r"[а-я]+", row["text"].lower()))
        said = said_in(Recording(path, text, row.get("digits"), row.get("intent")), grammars[grammar])
        if said.has_answer:
            found.append(Utterance(path, grammar, said, voice))
        elif "digits" in row or not _NUMERAL.search(row["text"].lower()):
            # Other words are no answer to any question; what is one to some question is not known to be none here.
            found += [Utterance(path, name, voice=voice) for name in grammars]
    return found


def loaded(path: Path) -> telephone.Wave:
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    sound = Sound.from_float(samples.mean(axis=1), rate_hz).resampled(TELEPHONE_RATE_HZ)
    return sound.samples[: 12 * TELEPHONE_RATE_HZ].astype(np.float64)


def framed(wave: telephone.Wave, rng: telephone.Random) -> telephone.Wave:
    """`wave` as the listener would cut it out: with 0.3 s before and 0.5 to 1.2 s behind, over faint noise."""
    before, behind = np.zeros(2400), np.zeros(int(TELEPHONE_RATE_HZ * rng.uniform(0.5, 1.2)))
    whole = np.concatenate([before, wave / (np.abs(wave).max() + 1e-9) * 8000, behind])
    return whole + rng.normal(0, 3, len(whole))


def no_speech(count: int, rng: telephone.Random) -> Iterator[telephone.Wave]:
    """Noises, music, coughs and the like, and recorded animals and tools, in units of int16."""
    effects = [Sound(samples, SPEECH_RATE_HZ).resampled(TELEPHONE_RATE_HZ).samples for samples in sound_effects()]
    for number in range(count):
        size = int(TELEPHONE_RATE_HZ * rng.uniform(0.8, 4))
        if number % 3 == 0:
            wave = telephone.BACKGROUNDS[rng.integers(len(telephone.BACKGROUNDS))](size, rng) / 4
        elif number % 3 == 1:
            wave = np.resize(effects[rng.integers(len(effects))], size).astype(np.float64)
            wave /= np.abs(wave).max() + 1e-9
        else:
            pieces = [0.001 * telephone.white(2400, rng)]
            for _ in range(rng.integers(1, 5)):
                pieces += [telephone.EVENTS[rng.integers(len(telephone.EVENTS))](rng)]
                pieces += [0.001 * telephone.white(int(rng.uniform(800, 4000)), rng)]
            wave = np.concatenate(pieces)
        yield wave * 8000 * 10 ** (rng.uniform(-20, 0) / 20)


class Ears:
    """The recogniser, hearing sets."""

    def __init__(self, model: Path, grammars: Sequence[str], lines: int, most: int, noises: int) -> None:
        self.recognizer = VoskRecognizer(model)
        self._all = {
            name: load_grammar(model / "graphs" / name / "grammar.grxml") for name in sorted(self.recognizer.grammars)
        }
        self.grammars = {name: own for name, own in self._all.items() if not grammars or name in grammars}
        self.lines, self.most, self.noises = lines, most, noises

    def hear(self, sets: Sequence[Path], seed: int) -> list[Heard]:
        """Everything once clean and `lines` times through a line, and noises at every question."""
        rng = np.random.default_rng(seed)
        chosen = []
        for folder in sets:
            found = [u for u in utterances(folder, self._all) if u.grammar in self.grammars]
            random.Random(seed).shuffle(found)
            chosen += found[: self.most]
        answered = {u.grammar for u in chosen if u.said.has_answer}
        chosen = [u for u in chosen if u.grammar in answered]
        voices = [wave for wave in map(loaded, [u.path for u in chosen[:30]]) if len(wave)]
        line = telephone.Line(voices, [])
        heard = []
        for utterance in track(chosen, description="hearing", console=Console(stderr=True)):
            wave = loaded(utterance.path)
            heard.append(self._once(utterance, framed(wave, rng)))
            heard += [self._once(utterance, line.through(wave, rng).wave) for _ in range(self.lines)]
        for wave in no_speech(self.noises, rng):
            heard += [self._once(Utterance(Path(), grammar, voice="-"), wave) for grammar in sorted(answered)]
        return heard

    def _once(self, utterance: Utterance, wave: telephone.Wave) -> Heard:
        stream = self.recognizer.stream(utterance.grammar)
        stream.accept(np.clip(np.round(wave), -32768, 32767).astype(np.int16))
        return Heard(utterance, stream.hypotheses(), stream.heard_db)


# Fitting


FEWEST = 60
"""Fewest right and fewest wrong readings that weights are learnt from: with 20 they knew nothing."""


def fitted(heard: Sequence[Heard], grammar: Grammar) -> Calibration | None:
    """The logistic model of all readings, by Newton's method; None where there is too little to learn from."""
    rows, right, weights = [], [], []
    answers = sum(one.utterance.said.has_answer for one in heard)
    others = len(heard) - answers
    for one in heard:
        weight = (1 - NOISE_SHARE) / max(answers, 1) if one.utterance.said.has_answer else NOISE_SHARE / max(others, 1)
        for evidence, correct in one.evidence(grammar):
            rows.append(astuple(evidence))
            right.append(float(correct))
            weights.append(weight)
    if sum(right) < FEWEST or len(right) - sum(right) < FEWEST:
        return None
    x, y, weight = np.array(rows), np.array(right), np.array(weights)
    weight /= weight.sum()
    centre, spread = x.mean(axis=0), x.std(axis=0) + 1e-9
    z = np.column_stack([np.ones(len(x)), (x - centre) / spread])
    w = np.zeros(z.shape[1])
    penalty = PENALTY * np.diag([0.0] + [1.0] * x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-z @ w))
        gradient = z.T @ (weight * (p - y)) + penalty @ w
        curvature = (z * (weight * p * (1 - p))[:, None]).T @ z + penalty + 1e-9 * np.eye(len(w))
        step = np.linalg.solve(curvature, gradient)
        w -= step
        if np.abs(step).max() < 1e-8:
            break
    slopes = w[1:] / spread
    return Calibration(float(w[0] - slopes @ centre), Evidence(*map(float, slopes)))


# Checking


def wilson(right: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (E. B. Wilson, 1927)."""
    share = right / count
    centre = share + z * z / (2 * count)
    spread = z * float(np.sqrt(share * (1 - share) / count + z * z / (4 * count * count)))
    return (centre - spread) / (1 + z * z / count), (centre + spread) / (1 + z * z / count)


def bins(confidence: NDArray[np.float64], right: NDArray[np.float64]) -> list[tuple[int, float, float]]:
    """For each bin that holds anything: how many, their mean confidence, the share of right ones."""
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        (int(m.sum()), float(confidence[m].mean()), float(right[m].mean()))
        for m in (place == number for number in range(BINS))
        if m.any()
    ]


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Expected calibration error: how far, on average, confidence is from the share of right ones in its bin."""
    return sum(n * abs(said - was) for n, said, was in bins(confidence, right)) / len(right)


def check(heard: Sequence[Heard], grammar: Grammar, calibration: Calibration | None, name: str) -> str:
    """Print how sure the first readings were and how often they were right; returns the curve as SVG."""
    first = [one.first(grammar, calibration) for one in heard]
    said = [
        (reading.confidence, one.is_right(reading)) for one, reading in zip(heard, first, strict=True) if reading.text
    ]
    confidence, right = np.array([c for c, _ in said]), np.array([float(r) for _, r in said])
    table = Table("confidence", "readings", "mean", "right", "95 %", title=name)
    for count, mean, share in bins(confidence, right):
        low, high = wilson(share * count, count)
        table.add_row(
            f"{int(mean * BINS) / BINS:.1f}+", str(count), f"{mean:.2f}", f"{share:.2f}", f"{low:.2f}–{high:.2f}"
        )
    console.print(table)
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(right), len(right)) for _ in range(300)]
    low, high = np.percentile([calibration_error(confidence[d], right[d]) for d in draws], (2.5, 97.5))
    console.print(f"expected calibration error {calibration_error(confidence, right):.3f} (95 % {low:.3f}–{high:.3f})")
    none = [r for one, r in zip(heard, first, strict=True) if not one.utterance.said.has_answer]
    sure = sum(bool(r.text) and r.confidence >= 0.5 for r in none)
    digits = sum(bool(r.digits) and r.confidence >= 0.5 for r in none)
    lost = sum(r and c < 0.5 for c, r in said)
    low, high = wilson(sure, max(len(none), 1))
    console.print(
        f"of {len(none)} that are no answer {sure} are taken for one at 0.5 or more ({low:.1%}–{high:.1%}), {digits} "
        f"for digits; of {int(right.sum())} right readings {lost} are below 0.5"
    )
    return curve(bins(confidence, right), name)


def curve(points: Sequence[tuple[int, float, float]], name: str) -> str:
    """The reliability curve: confidence to the right, share of right readings upwards, with its 95 % interval."""
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-40 -20 270 260" font-family="sans-serif" font-size="9">',
        f'<rect x="-40" y="-20" width="270" height="260" fill="white"/><text x="0" y="-6">{name}</text>',
        '<path d="M0 0V200H200" fill="none" stroke="black"/><path d="M0 200L200 0" stroke="silver"/>',
        '<text x="100" y="225" text-anchor="middle">confidence</text>',
        '<text x="-100" y="-26" text-anchor="middle" transform="rotate(-90)">right</text>',
    ]
    for tick in (0.0, 0.5, 1.0):
        parts.append(f'<text x="{200 * tick:.0f}" y="211" text-anchor="middle">{tick:g}</text>')
        parts.append(f'<text x="-4" y="{203 - 200 * tick:.0f}" text-anchor="end">{tick:g}</text>')
    path = " ".join(f"{200 * mean:.1f},{200 - 200 * share:.1f}" for _, mean, share in points)
    parts.append(f'<polyline points="{path}" fill="none" stroke="steelblue"/>')
    for count, mean, share in points:
        low, high = wilson(share * count, count)
        x = 200 * mean
        parts.append(f'<path d="M{x:.1f} {200 - 200 * low:.1f}V{200 - 200 * high:.1f}" stroke="steelblue"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{200 - 200 * share:.1f}" r="3" fill="steelblue"/>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=REPOSITORY / "models" / "bg-telephone")
    parser.add_argument("--fit", type=Path, nargs="+", metavar="SET", default=[], help="sets to fit the model to")
    parser.add_argument("--check", type=Path, nargs="+", metavar="SET", default=[], help="other sets to check it with")
    parser.add_argument("--grammars", nargs="*", metavar="NAME", help="which questions; all by default")
    parser.add_argument("--lines", type=int, default=1, help="how often each recording goes through a line")
    parser.add_argument("--most", type=int, default=400, help="most utterances of a set")
    parser.add_argument("--noises", type=int, default=240, help="noises at each question")
    parser.add_argument("--plain", action="store_true", help="check the confidence of a model without calibration")
    parser.add_argument("--curves", type=Path, metavar="FOLDER", help="where reliability curves are written as SVG")
    options = parser.parse_args()
    ears = Ears(options.model, options.grammars or [], options.lines, options.most, options.noises)
    calibrations = dict(ears.recognizer.calibrations)
    if options.fit:
        heard = ears.hear(options.fit, seed=1)
        for name, grammar in ears.grammars.items():
            calibration = fitted([one for one in heard if one.utterance.grammar == name], grammar)
            if calibration is None:
                calibrations.pop(name, None)
                console.print(f"{name}: too few readings to fit, not calibrated")
            else:
                calibrations[name] = calibration
        path = options.model / CONFIDENCE
        part = path.with_name(CONFIDENCE + ".part")
        names = ", ".join(field.name for field in fields(Evidence))
        part.write_text(
            "# How sure readings are: weights of a logistic model by grammar, fitted to this acoustic model by\n"
            f"# benchmarks/calibration.py. What {names}\n# are is said in voicebot/hearing/confidence.py.\n\n"
            + format_calibrations(calibrations),
            encoding="utf-8",
        )
        part.replace(path)
        record_file(options.model, CONFIDENCE)
        console.print(f"{path} fitted to {len(heard)} utterances")
    if options.check:
        heard = ears.hear(options.check, seed=2)
        for name, grammar in ears.grammars.items():
            of_name = [one for one in heard if one.utterance.grammar == name]
            if any(one.first(grammar, None).text for one in of_name):
                svg = check(of_name, grammar, None if options.plain else calibrations.get(name), name)
                if options.curves:
                    (options.curves / f"calibration-{name}.svg").write_text(svg, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
