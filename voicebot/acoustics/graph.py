"""Decoding graphs: turns grammars and their pronunciations into what Vosk loads, and keeps record of the sources.

`python -m voicebot.acoustics.graph` compiles every grammar into `models/bg-telephone/graphs/`. A graph is an HCLG in
the sense of Mohri, Pereira and Riley, "Weighted finite-state transducers in speech recognition" (2002): its input
labels are transitions of the acoustic model, its output labels words. It is written in OpenFst's own file format
without OpenFst: the Python bindings of that library hang in one process with Vosk's copy of it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import shutil
import struct
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import accumulate, chain
from pathlib import Path
from typing import BinaryIO

from voicebot.acoustics.outputs import KINDS, PAUSE, kind
from voicebot.errors import VoicebotError
from voicebot.language.lexicon import Lexicon, load_lexicon, write_lexicon
from voicebot.language.phones import NOISE, PHONE_INDEX, PHONES, SILENCE
from voicebot.language.srgs import Arc, Grammar, WordAutomaton, load_grammar

UNKNOWN_WORD = "[unk]"
"""What is heard where somebody says words that the grammar lacks."""

MANIFEST = "manifest.json"
"""Name of the file with the sizes and digests of a model's files."""

CONFIDENCE = "confidence.toml"
"""Name of the file that says how sure readings are; a model may lack it."""

SETTINGS = "graphs.toml"
"""Name of the file with the costs of the graphs."""

SECOND_PASS = "am/second_pass.npz"
"""Name of the file with the network of the second pass (`acoustics.compact`); a model may lack it."""

_EPSILON = 0
_POSITIONS = ("begin", "internal", "end", "singleton")
_TRANSITION_COST = math.log(2.0)
"""Every phone of the acoustic model has one state that is left or kept with probability 1/2."""


UNKNOWN_PHONES = tuple(phone.name for phone in PHONES[3:] if phone.example or phone.name.endswith("ʲ"))
"""The phones of which unknown words are made: those of Bulgarian, and the soft consonants of its neighbours."""


class GraphError(VoicebotError):
    """A graph cannot be made: its settings or its model are not as they must be."""


@dataclass(frozen=True, slots=True)
class GraphSettings:
    """What a graph costs its ways beside the grammar's weights. All are negative natural logarithms."""

    word_cost: float = 0.0
    """For each word; more of it makes words rarer (fewer words put in, more left out)."""
    silence_cost: float = 0.7
    """For each silence between words."""
    noise_cost: float = 1.5
    """For each noise between words."""
    pause_frame_cost: float = 0.0
    """For each 30 ms of silence or noise; below 0 it favours long pauses over words."""
    unknown_cost: float = 6.0
    """For each stretch of unknown words beside known ones."""
    unknown_alone_cost: float = 6.0
    """For the first stretch of unknown words where there are no known ones; at most as much."""
    unknown_phone_cost: float = 2.0
    """For each phone of unknown words."""
    grammar_scale: float = 1.0
    """What the grammar's own costs are multiplied by."""


def load_settings(path: Path, grammar: str) -> GraphSettings:
    """The settings of a grammar: what stands under its name in a TOML file, else under `default`.

    Raises:
        GraphError: the file is missing, is not TOML, or has an unknown setting, one that is no number, or unknown words
            that are dearer alone than beside known ones.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise GraphError(f"{path} cannot be read as settings of graphs: {error}.") from error
    values = {**tables.get("default", {}), **tables.get(grammar, {})}
    known = {field.name for field in fields(GraphSettings)}
    for name, value in values.items():
        if name not in known or not isinstance(value, int | float) or isinstance(value, bool):
            raise GraphError(f'{path}: "{name} = {value}" is no setting of a graph.')
    settings = GraphSettings(**{name: float(value) for name, value in values.items()})
    if settings.unknown_alone_cost > settings.unknown_cost:
        raise GraphError(f'{path}: for "{grammar}" unknown_alone_cost may not be above unknown_cost.')
    return settings


def position_phone(phone: str, position: str = "nonword") -> int:
    """The label of a phone at a position in a word, as the acoustic model numbers them from 1.

    Silence and noise stand outside of words and come first; every other phone has one label for each of
    "begin", "internal", "end" and "singleton", in this order.
    """
    index = PHONE_INDEX[phone]
    if index < 2:
        return index + 1
    return 3 + 4 * (index - 2) + _POSITIONS.index(position)


LABELS = range(1, 3 + 4 * (len(PHONES) - 2))
"""The labels of all phones."""


def labelled_phone(label: int) -> str:
    """The name of the phone with that label, at whatever position."""
    return PHONES[label - 1 if label < 3 else 2 + (label - 3) // 4].name


def loop(label: int) -> int:
    """The transition that stays in the phone with that label."""
    return 2 * KINDS * (label - 1) + 1


def entry(label: int, left: int) -> int:
    """The transition over the first frame of the phone with that label, behind a phone of the kind `left`."""
    return 2 * (KINDS * (label - 1) + left + 1)


def word_boundaries() -> str:
    """Kaldi's `word_boundary.int`: each phone label with its position, one a line."""
    lines = [f"{position_phone(phone.name)} nonword" for phone in PHONES[:2]]
    lines += [f"{position_phone(phone.name, position)} {position}" for phone in PHONES[2:] for position in _POSITIONS]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class FstArc:
    """An arc of a transducer."""

    input_label: int
    output_label: int
    cost: float
    target: int


