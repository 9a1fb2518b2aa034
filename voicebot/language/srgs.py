"""Speech grammars in W3C SRGS XML: reads them, turns them into word automata, and says what words mean.

The subset of SRGS 1.0 that is understood: `grammar`, `rule`, `one-of`, `item` (with `repeat` and, inside `one-of`,
`weight`), `ruleref` to a rule of the same file, `token`, `tag` and `example`, and plain text as tokens. A `tag` is
`digits:N` (N is appended to the digits) or `intent:NAME` (the last one on the way counts), a tag format of our own.
How words sound is the lexicon's affair.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from xml.parsers import expat

from voicebot.errors import VoicebotError

NAMESPACE = "http://www.w3.org/2001/06/grammar"
TAG_FORMAT = "voicebot/1.0"
INTENTS = frozenset({"yes", "no", "repeat", "another", "operator", "end", "help", "unknown_number"})
"""The intents that a tag may name."""

_XML_LANG = "http://www.w3.org/XML/1998/namespace lang"
_REPEAT = re.compile(r"(\d+)(-(\d*))?")
_TAG = re.compile(r"(digits):(\d+)|(intent):(\w+)")


class GrammarError(VoicebotError):
    """A grammar that cannot be used; the sentence names file and line."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the words of an utterance mean."""

    digits: str = ""
    """The digits that they spell, in order."""
    intent: str | None = None
    """The intent that they express, or None."""


@dataclass(frozen=True, slots=True)
class Arc:
    """A way from one state of an automaton to another: over a word, over a tag, or over nothing."""

    target: int
    cost: float
    """Negative natural logarithm of the probability."""
    word: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class WordAutomaton:
    """The utterances of a grammar as a graph; each way from state 0 to a final state is an utterance."""

    arcs: tuple[tuple[Arc, ...], ...]
    """For each state the arcs that leave it."""
    finals: dict[int, float]
    """The final states, with the cost of ending there."""

    @property
    def words(self) -> frozenset[str]:
        """Every word that an utterance can have."""
        return frozenset(arc.word for arcs in self.arcs for arc in arcs if arc.word is not None)

    def determinized(self, most_states: int = 10_000) -> WordAutomaton:
        """The same utterances with the cost of their best way, and at most one arc for each word at each state.

        Tags are dropped. Weighted subset construction after Mohri, "Finite-State Transducers in Language and Speech
        Processing" (1997), in the tropical semiring.

        Raises:
            ValueError: the result would have more than `most_states` states.
        """
        start = self._closure({0: 0.0}, only_open=True)
        numbers: dict[tuple[tuple[int, float], ...], int] = {_rounded(start): 0}
        subsets = [start]
        arcs: list[tuple[Arc, ...]] = []
        finals: dict[int, float] = {}
        while len(arcs) < len(subsets):
            subset = subsets[len(arcs)]
            ends = [cost + self.finals[state] for state, cost in subset.items() if state in self.finals]
            if ends:
                finals[len(arcs)] = min(ends)
            reached: dict[str, dict[int, float]] = {}
            for state, cost in subset.items():
                for arc in self.arcs[state]:
                    if arc.word is not None:
                        targets = reached.setdefault(arc.word, {})
                        targets[arc.target] = min(targets.get(arc.target, math.inf), cost + arc.cost)
            leaving = []
            for word, targets in sorted(reached.items()):
                best = min(targets.values())
                following = self._closure({state: cost - best for state, cost in targets.items()}, only_open=True)
                key = _rounded(following)
                if key not in numbers:
                    if len(subsets) == most_states:
                        raise ValueError(f"the automaton has more than {most_states} states when made deterministic")
                    numbers[key] = len(subsets)
                    subsets.append(following)
                leaving.append(Arc(numbers[key], best, word))
            arcs.append(tuple(leaving))
        return WordAutomaton(tuple(arcs), finals)

    def _is_open(self, state: int) -> bool:
        """Whether a word can follow at once, or the utterance end."""
        return state in self.finals or any(arc.word is not None for arc in self.arcs[state])

    def _closure(self, states: dict[int, float], only_open: bool = False) -> dict[int, float]:
        """The states reached from `states` (with their costs) without a word, each with its least cost.

        With `only_open` those alone from which a word can follow at once or where an utterance can end.
        """
        least: dict[int, float] = {}
        queue = [(cost, state) for state, cost in states.items()]
        heapq.heapify(queue)
        while queue:
            cost, state = heapq.heappop(queue)
            if state in least:
                continue
            least[state] = cost
            for arc in self.arcs[state]:
                if arc.word is None and arc.target not in least:
                    heapq.heappush(queue, (cost + arc.cost, arc.target))
        if only_open:
            return {state: cost for state, cost in least.items() if self._is_open(state)}
        return least

    def interpret(self, words: Sequence[str]) -> Meaning | None:
        """The meaning of `words` by their likeliest way through the automaton, or None when they have no way."""
        best: dict[int, tuple[float, Meaning]] = self._silently({0: (0.0, Meaning())})
        for word in words:
            reached: dict[int, tuple[float, Meaning]] = {}
            for state, (cost, meaning) in best.items():
                for arc in self.arcs[state]:
                    if arc.word == word and cost + arc.cost < reached.get(arc.target, (math.inf, meaning))[0]:
                        reached[arc.target] = (cost + arc.cost, meaning)
            best = self._silently(reached)
        ends = [(cost + self.finals[state], meaning) for state, (cost, meaning) in best.items() if state in self.finals]
        return min(ends, key=lambda end: end[0])[1] if ends else None

    def prefixes(self) -> WordAutomaton:
        """The automaton of everything with which an utterance can begin.

        It may end where a word can follow, and so behind the tags that belong to the words so far.
        """
        open_states = filter(self._is_open, range(len(self.arcs)))
        return WordAutomaton(self.arcs, dict.fromkeys(open_states, 0.0) | self.finals)

    def _silently(self, states: dict[int, tuple[float, Meaning]]) -> dict[int, tuple[float, Meaning]]:
        """The states reached from `states` without a word, each with its least cost and the meaning on that way."""
        least: dict[int, tuple[float, Meaning]] = {}
        queue = [(cost, order, state, meaning) for order, (state, (cost, meaning)) in enumerate(states.items())]
        heapq.heapify(queue)
        order = len(queue)
        while queue:
            cost, _, state, meaning = heapq.heappop(queue)
            if state in least:
                continue
            least[state] = (cost, meaning)
            for arc in self.arcs[state]:
                if arc.word is None and arc.target not in least:
                    order += 1
                    heapq.heappush(queue, (cost + arc.cost, order, arc.target, _tagged(meaning, arc.tag)))
        return least


