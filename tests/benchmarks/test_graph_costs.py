from pathlib import Path

from graph_costs import Costs

from voicebot.acoustics.graph import load_settings


def test_a_try_changes_the_costs_of_its_grammar_and_keeps_the_others(tmp_path: Path) -> None:
    settings, tried = tmp_path / "graphs.toml", tmp_path / "tried.toml"
    settings.write_text("[default]\nsilence_cost = 0.7\nword_cost = 1.0\n[confirm]\nunknown_cost = 10.0\n", "utf-8")

    Costs("confirm", "unknown_cost=8 word_cost=2").write(settings, tried)

    found = load_settings(tried, "confirm")
    assert (found.unknown_cost, found.word_cost, found.silence_cost) == (8.0, 2.0, 0.7)