class Fst:
    """A weighted transducer over the tropical semiring that starts in state 0."""

    def __init__(self) -> None:
        self.arcs: list[list[FstArc]] = []
        """For each state the arcs that leave it."""
        self.finals: dict[int, float] = {}
        """The final states with their costs."""

    def state(self) -> int:
        """A new state."""
        self.arcs.append([])
        return len(self.arcs) - 1

    def arc(self, source: int, target: int, input_label: int = 0, output_label: int = 0, cost: float = 0.0) -> None:
        """A new arc from `source` to `target`."""
        self.arcs[source].append(FstArc(input_label, output_label, cost, target))

    def trim(self) -> None:
        """Leave out the states that cannot be reached."""
        reached, waiting = {0}, [0]
        while waiting:
            new = {arc.target for arc in self.arcs[waiting.pop()]} - reached
            reached |= new
            waiting += new
        places = {state: place for place, state in enumerate(sorted(reached))}
        self.arcs = [[replace(arc, target=places[arc.target]) for arc in self.arcs[state]] for state in places]
        self.finals = {places[state]: cost for state, cost in self.finals.items() if state in places}

    def write(self, file: BinaryIO) -> None:
        """Write it as OpenFst's binary `const` type, version 2, with arcs in the order of their input labels.

        The layout is that of `ConstFst::WriteFst`: the header (magic number, names of the FST and the arc type,
        version, flags, property bits, start state, counts), then for each state its final cost, where its arcs begin,
        how many they are and how many of them have no input and no output label; then all arcs. The property bits say
        only that the transducer is expanded. Loaded, a state takes 20 bytes, which in the `vector` type are 90.
        """
        ordered = [sorted(arcs, key=lambda arc: arc.input_label) for arcs in self.arcs]
        counts = [len(arcs) for arcs in ordered]
        file.write(struct.pack("<i", 2125659606) + _string(b"const") + _string(b"standard"))
        file.write(struct.pack("<iiQqqq", 2, 0, 0b1, 0, len(ordered), sum(counts)))
        for state, (arcs, begin) in enumerate(zip(ordered, accumulate(counts, initial=0), strict=False)):
            silent = (sum(not arc.input_label for arc in arcs), sum(not arc.output_label for arc in arcs))
            file.write(struct.pack("<fIIII", self.finals.get(state, math.inf), begin, len(arcs), *silent))
        for arc in chain.from_iterable(ordered):
            file.write(struct.pack("<iifi", arc.input_label, arc.output_label, arc.cost, arc.target))


def _string(text: bytes) -> bytes:
    return struct.pack("<i", len(text)) + text


@dataclass(frozen=True, slots=True, order=True)
class _Spelling:
    """What is left to say of a way over one word."""

    labels: tuple[int, ...]
    """The labels of the phones."""
    cost: float
    target: int
    """The state of the word automaton where the way leads."""


_Junction = tuple[int, ...]
"""A place between two phones: a state for each kind of phone that one may have come from."""


