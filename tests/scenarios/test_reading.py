import json
from pathlib import Path

import pytest

from tests.scenarios.conftest import HERE, read
from voicebot.scenarios.reading import ScenarioError
from voicebot.scenarios.scenario import schema

HEAD = ("scenarios:", "  - name: One", "    turns:")


def test_the_schema_for_editors_is_up_to_date() -> None:
    kept = json.loads((HERE / "scenario.schema.json").read_text(encoding="utf-8"))
    assert kept == schema(), "run: voicebot test --schema > tests/scenarios/scenario.schema.json"


def test_every_scenario_file_names_the_schema() -> None:
    for path in HERE.glob("*.yaml"):
        assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=scenario.schema.json\n")


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (("scenarios: [",), r"line 2: this is not YAML"),
        (("name: x",), r"line 1: a scenario file has a list"),
        ((*HEAD, "      - {shout: да}"), r'line 4: "shout" is no word of a scenario'),
        ((*HEAD, "      - {say: да, keys: 1}"), r"line 4: a turn does one thing"),
        ((*HEAD, "      - say: да", "        within_ms: soon"), r'line 5: "soon" cannot be within_ms'),
        ((*HEAD, "      - say: да", "        says: [greting]"), r'line 5: there is no prompt "greting"'),
        ((*HEAD, "      - say: missing.wav"), r"line 4: there is no sound .*missing\.wav"),
        ((*HEAD, "      - {say: да, say: не}"), r'line 4: "say" stands here twice'),
        ((*HEAD, "      - say: $number", "    values: [{digits: 1}]"), r'line \d: "\$number" names a value'),
        ((*HEAD, "      - keys: 12a"), r'line 4: "12a" cannot be keys'),
        (("scenarios:", "  - turns: []"), r'line 2: "name" is missing'),
        ((*HEAD, "      - say: да", "    line: telegraph"), r'line 5: "telegraph" cannot be line'),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_to_do(lines: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=rf"scenario\.yaml, {sentence}"):
        read(tmp_path, *lines)


def test_a_scenario_is_held_once_for_each_row_of_its_values(tmp_path: Path) -> None:
    first, second = read(
        tmp_path,
        *HEAD,
        "      - {say: $word, within_ms: $limit}",
        "    values: [{word: да, limit: 5}, {word: не, limit: 6}]",
    )
    assert [case.scenario.turns[0].say for case in (first, second)] == ["да", "не"]
    assert second.scenario.turns[0].within_ms == 6 and second.name == "One [word не, limit 6]"


def test_words_that_yaml_takes_for_truth_stay_words_and_zeros_stay(tmp_path: Path) -> None:
    (case,) = read(tmp_path, *HEAD, "      - {keys: 007, understood: {intent: no, digits: 007}}")
    turn = case.scenario.turns[0]
    assert turn.keys == "007" and turn.understood is not None
    assert (turn.understood.intent, turn.understood.digits) == ("no", "007")
