"""The recipe of the acoustic model: from nothing but packages to a model folder, in stages that can be interrupted.

`python -m voicebot.acoustics.recipe` does what is not done yet; every shard of every stage is a file that appears
when it is complete. What it makes depends on the seed and the packages alone.

    speech      synthetic voices, and people from Debian packages and from the folders given by --corpus
    bootstrap   a small network on speech whose timings are known (espeak-ng, festvox-ru)
    alignment   the bootstrap network finds the phones in all other speech
    examples    every utterance over simulated lines, as features and labels
    network     two networks, that of Vosk and a wider one for the second pass, by the cross-entropy of their frames
    sequences   the same networks further, by whole sequences (LF-MMI)
    export      the model folder, checked against the networks
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import platformdirs
import torch
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from threadpoolctl import threadpool_limits

from voicebot.acoustics import corpora
from voicebot.acoustics.alignment import Scores, align, chain_of, doubt
from voicebot.acoustics.examples import (
    HUMAN,
    SYNTHETIC,
    Example,
    at_telephone_rate,
    example_of,
    example_without_speech,
    read_examples,
    segments_of,
    write_examples,
)
from voicebot.acoustics.export import export, export_compact, unfolded
from voicebot.acoustics.features import Features, mfcc
from voicebot.acoustics.graph import SECOND_PASS
from voicebot.acoustics.network import LAYERS, LAYERS_OF_WHOLES, LayerShape, Tdnn, Trained, scores
from voicebot.acoustics.nnet3 import mixed, read_model, write_model
from voicebot.acoustics.outputs import of_phones
from voicebot.acoustics.speech import SPEECH_RATE_HZ, Utterance, read_shard, read_shards, write_shard
from voicebot.acoustics.synthesis import (
    EspeakSpeech,
    KokoroSpeech,
    NeighbourSpeech,
    PiperSpeech,
    ShardMaker,
    training_styles,
)
from voicebot.acoustics.telephone import Line, Wave
from voicebot.acoustics.texts import text_source
from voicebot.acoustics.training import Chunks, Schedule, train
from voicebot.audio.sound import Samples
from voicebot.errors import VoicebotError
from voicebot.language.lexicon import load_lexicon
from voicebot.language.phones import PHONES
from voicebot.language.srgs import load_grammar

Item = TypeVar("Item")

PHONE_NAMES = tuple(phone.name for phone in PHONES)

SYNTHETIC_SOURCES = ("kokoro", "neighbours", "piper", "espeak")


@dataclass(frozen=True, slots=True)
class Shape:
    """A network of the model."""

    name: str
    """What its files end in."""
    width: int
    rank: int
    """Values between the two halves of a layer."""
    layers: tuple[LayerShape, ...] = LAYERS
    sequence_epochs: int = 3
    """Epochs on sequences, behind those on frames."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much of everything."""

    shard: int = 30
    """Synthetic utterances in a shard."""
    people_shard: int = 400
    """People's utterances in a shard."""
    people: int | None = None
    """Most utterances of each corpus; None for all."""
    kokoro_shards: int = 57
    neighbour_shards: int = 20
    piper_shards: int = 50
    espeak_shards: int = 40
    joined: int = 4000
    """Strings made of people's single words."""
    silent: int = 4000
    """Lines on which nobody speaks, a few seconds each: the noises that training mixes in are among them."""
    copies: dict[str, int] = field(
        default_factory=lambda: {
            "kokoro": 8,
            "neighbours": 8,
            "piper": 4,
            "espeak": 2,
            "festvox": 1,
            "tuxpaint-bg": 8,
        }
    )
    """How often an utterance of a speaker, or else of a source, goes over a line; one speaks Bulgarian, for twenty
    minutes."""
    people_copies: int = 2
    """How often where nothing is said of its source: people are few, and warped copies of them the best there is."""
    worst_doubt: float = 2.5
    """Alignments that fit worse (nats a speech frame) are thrown away."""
    bootstrap: Shape = Shape("", 160, 112)
    first: Shape = Shape("", 256, 88)
    """The network of Vosk; each grammar loads it anew, so it shall be small."""
    second: Shape = Shape("-second", 384, 160, LAYERS_OF_WHOLES, sequence_epochs=2)
    """The network of the second pass; it is loaded once. An epoch of it takes longer, so it has one less."""
    second_kept: int = 72
    """How many of the values between its halves are kept in its file, the best: it hears as well with half of them."""
    epochs: int = 1
    sequence_rate: float = 1e-3
    """Highest learning rate on sequences."""
    further_epochs: int = 4
    """Epochs on sequences where training begins with a model."""
    further_rate: float = 8e-4
    further_share: float = 0.7
    """Share of the weights that such a training gives in those of the model; the rest are the old ones'."""