class _GraphBuilder:
    """Spells a word automaton out in phones.

    Each word leaves a junction as a tree of its phones, whose first arc tells the word, so that a partial reading has
    the likeliest word as soon as its first sound is heard. A cost stands where it is clear that it will be paid. Equal
    rests of trees, wherever they hang and of whatever word, are one.

    Unknown words stand before the first word and behind an utterance, where at a further cost another may follow: one
    loop of phones for all ends, because loops at each of them took most of the time in which noise is decoded.
    """

    def __init__(self, automaton: WordAutomaton, lexicon: Lexicon, settings: GraphSettings) -> None:
        self.lexicon = lexicon
        self.settings = settings
        self.words = ["<eps>", UNKNOWN_WORD, *sorted(automaton.words), "<s>", "</s>", "#0"]
        self.word_index = {word: index for index, word in enumerate(self.words)}
        self.fst = Fst()
        self._trees: dict[tuple[int, tuple[_Spelling, ...]], int] = {}
        start, begin = self._state(), self._state()
        first_word, alone = self._junction(), self._junction()
        self.fst.arc(start, begin)
        self._pause({PAUSE: start}, begin)
        before = self._unknown(alone, settings.unknown_alone_cost)
        behind_begin = self._junction()
        behind = self._unknown(behind_begin, settings.unknown_cost)
        self.fst.finals.update(dict.fromkeys((begin, *before, *behind), 0.0))
        self.fst.arc(begin, first_word[PAUSE])
        self.fst.arc(begin, alone[PAUSE])
        self._join(before, alone, settings.unknown_cost - settings.unknown_alone_cost)
        self._join(before, first_word, settings.unknown_cost - settings.unknown_alone_cost)
        self._join(behind, first_word, settings.unknown_cost)
        self._junctions = [first_word, *(self._junction() for _ in automaton.arcs[1:])]
        for state, (arcs, junction) in enumerate(zip(automaton.arcs, self._junctions, strict=True)):
            if state:
                self._pauses(junction)
            if state in automaton.finals:
                cost = settings.grammar_scale * automaton.finals[state]
                self.fst.finals.update(dict.fromkeys(junction, cost))
                self._join(junction, behind_begin, cost)
            for word, spellings in self._spellings(arcs).items():
                for left, source in enumerate(junction):
                    self._grow(source, left, spellings, word)
        self.fst.trim()

    def _state(self) -> int:
        return self.fst.state()

    def _junction(self) -> _Junction:
        return tuple(self._state() for _ in range(KINDS))

    def _join(self, source: _Junction, target: _Junction, cost: float = 0.0) -> None:
        for here, there in zip(source, target, strict=True):
            self.fst.arc(here, there, cost=cost)

    def _enter(self, source: int, left: int, target: int, label: int, word: int = _EPSILON, cost: float = 0.0) -> None:
        """An arc over the first frame of a phone, from a state behind a phone of the kind `left`."""
        self.fst.arc(source, target, entry(label, left), word, cost + _TRANSITION_COST)

    def _stay(self, state: int, label: int, frame_cost: float = 0.0) -> None:
        self.fst.arc(state, state, loop(label), _EPSILON, frame_cost + _TRANSITION_COST)

    def _pauses(self, junction: _Junction) -> None:
        """Lead over pauses from behind a word to behind a pause."""
        self._pause({left: state for left, state in enumerate(junction) if left != PAUSE}, junction[PAUSE])

    def _pause(self, sources: Mapping[int, int], target: int) -> None:
        """Lead over silence, noise or both in turn from states, given by the kind of phone before, to `target`.

        The same silence never follows itself: equal ways would fill the lattice.
        """
        silence, noise = position_phone(SILENCE), position_phone(NOISE)
        frame_cost = self.settings.pause_frame_cost
        costs = {silence: self.settings.silence_cost + frame_cost, noise: self.settings.noise_cost + frame_cost}
        for first, second in ((silence, noise), (noise, silence)):
            pause, other = self._state(), self._state()
            for left, source in sources.items():
                self._enter(source, left, pause, first, cost=costs[first])
            self._enter(pause, PAUSE, other, second, cost=costs[second])
            for state, label in ((pause, first), (other, second)):
                self._stay(state, label, frame_cost)
                self.fst.arc(state, target)

    def _spellings(self, arcs: Iterable[Arc]) -> dict[int, list[_Spelling]]:
        """The ways over these arcs by the output labels of their words."""
        found: dict[int, list[_Spelling]] = {}
        for arc in arcs:
            assert arc.word is not None
            cost = self.settings.grammar_scale * arc.cost + self.settings.word_cost
            for pronunciation in self.lexicon[arc.word]:
                phones = pronunciation.phones
                labels = tuple(position_phone(phone, _position(i, len(phones))) for i, phone in enumerate(phones))
                spelling = _Spelling(labels, cost - math.log(pronunciation.weight), arc.target)
                found.setdefault(self.word_index[arc.word], []).append(spelling)
        return found

    def _grow(self, source: int, left: int, spellings: Iterable[_Spelling], word: int = _EPSILON) -> None:
        """The tree of `spellings` from `source`, a state behind a phone of the kind `left`, with `word` on its arcs."""
        by_label: dict[int, list[_Spelling]] = {}
        for spelling in spellings:
            by_label.setdefault(spelling.labels[0], []).append(spelling)
        for label, group in by_label.items():
            least = min(spelling.cost for spelling in group)
            rest = sorted(_Spelling(one.labels[1:], one.cost - least, one.target) for one in group)
            self._enter(source, left, self._tree(label, tuple(rest)), label, word, least)

    def _tree(self, label: int, rest: tuple[_Spelling, ...]) -> int:
        """The state in a phone behind which `rest` is left to say."""
        key = (label, tuple(replace(spelling, cost=round(spelling.cost, 6)) for spelling in rest))
        if key not in self._trees:
            state = self._trees[key] = self._state()
            kind = _kind_of(label)
            self._stay(state, label)
            for spelling in rest:
                if not spelling.labels:
                    target = self._junctions[spelling.target][kind]
                    self.fst.arc(state, target, cost=spelling.cost)
            self._grow(state, kind, [spelling for spelling in rest if spelling.labels])
        return self._trees[key]

    def _unknown(self, source: _Junction, cost: float) -> _Junction:
        """Unknown words from `source` at a `cost`, with pauses behind: any two or more of `UNKNOWN_PHONES`."""
        word, phone_cost = self.word_index[UNKNOWN_WORD], self.settings.unknown_phone_cost
        inside, end = self._junction(), self._junction()
        for phone in UNKNOWN_PHONES:
            for position, origin, target in (
                ("begin", source, inside),
                ("internal", inside, inside),
                ("end", inside, end),
            ):
                label, state = position_phone(phone, position), self._state()
                self._stay(state, label)
                self.fst.arc(state, target[_kind_of(label)])
                for left, before in enumerate(origin):
                    if position == "begin":
                        self._enter(before, left, state, label, word, cost + phone_cost)
                    elif left != PAUSE:
                        self._enter(before, left, state, label, cost=phone_cost)
        self._pauses(end)
        return end


