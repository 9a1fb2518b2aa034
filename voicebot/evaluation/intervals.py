"""Intervals of 95 %: for shares of independent trials, and for error rates, whose trials hang together by speaker."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Interval = tuple[float, float]
"""Lower and upper bound."""

_Z = 1.959964
"""The normal distribution's 97.5th percentile."""


def wilson(hits: int, count: int) -> Interval:
    """The interval of a share (E. B. Wilson, "Probable Inference", 1927); all of [0, 1] when nothing was counted."""
    if not count:
        return 0.0, 1.0
    share = hits / count
    centre = share + _Z**2 / (2 * count)
    spread = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    whole = 1 + _Z**2 / count
    return max(0.0, (centre - spread) / whole), min(1.0, (centre + spread) / whole)


def bootstrap(errors: Sequence[int], counts: Sequence[int], *, samples: int = 2000, seed: int = 1) -> Interval:
    """The interval of sum(errors) / sum(counts), by drawing the units anew (B. Efron, 1979), in percentiles.

    Args:
        errors: errors of each unit: of each utterance, or of each voice where the utterances of one hang together.
        counts: what each unit could have got wrong; error rates above 1 are possible.
        samples: how often units are drawn.
        seed: of the generator, so that the same run gives the same interval.

    Returns:
        (0, 1) when there is nothing to draw from. Where no unit has an error the drawing would say (0, 0): then the
        upper bound is that of `wilson` for the units.
    """
    total = sum(counts)
    if not total:
        return 0.0, 1.0
    if not any(errors):
        return 0.0, wilson(0, len(counts))[1]
    units = len(errors)
    drawn = np.random.default_rng(seed).integers(units, size=(samples, units))
    sums = np.asarray(counts, np.float64)[drawn].sum(axis=1)
    rates = np.asarray(errors, np.float64)[drawn].sum(axis=1)[sums > 0] / sums[sums > 0]
    low, high = np.percentile(rates, (2.5, 97.5))
    return float(low), float(high)
