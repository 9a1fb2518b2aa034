"""Speech grammars in W3C SRGS XML: reads them, turns them into word automata, and says what words mean.

The subset of SRGS 1.0 that is understood: `grammar`, `rule`, `one-of`, `item` (with `repeat` and, inside `one-of`,
`weight`), `ruleref` to a rule of the same file, `token`, `tag` and `example`, and plain text as tokens. How words
sound is the lexicon's affair.

Two things are of our own. The **tag format** `voicebot/1.0`, in which a tag stands behind the words that it belongs to:

| tag | what it does |
|---|---|
| `digits:N` | N is appended to the digits |
| `symbol:X` | the letter X (A to Z) is appended to the digits |
| `repeat:N` | the last digit is made to stand N times |
| `erase:N`, `erase:all` | the last N digits, or all, are taken back; what takes back more than there is means nothing |
| `ordinal:N` | the Nth of a list was chosen; -1 is its last |
| `month:N` | a month was chosen, 1 to 12, 0 for the present and -1 for the one before it |
| `intent:NAME` | something was asked for; the last one on the way counts |

And the attribute `digits` of `item`, in the XML namespace `urn:voicebot`: `v:digits="7 10 12"` says that the item
spells so many digits in all, however they are grouped, repeated or taken back. The automaton of the item is multiplied
by a counter of digits.
"""

from __future__ import annotations

import heapq
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from xml.parsers import expat

from voicebot.errors import VoicebotError

NAMESPACE = "http://www.w3.org/2001/06/grammar"
TAG_FORMAT = "voicebot/1.0"
INTENTS = frozenset(
    {
        *("yes", "no", "repeat", "another", "operator", "end", "help", "back", "invoices"),
        *("unknown_number", "unknown_code", "greeting"),
    }
)
"""The intents that a tag may name."""

_XML_LANG = "http://www.w3.org/XML/1998/namespace lang"
_DIGITS = "urn:voicebot digits"
_REPEAT = re.compile(r"(\d+)(-(\d*))?")
_LENGTHS = re.compile(r"[1-9]\d?( [1-9]\d?)*")
_MOST_WAYS = 200
"""So many of the likeliest ways are followed through an utterance at once."""


class GrammarError(VoicebotError):
    """A grammar that cannot be used; the sentence names file and line."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the words of an utterance mean."""

    digits: str = ""
    """The digits that they spell, in order; in a code also letters."""
    intent: str | None = None
    """The intent that they express, or None."""
    ordinal: int | None = None
    """Which of a list they choose: from 1, or -1 for the last, -2 for the one before; None where they choose none."""
    month: int | None = None
    """Which month they name: 1 to 12, 0 for the present, -1 for the one before it; None where they name none."""

    def after(self, tags: Iterable[str]) -> Meaning | None:
        """This meaning after some tags, None where one of them makes no sense."""
        meaning: Meaning | None = self
        for tag in tags:
            if meaning is not None:
                meaning = _kind(tag).effect(meaning, tag.partition(":")[2])
        return meaning


@dataclass(frozen=True, slots=True)
class _Tag:
    """One kind of tag."""

    values: str
    """Regular expression of its values."""
    effect: Callable[[Meaning, str], Meaning | None]
    """What it does to the meaning so far."""
    spells: bool = True
    """Whether it changes the digits."""


def _erase(meaning: Meaning, value: str) -> Meaning | None:
    count = len(meaning.digits) if value == "all" else int(value)
    if count > len(meaning.digits):
        return None
    return replace(meaning, digits=meaning.digits[: len(meaning.digits) - count])


def _append(meaning: Meaning, value: str) -> Meaning:
    return replace(meaning, digits=meaning.digits + value)


_TAGS: Mapping[str, _Tag] = {
    "digits": _Tag(r"\d+", _append),
    "symbol": _Tag(r"[A-Z]", _append),
    "repeat": _Tag(
        r"[2-9]",
        lambda meaning, value: _append(meaning, meaning.digits[-1] * (int(value) - 1)) if meaning.digits else None,
    ),
    "erase": _Tag(r"[1-9]|all", _erase),
    "ordinal": _Tag(r"-?[1-9]\d*", lambda meaning, value: replace(meaning, ordinal=int(value)), False),
    "month": _Tag(r"[1-9]|1[0-2]|0|-1", lambda meaning, value: replace(meaning, month=int(value)), False),
    "intent": _Tag("|".join(sorted(INTENTS)), lambda meaning, value: replace(meaning, intent=value), False),
}


def _kind(tag: str) -> _Tag:
    return _TAGS[tag.partition(":")[0]]


