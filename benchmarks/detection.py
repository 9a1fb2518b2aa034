"""Draws the DET curves of a model: numbers that are missed against utterances that are taken for a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from voicebot.errors import VoicebotError
from voicebot.evaluation.scoring import Operating

TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
LEAST, MOST = 0.0005, 0.9


def draw(curves: Mapping[str, Sequence[Operating]], path: Path) -> None:
    """Write the curves as a picture, both axes in normal deviates; the file's ending chooses SVG or PNG.

    Raises:
        VoicebotError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise VoicebotError("matplotlib is not installed: pip install -e '.[bench]'.") from None
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "voicebot"  # the same curves give the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 6))
    for name, points in curves.items():
        false, missed = (
            _deviates(np.array([getattr(point, field) for point in points])) for field in ("false_accepts", "misses")
        )
        axes.step(false, missed, where="post", label=name)
        for threshold in (0.1, 0.5, 0.9):
            nearest = min(range(len(points)), key=lambda n: abs(points[n].threshold - threshold))
            axes.annotate(f"{threshold:g}", (false[nearest], missed[nearest]), fontsize=7)
    ticks = norm.ppf(TICKS)
    labels = [f"{100 * tick:g}" for tick in TICKS]
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    axes.set_xlim(norm.ppf(LEAST), norm.ppf(MOST))
    axes.set_ylim(norm.ppf(LEAST), norm.ppf(MOST))
    axes.set_xlabel("other words in which digits are taken, %")
    axes.set_ylabel("numbers not taken or taken wrongly, %")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _deviates(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    deviates: NDArray[np.float64] = norm.ppf(np.clip(shares, LEAST, MOST))
    return deviates
