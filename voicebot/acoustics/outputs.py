"""What the acoustic model scores: each phone while it lasts, and its beginning behind each kind of phone.

How a phone begins tells what was before it, above all where it is short. So its first frame has an output for each
kind of phone that may stand to its left, and all frames behind the first share one. That is the topology of Povey et
al., "Purely sequence-trained neural networks for ASR based on lattice-free MMI" (2016), with left neighbours by kinds,
and for the first frame alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voicebot.language.phones import NOISE, PHONE_INDEX, PHONES, SILENCE, SPOKEN_NOISE

PAUSE = 0
"""The kind of what is no phone of a word."""
_KINDS = (
    f"{SILENCE} {NOISE} {SPOKEN_NOISE}",
    "e i æ y ø",
    "a ɐ ɨ",
    "o u w",
    "b f p v",
    "d s t z ts dz θ",
    "ʃ ʒ tʃ dʒ j tʲ dʲ sʲ zʲ lʲ rʲ",
    "g k x h",
    "m n nʲ",
    "l r ɹ",
)
KINDS = len(_KINDS)
"""How many kinds of left neighbours are told apart: by what of them is heard in the next phone's beginning."""
_KIND = {name: number for number, names in enumerate(_KINDS) for name in names.split()}
KIND_OF_PHONE: NDArray[np.int64] = np.array([_KIND[phone.name] for phone in PHONES])
"""The kind of each phone, shape (phones,)."""

OUTPUTS = len(PHONES) * (1 + KINDS)
"""How many outputs a model has."""


def kind(phone: str) -> int:
    """The kind of a phone by its name."""
    return _KIND[phone]


def staying(phone: str) -> int:
    """The output of all frames of a phone but its first."""
    return PHONE_INDEX[phone]


def entering(phone: str, left: int) -> int:
    """The output of a phone's first frame behind a phone of the kind `left`."""
    return len(PHONES) * (1 + left) + PHONE_INDEX[phone]


def of_phones(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """The best score of each phone in each frame, shape (frames, phones), from those of all outputs."""
    best: NDArray[np.floating] = scores.reshape(len(scores), 1 + KINDS, len(PHONES)).max(axis=1)
    return best
