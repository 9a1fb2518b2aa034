"""The recipe of a Piper voice that speaks Bulgarian: from nothing but packages to a voice file, in stages.

`python -m voicebot.voice.training.recipe` does what is not done yet; whatever a stage makes appears when it is whole.

    texts     what is said: the bot's phrases, and sentences with every pair of sounds
    render    a Kokoro style says it
    check     a recogniser hears it
    dataset   what was heard rightly, in Piper's layout
    pack      the same in one file that travels to a machine with an accelerator (only when asked for)
    train     the network, by Piper's own code
    export    the voice in two files and its card, tried
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import multiprocessing
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import platformdirs
import soundfile
from rich.progress import track

from voicebot.errors import VoicebotError
from voicebot.voice.training.dataset import QUALITIES, pack, read_metadata, write_metadata

if TYPE_CHECKING:
    from voicebot.voice.training.texts import Text

Item = TypeVar("Item")
Result = TypeVar("Result")

STAGES = ("texts", "render", "check", "dataset", "train", "export")

SHORTEST_S = 0.6
"""Piper trains on pieces of a third of a second and cuts silence off; shorter recordings are left out."""

_MB_AN_UTTERANCE = 1.5
"""Recording, samples and spectrogram of about four seconds."""

_MB_CHECKPOINTS = 3000


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much of everything."""

    own: int = 2400
    """Phrases of the bot."""
    general: int = 2400
    """Other sentences."""
    candidates: int = 40_000
    """Sentences of which those are chosen."""
    worst_error: float = 0.4
    """Share of letters heard otherwise above which a recording is dropped."""
    steps: int = 200_000
    batch: int = 32
    every: int = 1000
    """Batches between checkpoints."""


SMOKE = Amounts(own=6, general=6, candidates=12, steps=4, batch=2, every=2)
"""Just enough to see that each stage works; the voice makes noise."""