@dataclass(frozen=True, slots=True)
class Arc:
    """A way from one state of an automaton to another, over a word or over nothing, and then over tags."""

    target: int
    cost: float
    """Negative natural logarithm of the probability."""
    word: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class WordAutomaton:
    """The utterances of a grammar as a graph; each way from state 0 to a final state is an utterance.

    Every arc has a word, from every state there is a way to a final one, and costs are paid as early as they can be.
    """

    arcs: tuple[tuple[Arc, ...], ...]
    """For each state the arcs that leave it, no two of them with the same word and tags."""
    finals: Mapping[int, float]
    """The final states, with the cost of ending there."""

    @property
    def words(self) -> frozenset[str]:
        """Every word that an utterance can have."""
        return frozenset(arc.word for arcs in self.arcs for arc in arcs if arc.word is not None)

    @cached_property
    def _arcs_of_word(self) -> tuple[Mapping[str | None, tuple[Arc, ...]], ...]:
        """For each state its arcs by their word."""
        table: list[dict[str | None, tuple[Arc, ...]]] = []
        for arcs in self.arcs:
            table.append({})
            for arc in arcs:
                table[-1][arc.word] = (*table[-1].get(arc.word, ()), arc)
        return tuple(table)

    def meanings(self, words: Sequence[str], *, whole: bool = True) -> list[tuple[Meaning, float]]:
        """Every meaning of `words` with its share of probability (they sum to 1), the likeliest first.

        Args:
            words: an utterance, or with which one begins.
            whole: whether it has to be a whole utterance.

        Returns:
            Nothing, when the words have no way through the automaton.
        """
        ways: dict[tuple[int, Meaning], float] = {(0, Meaning()): 1.0}
        for word in words:
            reached: dict[tuple[int, Meaning], float] = defaultdict(float)
            for (state, meaning), probability in ways.items():
                for arc in self._arcs_of_word[state].get(word, ()):
                    if (after := meaning.after(arc.tags)) is not None:
                        reached[arc.target, after] += probability * math.exp(-arc.cost)
            likeliest = heapq.nlargest(_MOST_WAYS, reached.items(), key=lambda way: way[1])
            total = sum(probability for _, probability in likeliest)
            ways = {way: probability / total for way, probability in likeliest}
        shares: dict[Meaning, float] = defaultdict(float)
        for (state, meaning), probability in ways.items():
            if not whole or state in self.finals:
                shares[meaning] += probability * math.exp(-self.finals[state] if whole else 0.0)
        total = sum(shares.values())
        return sorted(((meaning, share / total) for meaning, share in shares.items()), key=lambda pair: -pair[1])

    def cost(self, words: Sequence[str]) -> float:
        """What the best way over `words` costs; infinity when they have none."""
        costs = {0: 0.0}
        for word in words:
            reached: dict[int, float] = {}
            for state, cost in costs.items():
                for arc in self._arcs_of_word[state].get(word, ()):
                    reached[arc.target] = min(cost + arc.cost, reached.get(arc.target, math.inf))
            costs = reached
        return min(
            (cost + self.finals[state] for state, cost in costs.items() if state in self.finals), default=math.inf
        )

    def spelling(self) -> WordAutomaton:
        """The same utterances with those tags alone that change digits; others hold arcs apart for no use in a graph.

        Of equal words those that spell the same become one arc at each state, of equal utterances the best way counts.
        """
        arcs = [
            [replace(arc, tags=tuple(tag for tag in arc.tags if _kind(tag).spells)) for arc in arcs]
            for arcs in self.arcs
        ]
        return determinized(arcs, 0, self.finals)


