import heapq
import io
import math
import shutil
import struct
from pathlib import Path

import pytest

from voicebot.acoustics.graph import (
    LABELS,
    Fst,
    GraphError,
    GraphSettings,
    compile_graph,
    compile_model,
    entry,
    load_settings,
    loop,
    main,
    out_of_date,
    position_phone,
)
from voicebot.acoustics.outputs import KINDS, kind
from voicebot.language.lexicon import load_lexicon
from voicebot.language.phones import PHONES
from voicebot.language.srgs import GrammarError, load_grammar, parse_grammar

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "bg-telephone"
GRAMMARS = sorted((ROOT / "grammars").glob("*.grxml"))
LEXICON = ROOT / "bg_lexicon"


@pytest.fixture
def model(tmp_path):
    """A model with a count of states and empty settings, which is all that compiling looks at."""
    for name in ("am/final.mdl", "conf/mfcc.conf", "conf/model.conf", "graphs.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "am" / "final.mdl").write_bytes(b"<Tuples> " + struct.pack("<bi", 4, len(LABELS) * KINDS))
    return tmp_path


def test_the_graphs_of_the_model_are_up_to_date():
    stale = out_of_date(MODEL, GRAMMARS, LEXICON)
    assert not stale, f"graphs are out of date: run make graphs ({', '.join(stale)})"


@pytest.mark.parametrize("path", GRAMMARS, ids=lambda path: path.stem)
def test_compiling_again_gives_the_graph_that_lies_in_the_model(path):
    grammar = load_grammar(path)
    graph = compile_graph(grammar, load_lexicon(LEXICON), load_settings(MODEL / "graphs.toml", grammar.name))
    written = io.BytesIO()
    graph.fst.write(written)
    assert written.getvalue() == (MODEL / "graphs" / grammar.name / "HCLG.fst").read_bytes(), "run make graphs"


def ways(fst: Fst, unknown: int):
    """The words and the entries of every way from the start to a final state, without loops and unknown words."""
    stack: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = [(0, (), ())]
    while stack:
        state, words, labels = stack.pop()
        if state in fst.finals:
            yield words, labels
        for arc in fst.arcs[state]:
            if arc.target != state and arc.output_label != unknown:
                word = (arc.output_label,) if arc.output_label else ()
                label = (arc.input_label,) if arc.input_label else ()
                stack.append((arc.target, words + word, labels + label))


def test_a_word_is_spelt_in_all_its_ways_with_pauses_around(tmp_path):
    (tmp_path / "words.tsv").write_text("не\tn e\nе\te\n", encoding="utf-8")
    source = b'<grammar root="main"><rule id="main">\xd0\xbd\xd0\xb5</rule></grammar>'
    graph = compile_graph(parse_grammar(source, Path("test.grxml")), load_lexicon(tmp_path), GraphSettings())
    word = graph.words.index("не")
    spelt = (position_phone("n", "begin"), position_phone("e", "end"))
    silence, noise = position_phone("SIL"), position_phone("NSN")
    found = list(ways(graph.fst, graph.words.index("[unk]")))
    known = {entries for words, entries in found if words == (word,)}
    pauses = {(), (silence,), (noise,), (silence, noise), (noise, silence)}
    expected = {before + spelt + behind for before in pauses for behind in pauses}
    assert known == {_entries(labels) for labels in expected}
    assert {words for words, labels in found} == {(), (word,)}


def _entries(labels: tuple[int, ...]) -> tuple[int, ...]:
    """The transitions into phones, each behind the one before it and the first behind nothing."""
    names = {position_phone("n", "begin"): "n", position_phone("e", "end"): "e"}
    before = ["SIL", *(names.get(label, "SIL") for label in labels)]
    return tuple(entry(label, kind(name)) for name, label in zip(before, labels, strict=False))


def test_a_word_is_told_with_its_first_phone():
    fst = compile_graph(load_grammar(GRAMMARS[0]), load_lexicon(LEXICON), GraphSettings()).fst
    assert all(arc.input_label for arcs in fst.arcs for arc in arcs if arc.output_label)
    begins = {position_phone(phone.name, position) for phone in PHONES[2:] for position in ("begin", "singleton")}
    told = {(arc.input_label - 1) // (2 * KINDS) + 1 for arcs in fst.arcs for arc in arcs if arc.output_label}
    assert told <= begins


def test_every_phone_can_last():
    fst = compile_graph(load_grammar(GRAMMARS[0]), load_lexicon(LEXICON), GraphSettings()).fst
    entered = {arc.target: arc.input_label for arcs in fst.arcs for arc in arcs if arc.input_label % 2 == 0}
    for state, label in entered.items():
        loops = [arc.input_label for arc in fst.arcs[state] if arc.target == state]
        assert loops == ([loop((label - 1) // (2 * KINDS) + 1)] if label else [])


def test_an_fst_is_written_in_openfsts_binary_form():
    fst = Fst()
    start, end = fst.state(), fst.state()
    fst.arc(start, end, 4, 7, 0.5)
    fst.arc(start, end, 2, 0, 1.5)
    fst.finals[end] = 0.25
    file = io.BytesIO()
    fst.write(file)
    written = file.getvalue()
    assert written[:25] == struct.pack("<ii5si8s", 2125659606, 5, b"const", 8, b"standard")
    assert struct.unpack("<iiQqqq", written[25:65]) == (2, 0, 1, 0, 2, 2)
    assert written[65:105] == struct.pack("<fIIIIfIIII", math.inf, 0, 2, 0, 1, 0.25, 2, 0, 0, 0)
    assert written[105:] == struct.pack("<iifiiifi", 2, 0, 1.5, 1, 4, 7, 0.5, 1)


def test_what_was_compiled_is_up_to_date_until_a_source_changes(model, tmp_path):
    lexicon = tmp_path / "lexicon"
    shutil.copytree(LEXICON, lexicon)
    compile_model(model, GRAMMARS, lexicon)
    assert out_of_date(model, GRAMMARS, lexicon) == []
    assert out_of_date(model, GRAMMARS[1:], lexicon) == [GRAMMARS[0].stem]
    (model / "graphs.toml").write_text("[menu]\nword_cost = 1\n", encoding="utf-8")
    assert out_of_date(model, GRAMMARS, lexicon) == ["menu"]
    (lexicon / "more.tsv").write_text("едва\te d v a\n", encoding="utf-8")
    assert out_of_date(model, GRAMMARS, lexicon) == [path.stem for path in GRAMMARS]


def test_nothing_is_replaced_when_a_grammar_is_wrong(model, tmp_path):
    compile_model(model, GRAMMARS, LEXICON)
    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    wrong = tmp_path / "wrong.grxml"
    wrong.write_text('<grammar root="main"><rule id="main">абракадабра</rule></grammar>', encoding="utf-8")
    with pytest.raises(GrammarError, match='lacks the word "абракадабра"'):
        compile_model(model, [*GRAMMARS, wrong], LEXICON)
    wrong.unlink()
    assert {path: path.read_bytes() for path in model.rglob("*") if path.is_file()} == before


def test_compiling_needs_an_acoustic_model(tmp_path, capsys):
    assert main(["--model", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "final.mdl is missing" in error
    assert error.count("\n") == 1


def test_an_acoustic_model_with_other_transitions_is_refused(model):
    for content in (b"", b"<Triples> " + struct.pack("<bi", 4, 178), b"<Tuples> " + struct.pack("<bi", 4, 178)):
        (model / "am" / "final.mdl").write_bytes(content)
        with pytest.raises(GraphError, match=r"final\.mdl is of another version"):
            compile_model(model, GRAMMARS, LEXICON)


@pytest.mark.parametrize(
    "text", ["[default]\nvolume = 3\n", '[menu]\nword_cost = "much"\n', "[menu]\nword_cost = true\n"]
)
def test_a_setting_that_there_is_not_is_refused(tmp_path, text):
    (tmp_path / "graphs.toml").write_text(text, encoding="utf-8")
    with pytest.raises(GraphError, match="is no setting of a graph"):
        load_settings(tmp_path / "graphs.toml", "menu")
    (tmp_path / "graphs.toml").write_text("[menu]\nunknown_cost = 5\nunknown_alone_cost = 6\n", encoding="utf-8")
    with pytest.raises(GraphError, match="may not be above unknown_cost"):
        load_settings(tmp_path / "graphs.toml", "menu")


def test_settings_that_are_missing_or_no_toml_are_refused(tmp_path):
    with pytest.raises(GraphError, match="cannot be read"):
        load_settings(tmp_path / "graphs.toml", "menu")
    (tmp_path / "graphs.toml").write_text("=", encoding="utf-8")
    with pytest.raises(GraphError, match="cannot be read"):
        load_settings(tmp_path / "graphs.toml", "menu")


def test_a_model_without_manifest_is_refused(tmp_path):
    with pytest.raises(GraphError, match="manifest"):
        out_of_date(tmp_path, GRAMMARS, LEXICON)


def test_unknown_words_alone_cost_less_than_beside_known_ones(tmp_path):
    (tmp_path / "words.tsv").write_text("не\tn e\n", encoding="utf-8")
    grammar = parse_grammar('<grammar root="main"><rule id="main">не</rule></grammar>'.encode(), Path("test.grxml"))
    settings = GraphSettings(unknown_cost=18.0, unknown_alone_cost=13.0, unknown_phone_cost=0.0, silence_cost=50.0)
    graph = compile_graph(grammar, load_lexicon(tmp_path), settings)
    unknown, known = graph.words.index("[unk]"), graph.words.index("не")
    found = least_costs(graph.fst, longest=2)
    phones = 2 * math.log(2)
    assert found[(unknown,)] == pytest.approx(13.0 + phones, abs=1e-4)
    assert found[(unknown, unknown)] == pytest.approx(13.0 + 18.0 + 2 * phones, abs=1e-4)
    spelt = 2 * math.log(2)
    assert found[(unknown, known)] == found[(known, unknown)] == pytest.approx(18.0 + phones + spelt, abs=1e-4)


def least_costs(fst: Fst, longest: int) -> dict[tuple[int, ...], float]:
    """The cheapest way over each sequence of at most so many words (Dijkstra)."""
    found: dict[tuple[int, ...], float] = {}
    done: set[tuple[int, tuple[int, ...]]] = set()
    queue: list[tuple[float, int, tuple[int, ...]]] = [(0.0, 0, ())]
    while queue:
        cost, state, words = heapq.heappop(queue)
        if (state, words) in done:
            continue
        done.add((state, words))
        if state in fst.finals:
            found[words] = min(found.get(words, math.inf), cost + fst.finals[state])
        for arc in fst.arcs[state]:
            following = (*words, arc.output_label) if arc.output_label else words
            if len(following) <= longest:
                heapq.heappush(queue, (cost + arc.cost, arc.target, following))
    return found