@dataclass(frozen=True)
class Recipe:
    """One run of the recipe in its work folder; each stage says what it did.

    `train` and `export` import nothing that listens or converses, for a machine that has little but an accelerator.
    """

    work: Path
    style: str
    quality: str
    voice: Path
    """The `.onnx` file to be made."""
    word_list: Path
    amounts: Amounts
    seed: int
    jobs: int
    """Processes that render or listen at the same time."""
    minutes: float | None
    """After which training stops until the next run."""

    @property
    def _texts(self) -> Path:
        return self.work / "texts.txt"

    @property
    def _dataset(self) -> Path:
        return self.work / "dataset"

    @property
    def _heard(self) -> Path:
        return self.work / "heard.tsv"

    def texts(self) -> str:
        """Choose what is said, one text a line."""
        from voicebot.voice.training import texts

        if not self._texts.exists():
            amounts = self.amounts
            chosen = texts.texts(amounts.own, amounts.general, self.word_list, self.seed, candidates=amounts.candidates)
            _write(self._texts, "".join(f"{words}\n" for words in chosen))
        return f"{len(self._read_texts())} texts"

    def render(self) -> str:
        """Have the style say what it has not said yet."""
        from voicebot.voice.kokoro import KokoroVoice
        from voicebot.voice.training import speech

        KokoroVoice(self.style).load()  # what is wrong with it is told once, and its file is joined once
        wavs = self._dataset / "wavs"
        wavs.mkdir(parents=True, exist_ok=True)
        missing = [text for text in self._read_texts() if not (wavs / text.file).exists()]
        work = partial(speech.render, self.style, QUALITIES[self.quality].rate_hz, wavs)
        for _ in self._each("rendering", work, missing):
            pass
        return f"{len(missing)} rendered"

    def check(self) -> str:
        """Listen to what was not listened to yet; `heard.tsv` has the file, the error and what was heard."""
        from voicebot.voice.training import speech

        known, whisper = self._read_heard(), importlib.util.find_spec("faster_whisper") is not None
        missing = [t for t in self._read_texts() if t.file not in known and (whisper or t.digits)]
        with self._heard.open("a", encoding="utf-8", newline="") as file:
            table = csv.writer(file, delimiter="\t")
            for text, error, heard in self._each("listening", partial(speech.hear, self._dataset / "wavs"), missing):
                table.writerow((text.file, f"{error:.3f}", heard))
                file.flush()
        lacking = "" if whisper else ", digits alone: what hears the rest is missing (pip install -e '.[bench]')"
        return f"{len(missing)} heard{lacking}"

    def dataset(self) -> str:
        """Write the table of the recordings that were heard rightly, or not listened to, and are long enough."""
        heard, all_texts = self._read_heard(), self._read_texts()
        right = [t for t in all_texts if heard.get(t.file, 0.0) <= self.amounts.worst_error]
        seconds = {text: soundfile.info(self._dataset / "wavs" / text.file).duration for text in right}
        kept = [text for text in right if seconds[text] >= SHORTEST_S]
        write_metadata(self._dataset, [(text.file, text.words) for text in kept])
        return (
            f"{len(kept)} of {len(all_texts)} recordings kept, {sum(map(seconds.__getitem__, kept)) / 3600:.2f} h; "
            f"dropped: {len(all_texts) - len(right)} heard wrongly, {len(right) - len(kept)} too short; "
            f"not listened to: {sum(text.file not in heard for text in all_texts)}"
        )

    def pack(self) -> str:
        """Put the dataset into one file."""
        target = self.work / "dataset.tar"
        pack(self._dataset, target)
        return f"{target}: {target.stat().st_size / 1e6:.1f} MB"

    def train(self) -> str:
        """Train the network, from where it was left."""
        if not (self._dataset / "metadata.csv").exists():
            raise VoicebotError(f"There is no dataset in {self._dataset}: make it here, or unpack dataset.tar there.")
        from voicebot.voice.training import network

        amounts = self.amounts
        done = network.train(
            self._dataset,
            self._training,
            QUALITIES[self.quality],
            steps=amounts.steps,
            batch=amounts.batch,
            every=amounts.every,
            seed=self.seed,
            jobs=self.jobs,
            minutes=self.minutes,
        )
        return f"{done} of {amounts.steps} batches done"

    def export(self) -> str:
        """Write the voice and its card, and let the bot's own engine speak with it."""
        if not (self._training / "last.ckpt").exists():
            raise VoicebotError(f"There is no checkpoint in {self._training}: train first.")
        from voicebot.voice.piper import PiperVoice
        from voicebot.voice.training import network

        self.voice.parent.mkdir(parents=True, exist_ok=True)
        done = network.export(self._training, self.voice)
        said = PiperVoice(self.voice).synthesize("Добър ден!")
        seconds = sum(
            soundfile.info(self._dataset / "wavs" / file).duration for file, _ in read_metadata(self._dataset)
        )
        card = CARD.format(
            name=self.voice.stem, style=self.style, quality=self.quality, rate=QUALITIES[self.quality].rate_hz,
            size=self.voice.stat().st_size / 1e6, hours=seconds / 3600, done=done, batch=self.amounts.batch,
            seed=self.seed,
        )  # fmt: skip
        _write(self.voice.with_suffix(".md"), card)
        return f"{self.voice}: {self.voice.stat().st_size / 1e6:.1f} MB; it spoke for {said.duration_ms / 1000:.1f} s"

    @property
    def _training(self) -> Path:
        return self.work / f"training-{self.quality}"

    def _read_texts(self) -> list[Text]:
        from voicebot.voice.training.texts import Text

        lines = self._texts.read_text(encoding="utf-8").splitlines()
        return [Text(words, number) for number, words in enumerate(lines)]

    def _read_heard(self) -> dict[str, float]:
        """The errors of the files that were listened to; a line that was cut off is none."""
        if not self._heard.exists():
            return {}
        with self._heard.open(encoding="utf-8", newline="") as file:
            return {row[0]: float(row[1]) for row in csv.reader(file, delimiter="\t") if len(row) == 3}

    def _each(self, name: str, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """The results of `work`, done by `jobs` processes, as they come."""
        if self.jobs == 1:
            yield from map(work, track(items, description=name))
            return
        with multiprocessing.get_context("spawn").Pool(min(self.jobs, max(1, len(items)))) as pool:
            yield from track(pool.imap_unordered(work, items), description=name, total=len(items))


CARD = """\
# {name}: a Bulgarian voice for Piper

Synthetic throughout: no person was recorded. A draft, to be completed by hand.

| | |
|---|---|
| size | {size:.1f} MB, Piper's quality {quality}, {rate} Hz |
| learnt from | {hours:.2f} h of Kokoro-82M (Apache-2.0), style {style}, Bulgarian phonemes |
| what it said | this bot's phrases with random values, and words of Debian's wbulgarian in sentences of this project |
| trained | {done} batches of {batch} from nothing by `piper.train` of piper-tts (GPL-3.0-or-later), seed {seed} |
| licence | GPL-3.0-or-later, like the project; the weights are data that the recipe made |
| recipe | `make voice` (docs/voice.md) |

Character errors, values heard right, delay and speed: not measured yet. `python benchmarks/intelligibility.py FILE` and
`python benchmarks/first_sound.py FILE` measure them.
"""


def _write(path: Path, text: str) -> None:
    """Write a file that appears when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def require_space(folder: Path, megabytes: float) -> None:
    """Raises `VoicebotError` when there is less on the disk of `folder`, which need not exist yet."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(there).free / 1e6
    if free < megabytes:
        raise VoicebotError(
            f"{folder} has room for {free:.0f} MB and the recipe needs {megabytes:.0f} MB: make room, or name another "
            "folder by --work."
        )


def main(arguments: list[str] | None = None) -> int:
    """Make the voice; the exit status is 0 when done, 1 with one sentence on stderr otherwise."""
    parser = argparse.ArgumentParser(prog="python -m voicebot.voice.training.recipe", description=main.__doc__)
    work = platformdirs.user_cache_path("voicebot") / "voice"
    parser.add_argument("--work", type=Path, default=work, help="folder for everything on the way")
    parser.add_argument("--out", type=Path, default=Path("models/voices"), help="folder of the voice")
    parser.add_argument("--style", default="jm_kumo", help="Kokoro's style that is learnt, or a mixture of styles")
    parser.add_argument("--name", default="kumo", help="of the voice, in bg_BG-NAME-QUALITY.onnx")
    parser.add_argument("--quality", choices=QUALITIES, default="medium", help="size of the network")
    parser.add_argument("--word-list", type=Path, default=Path("/usr/share/dict/bulgarian"), help="words, one a line")
    parser.add_argument("--steps", type=int, help="batches to train")
    parser.add_argument("--batch", type=int, help="utterances in a batch")
    parser.add_argument("--minutes", type=float, help="stop training then, with a checkpoint")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, default=1, help="of everything random")
    parser.add_argument("--smoke", action="store_true", help="a little of everything, to see that each stage works")
    parser.add_argument("--only", choices=(*STAGES, "pack"), action="append", help="stages to do; may be repeated")
    options = parser.parse_args(arguments)
    given = {"steps": options.steps, "batch": options.batch}
    amounts = replace(SMOKE if options.smoke else Amounts(), **{k: v for k, v in given.items() if v is not None})
    recipe = Recipe(
        options.work,
        options.style,
        options.quality,
        options.out / f"bg_BG-{options.name}-{options.quality}.onnx",
        options.word_list,
        amounts,
        options.seed,
        options.jobs,
        options.minutes,
    )
    try:
        require_space(options.work, (amounts.own + amounts.general) * _MB_AN_UTTERANCE + _MB_CHECKPOINTS)
        for stage in options.only or STAGES:
            print(f"{stage}: {getattr(recipe, stage)()}", flush=True)
    except VoicebotError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename or options.work} cannot be used: {error.strerror or error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
