"""Forced alignment: where in a recording the phones of its words are, by Viterbi's algorithm on a network's scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicebot.acoustics.speech import Phones
from voicebot.language.phones import NOISE, PHONE_INDEX, SILENCE

Scores = NDArray[np.floating]
"""Log-likelihoods, shape (frames, phones), phones in the order of `PHONES`."""

_NEVER = -1e30
_PAUSES = (SILENCE, NOISE)


@dataclass(frozen=True, slots=True)
class Chain:
    """The ways through an utterance: words one after the other, each in one of its pronunciations, pauses between.

    Every state is one phone that lasts one frame or more.
    """

    phones: NDArray[np.intp]
    """Index of each state's phone, shape (states,)."""
    before: NDArray[np.intp]
    """The states from which each can be entered, filled up with the number of states, shape (states, most)."""
    first: NDArray[np.intp]
    """States in which the utterance can begin."""
    last: NDArray[np.intp]
    """States in which it can end."""


def chain_of(words: Sequence[Sequence[Phones]]) -> Chain:
    """The chain of an utterance; around each word there may be silence, noise, or noise between silences."""
    phones: list[int] = []
    before: list[list[int]] = []

    def add(name: str, sources: Sequence[int]) -> int:
        phones.append(PHONE_INDEX[name])
        before.append(list(sources))
        return len(phones) - 1

    start = -1
    ends = [start]
    for number in range(len(words) + 1):
        silence = add(SILENCE, ends)
        noise = add(NOISE, [*ends, silence])
        ends = [*ends, silence, noise, add(SILENCE, [noise])]
        if number == len(words):
            break
        spoken = []
        for pronunciation in words[number]:
            sources = ends
            for phone in pronunciation:
                sources = [add(phone, sources)]
            spoken += sources
        ends = spoken
    first = [state for state, sources in enumerate(before) if start in sources]
    most = max(map(len, before))
    filled = [[source for source in sources if source != start] for sources in before]
    table = [sources + [len(phones)] * (most - len(sources)) for sources in filled]
    return Chain(np.array(phones), np.array(table), np.array(first), np.array([end for end in ends if end != start]))


def align(scores: Scores, chain: Chain) -> NDArray[np.intp] | None:
    """The phone of each frame on the best way through a chain, shape (frames,).

    None when there are fewer frames than the shortest way has phones.
    """
    frames, states = len(scores), len(chain.phones)
    if not frames:
        return None
    emitted = scores[:, chain.phones]
    best = np.full(states + 1, _NEVER)
    best[chain.first] = emitted[0, chain.first]
    came_from = np.zeros((frames, states), np.int32)
    stay = np.arange(states)
    for frame in range(1, frames):
        entering = best[chain.before]
        choice = entering.argmax(axis=1)
        enter = entering[stay, choice]
        entered = enter > best[:-1]
        came_from[frame] = np.where(entered, chain.before[stay, choice], stay)
        best[:-1] = np.where(entered, enter, best[:-1]) + emitted[frame]
    state = int(chain.last[best[chain.last].argmax()])
    if best[state] < _NEVER / 2:
        return None
    path = np.empty(frames, np.intp)
    for frame in range(frames - 1, -1, -1):
        path[frame] = state
        state = int(came_from[frame, state])
    return chain.phones[path]


def doubt(scores: Scores, labels: NDArray[np.intp]) -> float:
    """How much worse the labels fit than the best phone of each frame, in nats a speech frame; 0 is a perfect fit.

    Infinite when no frame is speech.
    """
    speech = labels > max(PHONE_INDEX[name] for name in _PAUSES)
    if not speech.any():
        return float("inf")
    here = scores[speech]
    return float((here.max(axis=1) - here[np.arange(len(here)), labels[speech]]).mean())
