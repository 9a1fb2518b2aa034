"""Reads scenario files: YAML with the line of everything in it, so that an error names its place; rows become cases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

import yaml
from pydantic import ValidationError

from voicebot.dialog.catalogue import Catalogue
from voicebot.errors import VoicebotError
from voicebot.scenarios.scenario import Scenario, ScenarioFile

Place = tuple[str | int, ...]
"""Where in a file something stands: keys and positions from its top."""


class ScenarioError(VoicebotError):
    """A scenario that cannot be held."""


@dataclass(frozen=True, slots=True)
class Case:
    """One call to hold: a scenario, for one row of its values."""

    scenario: Scenario
    file: Path
    line: int
    """Line of the file on which it begins."""
    sounds: Path
    """The folder of its sound files."""
    row: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The scenario's name with the row's values."""
        values = ", ".join(f"{name} {value}" for name, value in self.row.items())
        return f"{self.scenario.name} [{values}]" if values else self.scenario.name

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.file}:{self.line}"


def read_cases(paths: Iterable[Path], prompts: Catalogue) -> list[Case]:
    """The cases of scenario files and of folders of them, in their order.

    Args:
        paths: YAML files, or folders in which all files `*.yaml` and `*.yml` are read, in subfolders, too.
        prompts: where the names of prompts are looked up.

    Raises:
        ScenarioError: a sentence with file, line and what to do.
    """
    return [case for path in paths for file in scenario_files(path) for case in _cases(file, prompts)]