def determinized(
    arcs: Sequence[Sequence[Arc]], first: int, finals: Mapping[int, float], most_states: int = 10_000
) -> WordAutomaton:
    """The automaton of all ways from `first` to `finals`, where arcs without words are no more.

    A word has two arcs at a state only where its tags differ ("twenty" is 20 or the beginning of 25): to keep these
    apart keeps the automaton small, because no state stands for every way to group the words so far. Weighted subset
    construction after Mohri, "Finite-State Transducers in Language and Speech Processing" (1997), in the tropical
    semiring, over pairs of a word and its tags; then costs are pushed towards the start and equal states made one.

    Args:
        arcs: for each state those that leave it; no tag may stand before the first word.
        first: where the ways begin.
        finals: where they may end, with the costs of that.
        most_states: raise rather than make more.

    Raises:
        ValueError: the automaton would have more than `most_states` states.
    """
    sources: dict[int, list[int]] = defaultdict(list)
    for source, leaving in enumerate(arcs):
        for arc in leaving:
            sources[arc.target].append(source)
    useful = _reached(finals, lambda state: sources[state])

    @cache
    def pauses(state: int) -> Mapping[tuple[str, ...], Mapping[int, float]]:
        """The states where a word follows or the end is, with the least costs, by the tags on the way to them."""
        found: dict[tuple[str, ...], dict[int, float]] = defaultdict(dict)
        seen: set[tuple[int, tuple[str, ...]]] = set()
        queue: list[tuple[float, int, tuple[str, ...]]] = [(0.0, state, ())]
        while queue:
            cost, place, tags = heapq.heappop(queue)
            if (place, tags) in seen or place not in useful:
                continue
            seen.add((place, tags))
            if place in finals or any(arc.word is not None for arc in arcs[place]):
                found[tags][place] = cost
            for arc in arcs[place]:
                if arc.word is None:
                    heapq.heappush(queue, (cost + arc.cost, arc.target, tags + arc.tags))
        return found

    start = pauses(first)[()]
    numbers = {_rounded(start): 0}
    subsets = [start]
    made: list[tuple[Arc, ...]] = []
    ends: dict[int, float] = {}
    while len(made) < len(subsets):
        subset = subsets[len(made)]
        if costs := [cost + finals[state] for state, cost in subset.items() if state in finals]:
            ends[len(made)] = min(costs)
        reached: dict[tuple[str, tuple[str, ...]], dict[int, float]] = defaultdict(dict)
        for state, cost in subset.items():
            for arc in arcs[state]:
                if arc.word is None:
                    continue
                for tags, places in pauses(arc.target).items():
                    targets = reached[arc.word, arc.tags + tags]
                    for place, more in places.items():
                        targets[place] = min(targets.get(place, math.inf), cost + arc.cost + more)
        leaving = []
        for (word, tags), targets in sorted(reached.items()):
            best = min(targets.values())
            following = {state: cost - best for state, cost in targets.items()}
            number = numbers.setdefault(_rounded(following), len(subsets))
            if number == len(subsets):
                if number == most_states:
                    raise ValueError(f"it has more than {most_states} states when made deterministic")
                subsets.append(following)
            leaving.append(Arc(number, best, word, tags))
        made.append(tuple(leaving))
    return _merged(_pushed(made, ends))


def _pushed(arcs: Sequence[Sequence[Arc]], finals: Mapping[int, float]) -> WordAutomaton:
    """The automaton with its costs paid as early as they can be: as soon as it is clear that they will be."""
    entering: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for source, leaving in enumerate(arcs):
        for arc in leaving:
            entering[arc.target].append((source, arc.cost))
    ahead: dict[int, float] = {}
    queue = [(cost, state) for state, cost in finals.items()]
    heapq.heapify(queue)
    while queue:
        cost, state = heapq.heappop(queue)
        if state not in ahead:
            ahead[state] = cost
            for source, more in entering[state]:
                heapq.heappush(queue, (cost + more, source))
    before = {**ahead, 0: 0.0}  # the cost of the best utterance is paid with its first word
    pushed = tuple(
        tuple(Arc(arc.target, arc.cost + ahead[arc.target] - before[state], arc.word, arc.tags) for arc in leaving)
        for state, leaving in enumerate(arcs)
    )
    return WordAutomaton(pushed, {state: cost - before[state] for state, cost in finals.items()})


def _merged(automaton: WordAutomaton) -> WordAutomaton:
    """The automaton with those states made one from which the same utterances lead on at the same costs."""

    def leading_on(state: int) -> object:
        ways = frozenset((arc.word, arc.tags, round(arc.cost, 6), classes[arc.target]) for arc in automaton.arcs[state])
        return classes[state], round(automaton.finals.get(state, math.inf), 6), ways

    classes, count = [0] * len(automaton.arcs), 0
    while count < len(set(classes)):
        count = len(set(classes))
        numbers: dict[object, int] = {}
        classes = [numbers.setdefault(leading_on(state), len(numbers)) for state in range(len(classes))]
    states = [classes.index(number) for number in range(count)]
    arcs = tuple(
        tuple(Arc(classes[arc.target], arc.cost, arc.word, arc.tags) for arc in automaton.arcs[state])
        for state in states
    )
    return WordAutomaton(arcs, {classes[state]: cost for state, cost in automaton.finals.items()})


def _reached(start: Iterable[int], following: Callable[[int], Iterable[int]]) -> set[int]:
    """The states that are reached from those of `start`, and these."""
    reached: set[int] = set()
    queue = list(start)
    while queue:
        if (state := queue.pop()) not in reached:
            reached.add(state)
            queue += following(state)
    return reached


