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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import BinaryIO

from voicebot.errors import VoicebotError
from voicebot.language.lexicon import Lexicon, load_lexicon
from voicebot.language.phones import NOISE, PHONE_INDEX, PHONES, SILENCE
from voicebot.language.srgs import Arc, Grammar, WordAutomaton, load_grammar

UNKNOWN_WORD = "[unk]"
"""What is heard where somebody says words that the grammar lacks."""

MANIFEST = "manifest.json"
"""Name of the file with the sizes and digests of a model's files."""

CONFIDENCE = "confidence.toml"
"""Name of the file that says how sure readings are; a model may lack it."""

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

    def write(self, file: BinaryIO) -> None:
        """Write it as OpenFst's binary `vector` type, version 2, with arcs in the order of their input labels.

        The layout is that of `VectorFst::WriteFst`: the header (magic number, names of the FST and the arc type,
        version, flags, property bits, start state, counts), then for each state its final cost, its number of arcs
        and its arcs. The property bits say only that the transducer is expanded and mutable.
        """
        count = sum(map(len, self.arcs))
        file.write(struct.pack("<i", 2125659606) + _string(b"vector") + _string(b"standard"))
        file.write(struct.pack("<iiQqqq", 2, 0, 0b11, 0, len(self.arcs), count))
        for state, arcs in enumerate(self.arcs):
            file.write(struct.pack("<fq", self.finals.get(state, math.inf), len(arcs)))
            for arc in sorted(arcs, key=lambda arc: arc.input_label):
                file.write(struct.pack("<iifi", arc.input_label, arc.output_label, arc.cost, arc.target))


def _string(text: bytes) -> bytes:
    return struct.pack("<i", len(text)) + text


@dataclass(frozen=True, slots=True, order=True)
class _Spelling:
    """What is left to say of a way over one word."""

    labels: tuple[int, ...]
    """The labels of the phones."""
    word: int
    """The output label, `_EPSILON` when it was given already."""
    cost: float
    hub: int
    """Where the way leads."""