def _rounded(subset: dict[int, float]) -> tuple[tuple[int, float], ...]:
    return tuple((state, round(cost, 6)) for state, cost in sorted(subset.items()))


def _tagged(meaning: Meaning, tag: str | None) -> Meaning:
    """`meaning` after the tag."""
    if tag is None:
        return meaning
    kind, value = tag.split(":")
    return Meaning(meaning.digits + value, meaning.intent) if kind == "digits" else Meaning(meaning.digits, value)


@dataclass(frozen=True, slots=True)
class Example:
    """An utterance that a rule promises to accept."""

    text: str
    line: int


@dataclass(frozen=True)
class Grammar:
    """A grammar as read from a file."""

    name: str
    """The file's name without its ending."""
    path: Path
    automaton: WordAutomaton = field(repr=False)
    """What can be said, with the tags."""
    examples: tuple[Example, ...] = field(repr=False)
    """The examples of the root rule."""
    word_lines: dict[str, int] = field(repr=False)
    """Each word with the line on which it stands first."""

    @cached_property
    def deterministic(self) -> WordAutomaton:
        """What can be said, without tags, at most one arc for each word at each state.

        Raises:
            GrammarError: that automaton would be too large.
        """
        try:
            return self.automaton.determinized()
        except ValueError as error:
            raise GrammarError(f"{self.path} is too ambiguous: {error}.") from error

    def interpret(self, words: Sequence[str]) -> Meaning | None:
        """The meaning of a whole utterance, or None when the grammar does not have it."""
        return self.automaton.interpret(words)

    @cached_property
    def _prefixes(self) -> WordAutomaton:
        return self.automaton.prefixes()

    def interpret_prefix(self, words: Sequence[str]) -> Meaning | None:
        """What `words` mean so far, as the beginning of an utterance, or None when no utterance begins so."""
        return self._prefixes.interpret(words)

    def require_words(self, known: object) -> None:
        """Check that `known` (a lexicon, a set) contains every word of the grammar.

        Raises:
            GrammarError: it lacks one.
        """
        for word, line in self.word_lines.items():
            if word not in known:  # type: ignore[operator]
                raise GrammarError(f'{self.path}, line {line}: the lexicon lacks the word "{word}"; add it there.')


