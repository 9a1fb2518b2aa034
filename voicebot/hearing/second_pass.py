"""The second pass: a wider network scores the few word sequences that the first pass found.

Vosk holds a network for each grammar, so that one is narrow; the wider one is in memory once. It searches nothing: the
phones of a sequence are a chain of states, of which Viterbi's algorithm finds the best way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from voicebot.acoustics.compact import CompactModel
from voicebot.acoustics.features import mfcc
from voicebot.acoustics.graph import UNKNOWN_PHONES, UNKNOWN_WORD, GraphSettings
from voicebot.acoustics.outputs import PAUSE, entering, kind, staying
from voicebot.audio.sound import Samples
from voicebot.language.lexicon import Lexicon, Pronunciation
from voicebot.language.phones import NOISE, SILENCE
from voicebot.language.srgs import Grammar

Words = tuple[str, ...]

_LIBRARIES = ThreadpoolController()
"""What NumPy computes with."""


@dataclass
class _Ways:
    """The ways through word sequences: states, each a phone that lasts a frame or more, and arcs between them."""

    phones: list[str] = field(default_factory=list)
    """The phone of each state."""
    entries: list[list[tuple[int, float]]] = field(default_factory=list)
    """For each state where one comes from, `_START` or an earlier or its own state, and what that costs."""
    ends: list[list[int]] = field(default_factory=list)
    """For each sequence the states in which it can end."""

    def state(self, phone: str, sources: Iterable[int], cost: float = 0.0) -> int:
        """A new state that is entered from `sources`."""
        self.phones.append(phone)
        self.entries.append([(source, cost) for source in sources])
        return len(self.phones) - 1

    def sequence(self, words: Words, lexicon: Lexicon, settings: GraphSettings) -> None:
        """Add the ways through `words`, with pauses around each of them, as `acoustics.graph` has them."""
        alone = all(word == UNKNOWN_WORD for word in words)
        unknown_cost = settings.unknown_alone_cost if alone else settings.unknown_cost
        ends = self._pauses([_START], settings)
        for word in words:
            spoken = []
            if word == UNKNOWN_WORD:
                spoken = self._unknown(ends, unknown_cost, settings.unknown_phone_cost)
            else:
                spoken = [self._pronounced(ends, one, settings.word_cost) for one in lexicon[word]]
            ends = self._pauses(spoken, settings)
        self.ends.append(ends)

    def _pauses(self, before: list[int], settings: GraphSettings) -> list[int]:
        silence = self.state(SILENCE, before, settings.silence_cost)
        noise = self.state(NOISE, [*before, silence], settings.noise_cost)
        return [*before, silence, noise, self.state(SILENCE, [noise], settings.silence_cost)]

    def _pronounced(self, before: list[int], pronunciation: Pronunciation, word_cost: float) -> int:
        cost = word_cost - math.log(pronunciation.weight)
        for phone in pronunciation.phones:
            before, cost = [self.state(phone, before, cost)], 0.0
        return before[0]

    def _unknown(self, before: list[int], cost: float, phone_cost: float) -> list[int]:
        """Any two or more phones."""
        first = [self.state(phone, before, cost + phone_cost) for phone in UNKNOWN_PHONES]
        others = list(range(len(self.phones), len(self.phones) + len(UNKNOWN_PHONES)))
        return [self.state(phone, [*first, *others], phone_cost) for phone in UNKNOWN_PHONES]

    def scores(self, outputs: NDArray[np.floating]) -> NDArray[np.floating]:
        """The log-likelihood of each sequence on its best way, minus infinity where there are too few frames.

        Args:
            outputs: what the network gives, shape (frames, `OUTPUTS`).
        """
        kinds = [kind(phone) for phone in self.phones] + [PAUSE]
        stays = np.array([staying(phone) for phone in self.phones])
        arcs = [
            (source, entering(phone, kinds[source]), cost)
            for phone, entries in zip(self.phones, self.entries, strict=True)
            for source, cost in entries
        ]
        sources, enters = (np.array([arc[place] for arc in arcs]) for place in (0, 1))
        costs = np.array([arc[2] for arc in arcs])
        begins = np.cumsum([0, *map(len, self.entries[:-1])])
        best = np.full(len(stays) + 1, -np.inf)
        best[_START] = 0.0
        for frame in outputs:
            entered = np.maximum.reduceat(best[sources] + frame[enters] - costs, begins)
            best[:-1] = np.maximum(best[:-1] + frame[stays], entered)
            best[_START] = -np.inf
        return np.array([best[ends].max() for ends in self.ends])


_START = -1
"""Where every sequence begins: behind the last state, as an index."""


@dataclass(frozen=True, slots=True)
class SecondPass:
    """The second pass for one grammar; safe to share by calls and threads."""

    network: CompactModel
    """What scores; all grammars may share it."""
    grammar: Grammar
    """Which sequences are likelier than others."""
    lexicon: Lexicon
    """How the words of the grammar are said."""
    settings: GraphSettings
    """What pauses and unknown words cost."""

    def scores(self, samples: Samples, sequences: Sequence[Words]) -> list[float]:
        """The logarithm of the likelihood of each of `sequences`, up to a constant that they share.

        It is minus infinity for one that is too long for the sound. It computes in one thread: calls share the
        processors, and a thread that has helped one keeps a processor busy for a while, waiting for more to do.

        Args:
            samples: the whole utterance, int16 mono at 8 kHz.
            sequences: what may have been said, at least one, with `UNKNOWN_WORD` for a stretch of unknown words.
        """
        ways = _Ways()
        for words in sequences:
            ways.sequence(words, self.lexicon, self.settings)
        with _LIBRARIES.limit(limits=1, user_api="blas"):
            found = ways.scores(self.network.compute(mfcc(samples)))
        return [float(score) - self._cost(words) for words, score in zip(sequences, found, strict=True)]

    def _cost(self, words: Words) -> float:
        """What the grammar takes for the known ones of `words`."""
        known = [word for word in words if word != UNKNOWN_WORD]
        return self.settings.grammar_scale * self.grammar.automaton.cost(known) if known else 0.0