def scenario_files(path: Path) -> list[Path]:
    """The scenario files that a path means; none for a folder that has none, a table of recordings and a recording."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*.y*ml") if file.suffix in (".yaml", ".yml"))
    if not path.is_file():
        raise ScenarioError(f"{path} does not exist: give a scenario file or a folder.")
    return [] if is_sound_file(path.name) or path.suffix in (".csv", ".tsv") else [path]


class _Source:
    """A YAML file as plain values, all scalars as strings, and the line of each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[Place, int] = {}
        try:
            node = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
            self.content = self._plain(node, ()) if node else {}
        except (OSError, UnicodeDecodeError) as error:
            raise ScenarioError(f"{path} cannot be read as text in UTF-8: {error}.") from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            raise ScenarioError(f"{path}, line {line}: this is not YAML ({error.problem}): mend it there.") from None
        except (yaml.YAMLError, RecursionError):
            raise ScenarioError(f"{path} is not YAML that can be read: write it anew.") from None

    def _plain(self, node: yaml.Node, place: Place) -> Any:
        self.lines[place] = node.start_mark.line + 1
        match node:
            case yaml.MappingNode():
                values: dict[str, Any] = {}
                for key_node, value_node in node.value:
                    key = str(key_node.value)
                    if key in values:
                        raise self.error((*place, key), f'"{key}" stands here twice: remove one', key_node)
                    values[key] = self._plain(value_node, (*place, key))
                    self.lines[(*place, key)] = key_node.start_mark.line + 1
                return values
            case yaml.SequenceNode():
                return [self._plain(item, (*place, i)) for i, item in enumerate(node.value)]
            case _:
                return node.value

    def error(self, place: Place, what: str, node: yaml.Node | None = None) -> ScenarioError:
        """An error at `place`, or at the nearest thing around it that the file has."""
        line = node.start_mark.line + 1 if node else self.line(place)
        return ScenarioError(f"{self.path}, line {line}: {what}.")

    def line(self, place: Place) -> int:
        """Its line."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def _cases(path: Path, prompts: Catalogue) -> Iterator[Case]:
    source = _Source(path)
    # Values are put in before the scenario is checked as a whole, so its template is not.
    content = source.content
    scenarios = content.get("scenarios") if isinstance(content, dict) else None
    if not isinstance(scenarios, list) or not scenarios:
        raise source.error((), 'a scenario file has a list "scenarios" with at least one in it: write it')
    for number, raw in enumerate(scenarios):
        place: Place = ("scenarios", number)
        rows = _rows(source, raw, place) if isinstance(raw, dict) else [{}]
        for row in rows:
            filled = _fill(source, raw, row, place) if row else raw
            file = _validated(source, {**content, "scenarios": [filled]}, number)
            scenario = _with_defaults(file)
            _check(source, scenario, place, path.parent / file.sounds, prompts)
            yield Case(scenario, path, source.line(place), path.parent / file.sounds, row)


def _rows(source: _Source, raw: Mapping[str, Any], place: Place) -> Sequence[Mapping[str, str]]:
    rows = raw.get("values", [{}])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise source.error((*place, "values"), '"values" is a list of rows such as {number: "1000001"}: write it so')
    return rows or [{}]


def _fill(source: _Source, raw: Any, row: Mapping[str, str], place: Place) -> Any:
    match raw:
        case dict():
            return {
                key: value if key == "values" else _fill(source, value, row, (*place, key))
                for key, value in raw.items()
            }
        case list():
            return [_fill(source, item, row, (*place, i)) for i, item in enumerate(raw)]
        case _:
            try:
                return Template(raw).substitute(row)
            except (KeyError, ValueError):
                names = ", ".join(f"${name}" for name in row)
                raise source.error(
                    place, f'"{raw}" names a value that the row has not: it has {names}; a plain dollar is $$'
                ) from None


def _validated(source: _Source, content: Any, number: int) -> ScenarioFile:
    try:
        return ScenarioFile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        steps = list(first["loc"])
        if steps[:1] == ["scenarios"] and len(steps) > 1:
            steps[1] = number
        # Behind a choice of types pydantic names the type; it is no place in the file.
        place = tuple(steps)
        value = first["input"]
        what = first["msg"].removeprefix("Value error, ")
        what = what[0].lower() + what[1:]
        name = steps[-1] if steps else ""
        match first["type"]:
            case "extra_forbidden":
                what = f'"{name}" is no word of a scenario here: mend or remove it'
            case "missing":
                what = f'"{name}" is missing: write it'
            case "value_error":
                pass
            case _:
                shown = f'"{value}"' if isinstance(value, str) else "what stands here"
                where = next((str(step) for step in reversed(steps) if step in _words(place, source)), str(name))
                what = f"{shown} cannot be {where}: {what}"
        raise source.error(place, what) from None


def _words(place: Place, source: _Source) -> list[str | int]:
    """Those steps of a place that are words of the file."""
    return [step for i, step in enumerate(place) if place[: i + 1] in source.lines and isinstance(step, str)]


def _with_defaults(file: ScenarioFile) -> Scenario:
    (scenario,) = file.scenarios
    return scenario.model_copy(
        update={
            "line": scenario.line if scenario.line is not None else file.line,
            "voice": scenario.voice or file.voice,
        }
    )


def _check(source: _Source, scenario: Scenario, place: Place, sounds: Path, prompts: Catalogue) -> None:
    """What the models cannot see: prompts and sound files that there are not."""
    expected: list[tuple[Place, str]] = [
        ((*place, "opens_with", i), text) for i, text in enumerate(scenario.opens_with)
    ]
    for number, turn in enumerate(scenario.turns):
        at = (*place, "turns", number)
        expected += [((*at, "says", i), text) for i, text in enumerate(turn.says)]
        expected += [((*at, "never", i), text) for i, text in enumerate(turn.never)]
        if turn.say is not None and is_sound_file(turn.say) and not (sounds / turn.say).is_file():
            raise source.error(
                (*at, "say"), f"there is no sound {sounds / turn.say}: give the path of a file, or words"
            )
    for at, text in expected:
        if names_prompt(text) and text not in prompts.names:
            raise source.error(at, f'there is no prompt "{text}": take one of {", ".join(sorted(prompts.names))}')


def is_sound_file(text: str) -> bool:
    """Whether what is said is a file and not words."""
    return Path(text).suffix.lower() in (".wav", ".flac", ".ogg", ".opus", ".mp3")


def names_prompt(text: str) -> bool:
    """Whether an expectation is a prompt's name: those are of Latin letters, what is said is not."""
    return text.isascii() and text.replace("_", "").isalnum() and text.islower() and not text.isdecimal()