def load_grammar(path: Path) -> Grammar:
    """The grammar in the file at `path`.

    Raises:
        GrammarError: the file cannot be read, is not XML, or holds what is not understood.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        raise GrammarError(f"{path} cannot be read: {error.strerror}.") from error
    return parse_grammar(source, path)


def parse_grammar(source: bytes, path: Path) -> Grammar:
    """The grammar in `source`; `path` gives it its name and stands in errors.

    Raises:
        GrammarError: it is not XML, or holds what is not understood, or an example that it does not accept.
    """
    return _Compiler(_parse_xml(source, path), path).grammar()


@dataclass(slots=True)
class _Element:
    name: str
    attributes: dict[str, str]
    line: int
    children: list[_Element | _Text] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(" ".join(child.text for child in self.children if isinstance(child, _Text)).split())


@dataclass(frozen=True, slots=True)
class _Text:
    text: str
    line: int


def _parse_xml(source: bytes, path: Path) -> _Element:
    """The elements of an XML document with their lines; entity declarations are refused."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    document = _Element("", {}, 0)
    open_elements = [document]

    def start(name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        if namespace not in ("", NAMESPACE):
            raise GrammarError(f"{path}, line {parser.CurrentLineNumber}: <{local}> is of another XML namespace.")
        element = _Element(local, attributes, parser.CurrentLineNumber)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def refuse_entity(*_: object) -> None:
        raise GrammarError(f"{path}, line {parser.CurrentLineNumber}: a grammar may not declare entities.")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda name: open_elements.pop()
    parser.CharacterDataHandler = lambda data: open_elements[-1].children.append(_Text(data, parser.CurrentLineNumber))
    parser.EntityDeclHandler = refuse_entity
    try:
        parser.Parse(source, True)
    except expat.ExpatError as error:
        raise GrammarError(
            f"{path}, line {error.lineno}: not well-formed XML ({expat.ErrorString(error.code)})."
        ) from error
    root = document.children[0]
    assert isinstance(root, _Element)
    return root


class _Compiler:
    """Makes the word automaton of one document. Each `_expand` method adds arcs from a state and returns the last."""

    def __init__(self, root: _Element, path: Path) -> None:
        self.root = root
        self.path = path
        self.arcs: list[list[Arc]] = []
        self.word_lines: dict[str, int] = {}
        self.rules: dict[str, _Element] = {}

    def grammar(self) -> Grammar:
        root = self.root
        if root.name != "grammar":
            raise self._error(root, f"<{root.name}> is not <grammar>")
        self._check_attributes(root, {"version", "root", "mode", "tag-format", _XML_LANG})
        if root.attributes.get("mode", "voice") != "voice":
            raise self._error(root, 'only grammars with mode="voice" can be spoken')
        if root.attributes.get("tag-format", TAG_FORMAT) != TAG_FORMAT:
            raise self._error(root, f'the tag format must be "{TAG_FORMAT}"')
        for child in self._elements(root, {"rule"}):
            self._check_attributes(child, {"id", "scope"})
            identity = child.attributes.get("id", "")
            if not identity or identity in self.rules:
                raise self._error(child, "each rule needs an id of its own")
            self.rules[identity] = child
        if root.attributes.get("root") not in self.rules:
            raise self._error(root, "the attribute root names no rule of this grammar")
        root_rule = self.rules[root.attributes["root"]]
        last = self._expand_sequence(root_rule, self._state(), (root.attributes["root"],))
        automaton = WordAutomaton(tuple(tuple(arcs) for arcs in self.arcs), {last: 0.0})
        examples = tuple(
            Example(child.text, child.line)
            for child in root_rule.children
            if isinstance(child, _Element) and child.name == "example"
        )
        grammar = Grammar(self.path.stem, self.path, automaton, examples, self.word_lines)
        if automaton.interpret(()) is not None:
            raise self._error(root, "the grammar accepts an utterance without words")
        for example in examples:
            if grammar.interpret(example.text.split()) is None:
                raise GrammarError(f'{self.path}, line {example.line}: the grammar does not accept "{example.text}".')
        return grammar

    def _error(self, element: _Element | _Text, message: str) -> GrammarError:
        return GrammarError(f"{self.path}, line {element.line}: {message}.")

    def _check_attributes(self, element: _Element, known: set[str]) -> None:
        for name in element.attributes:
            if name not in known:
                raise self._error(element, f'<{element.name}> may not have the attribute "{name.split(" ")[-1]}"')

    def _elements(self, parent: _Element, names: set[str]) -> list[_Element]:
        """The children of an element that holds no text, which must have one of `names`."""
        found = []
        for child in parent.children:
            if isinstance(child, _Text):
                if child.text.strip():
                    raise self._error(child, f"<{parent.name}> may not hold text")
            elif child.name not in names:
                raise self._error(child, f"<{child.name}> may not stand in <{parent.name}>")
            else:
                found.append(child)
        return found

    def _state(self) -> int:
        self.arcs.append([])
        return len(self.arcs) - 1

    def _arc(self, source: int, target: int, cost: float = 0.0, word: str | None = None, tag: str | None = None) -> int:
        self.arcs[source].append(Arc(target, cost, word, tag))
        return target

    def _expand_sequence(self, parent: _Element, state: int, callers: tuple[str, ...]) -> int:
        for child in parent.children:
            state = self._expand(child, state, callers)
        return state

    def _expand(self, node: _Element | _Text, state: int, callers: tuple[str, ...]) -> int:
        if isinstance(node, _Text):
            for word in node.text.split():
                self.word_lines.setdefault(word, node.line)
                state = self._arc(state, self._state(), word=word)
            return state
        match node.name:
            case "item":
                self._check_attributes(node, {"repeat", "weight"})
                return self._expand_item(node, state, callers)
            case "one-of":
                self._check_attributes(node, set())
                return self._expand_choice(node, state, callers)
            case "ruleref":
                self._check_attributes(node, {"uri"})
                name = node.attributes.get("uri", "").removeprefix("#")
                if name not in self.rules:
                    raise self._error(node, f'there is no rule "{name}" in this grammar')
                if name in callers:
                    raise self._error(node, f'the rule "{name}" refers to itself')
                return self._expand_sequence(self.rules[name], state, (*callers, name))
            case "token":
                self._check_attributes(node, set())
                return self._expand(_Text(node.text, node.line), state, callers)
            case "tag":
                self._check_attributes(node, set())
                return self._arc(state, self._state(), tag=self._tag(node))
            case "example":
                return state
        raise self._error(node, f"<{node.name}> is not understood here")

    def _tag(self, node: _Element) -> str:
        found = _TAG.fullmatch(node.text)
        if not found or (found[3] and found[4] not in INTENTS):
            raise self._error(node, f'the tag "{node.text}" is unknown')
        return node.text

    def _expand_choice(self, choice: _Element, state: int, callers: tuple[str, ...]) -> int:
        items = self._elements(choice, {"item"})
        weights = []
        for item in items:
            try:
                weight = float(item.attributes.get("weight", "1"))
            except ValueError:
                weight = 0.0
            if not 0.0 < weight < math.inf:
                raise self._error(item, "a weight is a number above 0")
            weights.append(weight)
        if not items:
            raise self._error(choice, "<one-of> has no <item>")
        last = self._state()
        for item, weight in zip(items, weights, strict=True):
            first = self._arc(state, self._state(), -math.log(weight / sum(weights)))
            self._arc(self._expand_item(item, first, callers), last)
        return last

    def _expand_item(self, item: _Element, state: int, callers: tuple[str, ...]) -> int:
        least, most = self._repeat(item)
        for _ in range(least):
            state = self._expand_sequence(item, state, callers)
        if most is None:
            loop = self._arc(state, self._state())
            end = self._expand_sequence(item, loop, callers)
            if self._is_silent(loop, end):
                raise self._error(item, "an item that repeats without end must have a word each time")
            self._arc(end, loop)
            return self._arc(loop, self._state())
        last = self._state()
        for _ in range(most - least):
            self._arc(state, last)
            state = self._expand_sequence(item, state, callers)
        return self._arc(state, last)

    def _repeat(self, item: _Element) -> tuple[int, int | None]:
        """Least and greatest number of times, None for no greatest."""
        found = _REPEAT.fullmatch(item.attributes.get("repeat", "1"))
        if not found:
            raise self._error(item, 'repeat is a number ("7"), a range ("0-1") or open ("1-")')
        least = int(found[1])
        most = least if found[2] is None else int(found[3]) if found[3] else None
        if most is not None and (most < least or most > 100):
            raise self._error(item, "repeat is out of range (at most 100, the smaller number first)")
        return least, most

    def _is_silent(self, source: int, target: int) -> bool:
        """Whether a way leads from `source` to `target` without a word."""
        return target in WordAutomaton(tuple(map(tuple, self.arcs)), {})._closure({source: 0.0})