def _rounded(subset: Mapping[int, float]) -> tuple[tuple[int, float], ...]:
    return tuple((state, round(cost, 6)) for state, cost in sorted(subset.items()))


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

    def meanings(self, words: Sequence[str]) -> list[tuple[Meaning, float]]:
        """Every reading of a whole utterance with its share of probability (they sum to 1), the likeliest first.

        Empty when the grammar does not have the utterance.
        """
        return self.automaton.meanings(words)

    def interpret(self, words: Sequence[str]) -> Meaning | None:
        """The likeliest meaning of a whole utterance, or None when the grammar does not have it."""
        return next((meaning for meaning, _ in self.meanings(words)), None)

    def interpret_prefix(self, words: Sequence[str]) -> Meaning | None:
        """What `words` mean so far, as the beginning of an utterance, or None when no utterance begins so."""
        return next((meaning for meaning, _ in self.automaton.meanings(words, whole=False)), None)

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
        first = self._state()
        last = self._expand_sequence(root_rule, first, (root.attributes["root"],))
        automaton = self._automaton(first, last, root_rule)
        examples = tuple(
            Example(child.text, child.line)
            for child in root_rule.children
            if isinstance(child, _Element) and child.name == "example"
        )
        grammar = Grammar(self.path.stem, self.path, automaton, examples, self.word_lines)
        if grammar.interpret(()) is not None:
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

    def _arc(
        self, source: int, target: int, cost: float = 0.0, word: str | None = None, tags: tuple[str, ...] = ()
    ) -> int:
        self.arcs[source].append(Arc(target, cost, word, tags))
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
                self._check_attributes(node, {"repeat", "weight", _DIGITS})
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
                return self._arc(state, self._state(), tags=(self._tag(node),))
            case "example":
                return state
        raise self._error(node, f"<{node.name}> is not understood here")

    def _tag(self, node: _Element) -> str:
        kind, _, value = node.text.partition(":")
        if kind not in _TAGS or not re.fullmatch(_TAGS[kind].values, value):
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
            self._arc(self._expand_item(item, state, callers), last, -math.log(weight / sum(weights)))
        return last

    def _expand_item(self, item: _Element, state: int, callers: tuple[str, ...]) -> int:
        lengths = item.attributes.get(_DIGITS)
        if lengths is None:
            return self._expand_repeated(item, state, callers)
        if not _LENGTHS.fullmatch(lengths):
            raise self._error(item, 'digits are numbers from 1 to 99 apart by single spaces ("7 10 12")')
        first = self._state()
        counted = self._automaton(first, self._expand_repeated(item, first, callers), item)
        return self._count_digits(counted, state, frozenset(map(int, lengths.split())))

    def _automaton(self, first: int, last: int, element: _Element) -> WordAutomaton:
        """The automaton of all that leads from `first` to `last`, which `element` stands for."""
        if any(arc.tags for state in self._silent(first) for arc in self.arcs[state] if arc.word is None):
            raise self._error(element, "a tag must stand behind a word")
        try:
            return determinized(self.arcs, first, {last: 0.0})
        except ValueError as error:
            raise self._error(element, f"this is too ambiguous: {error}") from error

    def _count_digits(self, counted: WordAutomaton, state: int, lengths: frozenset[int]) -> int:
        """From `state` those ways through an automaton that spell so many digits; their end."""
        end = self._state()
        copies = {(0, 0): state}
        queue = [(0, 0)]
        while queue:
            original, count = queue.pop()
            copy = copies[original, count]
            if count in lengths and original in counted.finals:
                self._arc(copy, end, counted.finals[original])
            for arc in counted.arcs[original]:
                after = Meaning("0" * count).after(arc.tags)
                if after is None or len(after.digits) > max(lengths):
                    continue
                place = (arc.target, len(after.digits))
                if place not in copies:
                    copies[place] = self._state()
                    queue.append(place)
                self._arc(copy, copies[place], arc.cost, arc.word, arc.tags)
        return end

    def _expand_repeated(self, item: _Element, state: int, callers: tuple[str, ...]) -> int:
        least, most = self._repeat(item)
        for _ in range(least):
            state = self._expand_sequence(item, state, callers)
        if most is None:
            loop = self._arc(state, self._state())
            end = self._expand_sequence(item, loop, callers)
            if end in self._silent(loop):
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

    def _silent(self, state: int) -> set[int]:
        """What is reached from `state` without a word, and itself."""
        return _reached({state}, lambda state: [arc.target for arc in self.arcs[state] if arc.word is None])