SMOKE = Amounts(
    shard=10,
    people=60,
    kokoro_shards=2,
    neighbour_shards=1,
    piper_shards=2,
    espeak_shards=4,
    joined=10,
    silent=20,
    bootstrap=Shape("", 32, 16),
    first=Shape("", 32, 16, sequence_epochs=1),
    second=Shape("-second", 48, 16, LAYERS_OF_WHOLES, sequence_epochs=1),
    further_epochs=1,
)
"""Just enough of everything to see that each stage works; the model is good for nothing."""


@dataclass(frozen=True)
class Recipe:
    """One run of the recipe in its work folder."""

    work: Path
    grammars: Path
    lexicon: Path
    word_list: Path
    corpora: Sequence[Path]
    styles: Path
    """Folder of the npm package kokoro-js."""
    aligner: Path | None
    """A model folder whose network finds the phones; without it the bootstrap network does."""
    start: Path | None
    """A model folder whose first network is trained further and whose second one stays; without it both are new."""
    amounts: Amounts
    seed: int
    jobs: int
    """Processes that make shards at the same time."""
    progress: Progress

    # Speech

    def speech(self) -> None:
        """Collect and synthesise speech."""
        people: dict[str, Callable[[], Iterator[Utterance]]] = {
            "festvox": corpora.festvox_russian,
            "asterisk": corpora.asterisk_prompts,
            "tuxpaint": corpora.tuxpaint_descriptions,
            "fillets": corpora.fillets_dialogues,
            "klettres": corpora.klettres_sounds,
        }
        for folder in self.corpora:
            people[f"corpus-{folder.name}"] = lambda folder=folder: corpora.folder_of_recordings(folder)  # type: ignore[misc]
        for name, read in people.items():
            folder = self.work / "speech" / name
            if not folder.exists():
                part, size = folder.with_name(f"{name}.part"), self.amounts.people_shard
                utterances = list(self._counted(f"reading {name}", islice(read(), self.amounts.people)))
                for number, first in enumerate(range(0, len(utterances), size)):
                    write_shard(part / f"{number:04}.npz", utterances[first : first + size])
                part.replace(folder)
        texts = text_source([load_grammar(path) for path in sorted(self.grammars.glob("*.grxml"))], self.word_list)
        lexicon = load_lexicon(self.lexicon)
        amounts = self.amounts
        self._synthetic("espeak", EspeakSpeech(texts), amounts.espeak_shards)
        self._synthetic("piper", PiperSpeech(texts, lexicon), amounts.piper_shards)
        styles = training_styles(self.styles)
        self._synthetic("neighbours", NeighbourSpeech(styles), amounts.neighbour_shards)
        self._synthetic("kokoro", KokoroSpeech(texts, lexicon, styles), amounts.kokoro_shards)

    def _synthetic(self, name: str, speak: ShardMaker, shards: int) -> None:
        def make(path: Path) -> None:
            write_shard(path, speak(self.seed + 1000 + int(path.stem), self.amounts.shard))

        self._make(f"speaking: {name}", make, [self.work / "speech" / name / f"{n:04}.npz" for n in range(shards)])

    # Alignment

    def bootstrap(self) -> None:
        """Train a small network on the speech whose timings are known, unless there is a model that aligns."""
        path = self.work / "bootstrap.pt"
        if self.aligner is not None or path.exists():
            return
        timed = [u for name in ("espeak", "festvox") for u in read_shards(self.work / "speech" / name)]
        rng = np.random.default_rng(self.seed)
        line = Line([at_telephone_rate(u) for u in timed[:200]], [])
        examples = [
            example_of(u, line, SYNTHETIC if u.source == "espeak" else HUMAN, rng)
            for u in self._tracked("bootstrap: lines", timed)
        ]
        network = Tdnn(self.amounts.bootstrap.width, self.amounts.bootstrap.rank)
        network.set_normalisation(np.concatenate([e.features for e in examples]).astype(np.float32))
        self._train(examples, network, Schedule(4, batch=16), path)

    def alignment(self) -> None:
        """Find the phones in all speech by the bootstrap network; drop what does not fit its text."""
        scores_of = self._scorer()

        def make(path: Path) -> None:
            spoken = read_shard(self.work / "speech" / path.parent.name / path.name)
            found = (self._aligned(u, scores_of) for u in spoken)
            write_shard(path, [u for u in found if u is not None])

        shards = sorted((self.work / "speech").glob("*/*.npz"))
        self._make("alignment", make, [self.work / "aligned" / path.parent.name / path.name for path in shards])

    def _scorer(self) -> Callable[[Features], Scores]:
        """What gives the phones' scores in each frame: the model at `aligner`, or the bootstrap network."""
        if self.aligner is None:
            trained = Trained.load(self.work / "bootstrap.pt")
            return lambda features: scores(trained.network, features) - 0.6 * np.log(trained.priors)
        model = read_model(self.aligner / "am" / "final.mdl")
        model = replace(model, layers=tuple(layer.of_precision("f") for layer in model.layers))
        return lambda features: of_phones(model.compute_every(features))

    def _aligned(self, utterance: Utterance, scores_of: Callable[[Features], Scores]) -> Utterance | None:
        """The utterance with its segments, or None when sound and text do not fit."""
        if utterance.segments:
            return utterance
        scores = scores_of(mfcc(at_telephone_rate(utterance)))
        labels = align(scores, chain_of(utterance.words))
        if labels is None or doubt(scores, labels) > self.amounts.worst_doubt:
            return None
        return replace(utterance, segments=segments_of(labels, PHONE_NAMES))

    # Examples

    def examples(self) -> None:
        """Send all speech over simulated lines."""
        effects, tunes = self._sounds("effects", corpora.sound_effects), self._sounds("music", corpora.music)
        shards = sorted((self.work / "aligned").glob("*/*.npz"))
        pool = [u for path in shards[:: max(1, len(shards) // 12)] for u in read_shard(path)[:40]]
        line = Line([at_telephone_rate(u) for u in pool], effects, tunes)
        sources: dict[Path, Callable[[], Iterable[Utterance]]] = {
            self.work / "examples" / f"{path.parent.name}-{path.name}": partial(read_shard, path) for path in shards
        }
        sources[self.work / "examples" / "joined-0000.npz"] = partial(self.joined, shards)
        silent = self.work / "examples" / "silent-0000.npz"

        def make(path: Path) -> None:
            rng = np.random.default_rng([self.seed, *path.name.encode()])
            if path == silent:
                write_examples(path, [example_without_speech(line, rng) for _ in range(self.amounts.silent)])
            else:
                write_examples(path, [e for u in sources[path]() for e in self._copies(u, line, rng)])

        self._make("lines", make, [*sources, silent])

    def _sounds(self, name: str, read: Callable[[], Iterator[Samples]]) -> list[Wave]:
        """Recordings that are no speech, read from their packages once."""
        path = self.work / f"{name}.npz"
        if not path.exists():
            write_shard(path, [Utterance(samples, (), "-", name) for samples in read()])
        return [at_telephone_rate(u) for u in read_shard(path)]

    def _copies(self, utterance: Utterance, line: Line, rng: np.random.Generator) -> Iterator[Example]:
        variation = SYNTHETIC if utterance.source in SYNTHETIC_SOURCES else HUMAN
        copies = self.amounts.copies
        of_source = copies.get(utterance.source, self.amounts.people_copies)
        for _ in range(copies.get(utterance.speaker, of_source)):
            yield example_of(utterance, line, variation, rng)

    def joined(self, shards: Sequence[Path]) -> Iterator[Utterance]:
        """Strings of single words of one person, cut close and joined with gaps of 0 to 400 ms."""
        words: dict[str, list[Utterance]] = {}
        for path in shards:
            if path.parent.name not in (*SYNTHETIC_SOURCES, "festvox"):
                for utterance in read_shard(path):
                    if len(utterance.words) <= 2 and len(utterance.samples) < 2 * SPEECH_RATE_HZ:
                        words.setdefault(utterance.speaker, []).append(utterance)
        speakers = [speaker for speaker in sorted(words) if len(words[speaker]) >= 10]
        rng = random.Random(self.seed)
        for number in range(self.amounts.joined if speakers else 0):
            speaker = speakers[number % len(speakers)]
            yield join(rng.choices(words[speaker], k=rng.randint(2, 8)), rng)

    # Network

    def network(self) -> None:
        """Train networks by frames, unless there is a model to begin with."""
        for shape in (self.amounts.first, self.amounts.second) if self.start is None else ():
            path = self.work / f"network{shape.name}.pt"
            if not path.exists():
                network, examples = Tdnn(shape.width, shape.rank, shape.layers), self._all_examples()
                some = examples[:: max(1, len(examples) // 2000)]
                network.set_normalisation(np.concatenate([e.features for e in some]).astype(np.float32))
                self._train(examples, network, Schedule(self.amounts.epochs), path)

    def sequences(self) -> None:
        """Train the networks by sequences."""
        amounts = self.amounts
        if self.start is None:
            for shape in (amounts.first, amounts.second):
                schedule = Schedule(shape.sequence_epochs, sequences=True, peak_rate=amounts.sequence_rate)
                path = self.work / f"sequences{shape.name}.pt"
                if not path.exists():
                    network = Trained.load(self.work / f"network{shape.name}.pt").network
                    self._train(self._all_examples(), network, schedule, path)
        elif not (path := self.work / f"sequences{amounts.first.name}.pt").exists():
            schedule = Schedule(amounts.further_epochs, sequences=True, peak_rate=amounts.further_rate)
            examples = self._all_examples()
            # The batch norms are measured on a large batch.
            network = unfolded(read_model(self.start / "am" / "final.mdl"), self._probe(examples, schedule))
            self._train(examples, network, schedule, path)

    def _probe(self, examples: Sequence[Example], schedule: Schedule) -> torch.Tensor:
        """Features as training shows them: one large batch."""
        chunks = Chunks(Tdnn(1, 1), examples, replace(schedule, batch=256), self.seed)
        return next(chunks.epoch(0))[0]

    def _all_examples(self) -> list[Example]:
        return [e for shard in sorted((self.work / "examples").glob("*.npz")) for e in read_examples(shard)]

    def _train(self, examples: Sequence[Example], network: Tdnn, schedule: Schedule, path: Path) -> None:
        """Train `network` and save it at `path`; what is interrupted goes on behind its last whole epoch."""
        hours = sum(len(e.labels) for e in examples) / 360_000
        name, checkpoint = path.stem, path.with_suffix(".checkpoint")
        task = self.progress.add_task(f"training: {name}, {hours:.1f} h")
        smooth = [0.0, 0.0]

        def report(step: int, steps: int, loss: float, right: float) -> None:
            for place, value in enumerate((loss, right)):
                smooth[place] = value if step == 1 else 0.99 * smooth[place] + 0.01 * value
            note = f"training: {name}, {hours:.1f} h, loss {smooth[0]:.3f}, frames right {100 * smooth[1]:.1f} %"
            self.progress.update(task, completed=step, total=steps, description=note)

        train(network, examples, schedule, self.seed, report, checkpoint).save(path)
        checkpoint.unlink()

    def export(self, folder: Path) -> tuple[float, float | None]:
        """Write the model into `folder`, its first network mixed with the one that training began with, if any.

        Returns:
            The largest difference, before that, of a log-probability of the file from the network's; and that of the
            second network's, narrowed and rounded, or None where it is that of the model before.
        """
        examples = self._all_examples()
        inputs = [e.features.astype(np.float32) for e in examples[:: max(1, len(examples) // 300)]]
        difference = export(Trained.load(self.work / f"sequences{self.amounts.first.name}.pt"), folder, inputs[0])
        if self.start is None:
            second = Trained.load(self.work / f"sequences{self.amounts.second.name}.pt")
            return difference, export_compact(second, folder / SECOND_PASS, self.amounts.second_kept, inputs)
        further, before = (read_model(model / "am" / "final.mdl") for model in (folder, self.start))
        write_model(mixed(before, further, self.amounts.further_share, inputs), folder)
        if (self.start / SECOND_PASS).is_file():
            shutil.copyfile(self.start / SECOND_PASS, folder / SECOND_PASS)
        return difference, None

    # Progress

    def _tracked(self, name: str, items: Sequence[Item]) -> Iterator[Item]:
        yield from self.progress.track(items, description=name)

    def _counted(self, name: str, items: Iterator[Item]) -> Iterator[Item]:
        task = self.progress.add_task(name, total=None)
        for item in items:
            yield item
            self.progress.advance(task)
        self.progress.update(task, total=self.progress.tasks[task].completed)

    def _make(self, name: str, make: Callable[[Path], None], targets: Sequence[Path]) -> None:
        """Have `make` make those of `targets` that are not there, in `jobs` processes."""
        missing = [path for path in targets if not path.exists()]
        task = self.progress.add_task(name, total=len(targets), completed=len(targets) - len(missing))
        for _ in in_processes(make, missing, self.jobs):
            self.progress.advance(task)


_work: Callable[[Any], None]


def in_processes(work: Callable[[Item], None], items: Sequence[Item], processes: int) -> Iterator[None]:
    """Do `work` for each item in forked processes, which share what is in memory; tells of each one that is done.

    Each computes with one thread: where there are more of them than cores, those of OpenBLAS and OpenMP take the cores
    from one another while they wait.
    """
    global _work
    _work = work
    fork = multiprocessing.get_context("fork")
    with fork.Pool(processes, _take_one_thread) as pool:
        yield from pool.imap_unordered(_do, items)


def _take_one_thread() -> None:
    torch.set_num_threads(1)
    threadpool_limits(1)


def _do(item: Any) -> None:
    _work(item)


def join(utterances: Sequence[Utterance], rng: random.Random) -> Utterance:
    """Utterances of one person as one, each cut to its speech, with gaps of 0 to 400 ms, half of them short."""
    pieces: list[Wave] = []
    segments: list[tuple[float, str]] = []
    second = 0.0
    for utterance in utterances:
        begin, end = speech_bounds(utterance)
        clip = utterance.samples[int(begin * SPEECH_RATE_HZ) : int(end * SPEECH_RATE_HZ)].astype(np.float64)
        pieces.append(clip / (np.abs(clip).max(initial=0.0) + 1e-9) * rng.uniform(6000, 12000))
        segments += [(second + at - begin, phone) for at, phone in utterance.segments if begin <= at < end]
        second += len(clip) / SPEECH_RATE_HZ
        gap = rng.uniform(0.0, 0.08) if rng.random() < 0.5 else rng.uniform(0.08, 0.4)
        segments.append((second, PHONE_NAMES[0]))
        pieces.append(np.zeros(int(gap * SPEECH_RATE_HZ)))
        second += len(pieces[-1]) / SPEECH_RATE_HZ
    first = utterances[0]
    samples = np.concatenate(pieces).astype(np.int16)
    return Utterance(samples, (), first.speaker, "joined", " ".join(u.text for u in utterances), tuple(segments))


def speech_bounds(utterance: Utterance) -> tuple[float, float]:
    """Where the first phone that is no pause begins and where the last one ends, in seconds."""
    end = len(utterance.samples) / SPEECH_RATE_HZ
    following = [*(begin for begin, _ in utterance.segments[1:]), end]
    spoken = [
        (begin, stop)
        for (begin, phone), stop in zip(utterance.segments, following, strict=True)
        if phone not in PHONE_NAMES[:2]
    ]
    return (spoken[0][0], spoken[-1][1]) if spoken else (0.0, end)


def main(arguments: list[str] | None = None) -> int:
    """Make the model; the exit status is 0 when done, 1 with one sentence on stderr otherwise."""
    parser = argparse.ArgumentParser(prog="python -m voicebot.acoustics.recipe", description=main.__doc__)
    work = platformdirs.user_cache_path("voicebot") / "acoustics"
    parser.add_argument("--work", type=Path, default=work, help="folder for everything on the way")
    parser.add_argument("--out", type=Path, default=Path("build/model-candidate"), help="folder of the model")
    parser.add_argument("--grammars", type=Path, default=Path("grammars"), help="folder of the .grxml files")
    parser.add_argument("--lexicon", type=Path, default=Path("bg_lexicon"), help="folder of the .tsv files")
    parser.add_argument("--word-list", type=Path, default=Path("/usr/share/dict/bulgarian"), help="words, one a line")
    parser.add_argument(
        "--corpus", type=Path, action="append", default=[], help="folder of recordings; may be repeated"
    )
    parser.add_argument("--aligner", type=Path, help="folder of a model that aligns instead of the bootstrap network")
    parser.add_argument("--start", type=Path, help="folder of a model that is trained further")
    parser.add_argument("--styles", type=Path, help="folder of the npm package kokoro-js, unpacked")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count() or 1, help="threads for training, processes for the rest"
    )
    parser.add_argument("--seed", type=int, default=1, help="of everything random")
    parser.add_argument("--smoke", action="store_true", help="a little of everything, to see that each stage works")
    stages = ("speech", "bootstrap", "alignment", "examples", "network", "sequences", "export")
    parser.add_argument("--only", choices=stages, action="append", help="stages to do; may be repeated; all by default")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    columns = (*Progress.get_default_columns(), TimeElapsedColumn(), TextColumn("{task.completed:.0f}"))
    try:
        with Progress(*columns) as progress:
            recipe = Recipe(
                options.work,
                options.grammars,
                options.lexicon,
                options.word_list,
                options.corpus,
                options.styles or work / "styles" / "package",
                options.aligner,
                options.start,
                SMOKE if options.smoke else Amounts(),
                options.seed,
                options.threads,
                progress,
            )
            for stage in options.only or stages:
                if stage == "export":
                    first, second = recipe.export(options.out)
                    narrowed = "" if second is None else f", the narrowed second one by {second:.2g}"
                    progress.console.print(f"{options.out}: differs from the network by {first:.1e} at most{narrowed}")
                else:
                    getattr(recipe, stage)()
    except VoicebotError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