def _kind_of(label: int) -> int:
    """The kind of the phone with a label, as its right neighbour sees it."""
    return kind(labelled_phone(label))


def _position(place: int, length: int) -> str:
    if length == 1:
        return "singleton"
    return "begin" if place == 0 else "end" if place == length - 1 else "internal"


@dataclass(frozen=True, slots=True)
class Graph:
    """A compiled grammar."""

    fst: Fst
    words: tuple[str, ...]
    """The words by their output labels."""

    def write(self, folder: Path) -> None:
        """Write `HCLG.fst`, `words.txt` and `phones/word_boundary.int` into `folder`, as Vosk expects them."""
        (folder / "phones").mkdir(parents=True)
        with (folder / "HCLG.fst").open("wb") as file:
            self.fst.write(file)
        table = "".join(f"{word} {index}\n" for index, word in enumerate(self.words))
        (folder / "words.txt").write_text(table, encoding="utf-8")
        (folder / "phones" / "word_boundary.int").write_text(word_boundaries(), encoding="utf-8")


def compile_graph(grammar: Grammar, lexicon: Lexicon, settings: GraphSettings) -> Graph:
    """The graph of a grammar.

    Raises:
        GrammarError: the lexicon lacks a word of the grammar.
    """
    grammar.require_words(lexicon)
    builder = _GraphBuilder(grammar.automaton.spelling(), lexicon, settings)
    return Graph(builder.fst, tuple(builder.words))


def sources_digest(grammar: Path, lexicon: Path, settings: GraphSettings) -> str:
    """SHA-256 of everything that a graph is made from, but for this module."""
    digest = hashlib.sha256(grammar.read_bytes())
    for path in sorted(lexicon.glob("*.tsv")):
        digest.update(path.read_bytes())
    digest.update(json.dumps(asdict(settings), sort_keys=True).encode())
    digest.update(word_boundaries().encode())
    return digest.hexdigest()


def file_record(path: Path) -> dict[str, int | str]:
    """Size in bytes and SHA-256 of a file, as a manifest has them."""
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def record_file(model: Path, name: str) -> None:
    """Bring the manifest of a model up to date with one of its files that was made anew."""
    manifest = json.loads((model / MANIFEST).read_text(encoding="utf-8"))
    manifest["files"][name] = file_record(model / name)
    part = model / (MANIFEST + ".part")
    part.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    os.replace(part, model / MANIFEST)


