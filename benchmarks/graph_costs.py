"""Tries costs of a decoding graph on a development set, the only ones by which anything may be chosen.

Run it as `python benchmarks/graph_costs.py identifier '' 'unknown_cost=14' 'unknown_cost=18 silence_cost=1'`: each
argument behind the grammar is one try, changing the model's own `graphs.toml`; '' changes nothing. For each it prints
how many utterances are right over each line, and how many of the utterances that mean nothing were given a meaning
with a share of the N best that would be acted on (confidence is fitted to the graph that is chosen, afterwards).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import tomllib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hearing import REPOSITORY, SETS, Heard, Task, answers_nothing, figures, hear_set, share
from lines import CONDITIONS
from rich.console import Console
from rich.progress import track
from rich.table import Table

from voicebot.acoustics.graph import compile_model
from voicebot.errors import VoicebotError


@dataclass(frozen=True)
class Costs:
    """One try."""

    grammar: str
    changes: str
    """`name=value`, parted by spaces."""

    def write(self, settings: Path, into: Path) -> None:
        """Write the settings at `settings` with the changes as a file of their own."""
        tables = tomllib.loads(settings.read_text(encoding="utf-8"))
        changes = dict(change.split("=") for change in self.changes.split())
        own = {**tables["default"], **tables.get(self.grammar, {}), **changes}
        lines = [f"[{self.grammar}]", *(f"{name} = {value}" for name, value in own.items())]
        into.write_text("\n".join(lines) + "\n", encoding="utf-8")


def hear_with(model: Path, sets: Path, name: str, every: int, costs: Costs) -> list[Heard]:
    """All trials of the set `name` that answer the grammar, through a graph with these costs."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "model"
        copy.mkdir()
        for part in ("am", "conf"):
            (copy / part).symlink_to(model.resolve() / part)
        costs.write(model / "graphs.toml", copy / "graphs.toml")
        compile_model(copy, [REPOSITORY / "grammars" / f"{costs.grammar}.grxml"], REPOSITORY / "bg_lexicon")
        return hear_set(Task(copy, name, sets, every, CONDITIONS, costs.grammar))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grammar", help="identifier, confirm, menu, code or invoice")
    parser.add_argument("tries", nargs="+", metavar="NAME=VALUE...", help="costs of one try")
    parser.add_argument("--model", type=Path, default=REPOSITORY / "models" / "bg-telephone")
    parser.add_argument("--sets", type=Path, default=SETS)
    sets = ("development", "development-numbers", "development-codes", "development-people")
    parser.add_argument("--set", choices=sets, default="development")
    parser.add_argument("--every", type=int, default=1, help="hear every so manyth utterance")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    names = [condition.name for condition in CONDITIONS]
    table = Table("costs", "said", *names)
    tries = [Costs(options.grammar, changes) for changes in options.tries]
    try:
        with ProcessPoolExecutor(options.jobs) as pool:
            hear = partial(hear_with, options.model, options.sets, options.set, options.every)
            found = track(pool.map(hear, tries), total=len(tries), console=Console(stderr=True))
            for costs, heard in zip(tries, found, strict=True):
                add_rows(table, costs, heard, names)
    except VoicebotError as error:
        print(f"graph_costs: {error}", file=sys.stderr)
        return 1
    Console(width=140).print(table)
    return 0


def add_rows(table: Table, costs: Costs, heard: list[Heard], names: list[str]) -> None:
    """Three lines: numbers and intents right, and what was understood where nothing was said."""
    kinds = {
        "numbers, right": (lambda h: h.length > 0, lambda f: share(f.strings)),
        "intents, right": (lambda h: h.trial.said.intent is not None, lambda f: share(f.intents)),
        "invoices, right": (lambda h: h.trial.said.choice != (None, None), lambda f: share(f.choices)),
        "nothing, digits": (lambda h: answers_nothing(h.row), lambda f: share(f.false_digits)),
        "nothing, intents": (lambda h: answers_nothing(h.row), lambda f: share(f.false_intents)),
    }
    for kind, (test, cell) in kinds.items():
        chosen = [figures(h for h in heard if h.condition == name and test(h)) for name in names]
        cells = [cell(found) for found in chosen]
        if any(cells):
            table.add_row(costs.changes or "as they are", kind, *cells)


if __name__ == "__main__":
    sys.exit(main())