class _GraphBuilder:
    """Spells a word automaton out in phones.

    The words leave a hub as a tree of their phones. An output label stands where its word parts from all others, and a
    cost where it is clear that it will be paid. Equal rests of trees, wherever they hang, are one.

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
        hubs = [self._state() for _ in automaton.arcs]
        begin, first_word = self._pauses(hubs[0]), self._state()
        alone = self._state()
        before = self._pauses(self._unknown(alone, settings.unknown_alone_cost))
        behind_begin = self._state()
        behind = self._pauses(self._unknown(behind_begin, settings.unknown_cost))
        self.fst.finals.update({begin: 0.0, before: 0.0, behind: 0.0})
        self.fst.arc(begin, first_word)
        self.fst.arc(begin, alone)
        self.fst.arc(before, alone, cost=settings.unknown_cost - settings.unknown_alone_cost)
        self.fst.arc(before, first_word, cost=settings.unknown_cost - settings.unknown_alone_cost)
        self.fst.arc(behind, first_word, cost=settings.unknown_cost)
        for state, arcs in enumerate(automaton.arcs):
            leaving = self._pauses(hubs[state]) if state else first_word
            if state in automaton.finals:
                cost = settings.grammar_scale * automaton.finals[state]
                self.fst.finals[leaving] = cost
                self.fst.arc(leaving, behind_begin, cost=cost)
            self._grow(leaving, [spelling for arc in arcs for spelling in self._spellings(arc, hubs[arc.target])])

    def _state(self) -> int:
        return self.fst.state()

    def _phone(self, source: int, label: int, word: int = _EPSILON, cost: float = 0.0, frame_cost: float = 0.0) -> int:
        """One phone, at least one frame long: into it by its even transition, kept in it by its odd one."""
        target = self._state()
        self._enter(source, target, label, word, cost + frame_cost)
        self._stay(target, label, frame_cost)
        return target

    def _enter(self, source: int, target: int, label: int, word: int = _EPSILON, cost: float = 0.0) -> None:
        self.fst.arc(source, target, 2 * label, word, cost + _TRANSITION_COST)

    def _stay(self, state: int, label: int, frame_cost: float = 0.0) -> None:
        self.fst.arc(state, state, 2 * label - 1, _EPSILON, frame_cost + _TRANSITION_COST)

    def _pauses(self, hub: int) -> int:
        """The state reached from `hub` over nothing, silence, noise or both in turn.

        The same silence never follows itself: equal ways would fill the lattice.
        """
        leaving = self._state()
        self.fst.arc(hub, leaving)
        silence, noise = position_phone(SILENCE), position_phone(NOISE)
        for first, second in ((silence, noise), (noise, silence)):
            costs = {silence: self.settings.silence_cost, noise: self.settings.noise_cost}
            pause = self._phone(hub, first, cost=costs[first], frame_cost=self.settings.pause_frame_cost)
            self.fst.arc(pause, leaving)
            pause = self._phone(pause, second, cost=costs[second], frame_cost=self.settings.pause_frame_cost)
            self.fst.arc(pause, leaving)
        return leaving

    def _spellings(self, arc: Arc, hub: int) -> Iterator[_Spelling]:
        assert arc.word is not None
        cost = self.settings.grammar_scale * arc.cost + self.settings.word_cost
        for pronunciation in self.lexicon[arc.word]:
            phones = pronunciation.phones
            labels = tuple(position_phone(phone, _position(i, len(phones))) for i, phone in enumerate(phones))
            yield _Spelling(labels, self.word_index[arc.word], cost - math.log(pronunciation.weight), hub)

    def _grow(self, source: int, spellings: Iterable[_Spelling]) -> None:
        """The tree of `spellings` from `source`."""
        by_label: dict[int, list[_Spelling]] = {}
        for spelling in spellings:
            by_label.setdefault(spelling.labels[0], []).append(spelling)
        for label, group in by_label.items():
            least = min(spelling.cost for spelling in group)
            words = {spelling.word for spelling in group}
            word = words.pop() if len(words) == 1 else _EPSILON
            rest = (
                _Spelling(left.labels[1:], left.word if left.word != word else _EPSILON, left.cost - least, left.hub)
                for left in group
            )
            self._enter(source, self._tree(label, tuple(sorted(rest))), label, word, least)

    def _tree(self, label: int, rest: tuple[_Spelling, ...]) -> int:
        """The state in a phone behind which `rest` is left to say."""
        key = (label, tuple(replace(spelling, cost=round(spelling.cost, 6)) for spelling in rest))
        if key not in self._trees:
            state = self._trees[key] = self._state()
            self._stay(state, label)
            for spelling in rest:
                if not spelling.labels:
                    self.fst.arc(state, spelling.hub, _EPSILON, spelling.word, spelling.cost)
            self._grow(state, [spelling for spelling in rest if spelling.labels])
        return self._trees[key]

    def _unknown(self, source: int, cost: float) -> int:
        """Unknown words from `source` at a `cost`: any two or more of `UNKNOWN_PHONES`."""
        word = self.word_index[UNKNOWN_WORD]
        first, last = self._state(), self._state()
        for phone in UNKNOWN_PHONES:
            phone_cost = self.settings.unknown_phone_cost
            begin = self._phone(source, position_phone(phone, "begin"), word, cost + phone_cost)
            self.fst.arc(begin, first)
            internal = self._phone(first, position_phone(phone, "internal"), cost=phone_cost)
            self.fst.arc(internal, first)
            end = self._phone(first, position_phone(phone, "end"), cost=phone_cost)
            self.fst.arc(end, last)
        return last


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

    The settings come from `model`/graphs.toml. Beside each graph lies a copy of its grammar, by which the recogniser
    knows what the words mean.

    Raises:
        GraphError: the model has no acoustic model or wrong settings.
        GrammarError, LexiconError: a source is wrong.
    """
    acoustic = [model / "am" / "final.mdl", model / "conf" / "mfcc.conf", model / "conf" / "model.conf"]
    for path in acoustic:
        if not path.is_file():
            raise GraphError(f"{path} is missing: a model needs its acoustic model before graphs are made for it.")
    lexicon = load_lexicon(lexicon_folder)
    graphs: dict[str, Graph] = {}
    sources: dict[str, str] = {}
    with tempfile.TemporaryDirectory(dir=model, prefix=".graphs-") as temporary:
        new = Path(temporary) / "graphs"
        for path in sorted(grammars):
            grammar = load_grammar(path)
            settings = load_settings(model / "graphs.toml", grammar.name)
            graphs[grammar.name] = compile_graph(grammar, lexicon, settings)
            graphs[grammar.name].write(new / grammar.name)
            shutil.copyfile(path, new / grammar.name / "grammar.grxml")
            sources[grammar.name] = sources_digest(path, lexicon_folder, settings)
        beside = [path for path in (model / CONFIDENCE,) if path.is_file()]
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
        path.stem: sources_digest(path, lexicon_folder, load_settings(model / "graphs.toml", path.stem))
        for path in grammars
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