def compile_model(model: Path, grammars: Iterable[Path], lexicon_folder: Path) -> Mapping[str, Graph]:
    """Compile `grammars` into `model`/graphs and write the model's manifest; nothing is replaced when one fails.

    The settings come from `model`/graphs.toml. Beside each graph lie a copy of its grammar, by which the recogniser
    knows what the words mean, and the pronunciations of its words.

    Raises:
        GraphError: the model has no acoustic model, one with other transitions, or wrong settings.
        GrammarError, LexiconError: a source is wrong.
    """
    acoustic = [model / "am" / "final.mdl", model / "conf" / "mfcc.conf", model / "conf" / "model.conf"]
    for path in acoustic:
        if not path.is_file():
            raise GraphError(f"{path} is missing: a model needs its acoustic model before graphs are made for it.")
    states = acoustic[0].read_bytes().partition(b"<Tuples> ")[2][:5]  # Vosk ends the process at a transition too many
    if states != struct.pack("<bi", 4, len(LABELS) * KINDS):
        raise GraphError(f"{acoustic[0]} is of another version or no acoustic model: train or fetch it anew.")
    lexicon = load_lexicon(lexicon_folder)
    graphs: dict[str, Graph] = {}
    sources: dict[str, str] = {}
    with tempfile.TemporaryDirectory(dir=model, prefix=".graphs-") as temporary:
        new = Path(temporary) / "graphs"
        for path in sorted(grammars):
            grammar = load_grammar(path)
            settings = load_settings(model / SETTINGS, grammar.name)
            graphs[grammar.name] = compile_graph(grammar, lexicon, settings)
            graphs[grammar.name].write(new / grammar.name)
            shutil.copyfile(path, new / grammar.name / "grammar.grxml")
            write_lexicon(lexicon, grammar.automaton.words, new / grammar.name / "lexicon.tsv")
            sources[grammar.name] = sources_digest(path, lexicon_folder, settings)
        beside = [model / name for name in (SETTINGS, CONFIDENCE, SECOND_PASS) if (model / name).is_file()]
        files = {path.relative_to(model).as_posix(): file_record(path) for path in [*acoustic, *beside]}
        for path in sorted(new.rglob("*")):
            if path.is_file():
                files[path.relative_to(temporary).as_posix()] = file_record(path)
        manifest = Path(temporary) / MANIFEST
        manifest.write_text(json.dumps({"graphs": sources, "files": files}, indent=1) + "\n", encoding="utf-8")
        if (model / "graphs").exists():
            os.replace(model / "graphs", Path(temporary) / "old")
        os.replace(new, model / "graphs")
        os.replace(manifest, model / MANIFEST)
    return graphs


def out_of_date(model: Path, grammars: Iterable[Path], lexicon_folder: Path) -> list[str]:
    """Names of the grammars whose graph in `model` was made from other sources than those that stand now.

    Also the names of graphs whose grammar is gone.

    Raises:
        GraphError: the model has no manifest that can be read.
    """
    try:
        known = json.loads((model / MANIFEST).read_text(encoding="utf-8"))["graphs"]
    except (OSError, ValueError, KeyError) as error:
        raise GraphError(f"{model} has no {MANIFEST}: run `python -m voicebot.acoustics.graph`.") from error
    current = {
        path.stem: sources_digest(path, lexicon_folder, load_settings(model / SETTINGS, path.stem)) for path in grammars
    }
    return sorted(name for name in known.keys() | current.keys() if known.get(name) != current.get(name))


def main(arguments: list[str] | None = None) -> int:
    """Compile all grammars into a model; the exit status is 0 when done, 1 with one sentence on stderr otherwise."""
    parser = argparse.ArgumentParser(prog="python -m voicebot.acoustics.graph", description=main.__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/bg-telephone"), help="folder of the model")
    parser.add_argument("--grammars", type=Path, default=Path("grammars"), help="folder of the .grxml files")
    parser.add_argument("--lexicon", type=Path, default=Path("bg_lexicon"), help="folder of the .tsv files")
    options = parser.parse_args(arguments)
    try:
        graphs = compile_model(options.model, options.grammars.glob("*.grxml"), options.lexicon)
    except VoicebotError as error:
        print(error, file=sys.stderr)
        return 1
    for name, graph in graphs.items():
        arcs = sum(map(len, graph.fst.arcs))
        print(f"{name}: {len(graph.words) - 5} words, {len(graph.fst.arcs)} states, {arcs} arcs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
