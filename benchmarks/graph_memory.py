"""Measures the memory that a model costs: resident growth while each grammar is loaded and while it first listens.

Run it as `python benchmarks/graph_memory.py`; the exit status is 1 when loading all costs more than `--limit` MB.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from voicebot.acoustics.compact import CompactModel
from voicebot.acoustics.graph import SECOND_PASS
from voicebot.audio.sound import TELEPHONE_RATE_HZ, Sound
from voicebot.dialog.conversation import GRAMMARS
from voicebot.hearing.recognizer import recognize
from voicebot.hearing.vosk_recognizer import VoskRecognizer

REPOSITORY = Path(__file__).parent.parent


def resident_mb() -> float:
    """The resident memory of this process in MB (proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=REPOSITORY / "models" / "bg-telephone")
    parser.add_argument("--limit", type=float, default=40.0, help="MB that loading all grammars may cost")
    options = parser.parse_args()
    second_pass, before_mb = options.model / SECOND_PASS, resident_mb()
    network = CompactModel.read(second_pass) if second_pass.is_file() else None
    second_pass_mb = resident_mb() - before_mb
    recognizer = VoskRecognizer(options.model)
    noise = Sound(np.random.default_rng(1).normal(0, 300, 2 * TELEPHONE_RATE_HZ).astype(np.int16), TELEPHONE_RATE_HZ)
    table = Table("grammar", "graph, MB", "loading, MB", "first 2 s of noise, MB")
    if network is not None:
        table.add_row("second pass, for all", "", f"{second_pass_mb:.1f}", "")
    loaded_mb = in_calls_mb = second_pass_mb
    for grammar in sorted(recognizer.grammars):
        before_mb = resident_mb()
        recognizer.load([grammar])
        behind_mb = resident_mb()
        recognize(recognizer, noise, grammar)
        graph_mb = (options.model / "graphs" / grammar / "HCLG.fst").stat().st_size / 1e6
        costs_mb = (graph_mb, behind_mb - before_mb, resident_mb() - behind_mb)
        table.add_row(grammar, *(f"{cost_mb:.1f}" for cost_mb in costs_mb))
        loaded_mb += behind_mb - before_mb
        in_calls_mb += behind_mb - before_mb if grammar in GRAMMARS else 0.0
    table.add_row("those of a conversation", "", f"{in_calls_mb:.1f}", "")
    table.add_row("all", "", f"{loaded_mb:.1f}", "")
    Console().print(table)
    return int(loaded_mb > options.limit)


if __name__ == "__main__":
    sys.exit(main())
