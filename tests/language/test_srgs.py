import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.language.lexicon import load_lexicon
from voicebot.language.srgs import Arc, GrammarError, Meaning, determinized, load_grammar, parse_grammar

ROOT = Path(__file__).parents[2]
GRAMMARS = sorted((ROOT / "grammars").glob("*.grxml"))
HEAD = '<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" root="main" xml:lang="bg-BG">\n'


def grammar(*rules: str, head: str = HEAD):
    return parse_grammar((head + "\n".join(rules) + "\n</grammar>").encode(), Path("test.grxml"))


def rule(content: str, name: str = "main") -> str:
    return f'<rule id="{name}">{content}</rule>'


def test_words_in_a_row_are_an_utterance():
    found = grammar(rule("не е <token>вярно</token><tag>intent:no</tag>"))
    assert found.interpret(["не", "е", "вярно"]) == Meaning(intent="no")
    assert found.interpret(["не", "е"]) is None
    assert found.interpret(["не", "е", "вярно", "да"]) is None


def test_digits_are_joined_in_the_order_of_the_words():
    digit = "<one-of><item>две<tag>digits:2</tag></item><item>три<tag>digits:3</tag></item></one-of>"
    found = grammar(rule('<item repeat="1-"><ruleref uri="#digit"/></item>'), rule(digit, "digit"))
    assert found.interpret("три две две".split()) == Meaning("322")


@pytest.mark.parametrize(("repeat", "allowed"), [("2", {2}), ("0-2", {1, 2}), ("2-3", {2, 3}), ("2-", {2, 3, 4, 5})])
def test_an_item_is_said_as_often_as_its_repeat_allows(repeat, allowed):
    found = grammar(rule(f'<one-of><item>не</item><item>не <item repeat="{repeat}">да</item></item></one-of>'))
    counts = {count for count in range(6) if found.interpret(["не"] + ["да"] * count) is not None}
    assert counts == allowed | {0}


def test_the_likelier_reading_gives_the_meaning():
    item = '<item weight="{}">добре<tag>intent:{}</tag></item>'
    found = grammar(rule("<one-of>" + item.format(1, "no") + item.format(3, "yes") + "</one-of>"))
    assert found.interpret(["добре"]) == Meaning(intent="yes")


def test_the_best_way_is_what_an_utterance_costs():
    item = '<item weight="{}">добре<tag>intent:{}</tag></item>'
    found = grammar(rule("<one-of>" + item.format(1, "no") + item.format(3, "yes") + "</one-of>"))
    assert found.automaton.cost(["добре"]) == pytest.approx(-math.log(3 / 4))
    assert found.automaton.cost(["добре", "добре"]) == math.inf


def test_the_beginning_of_an_utterance_means_what_was_said_so_far():
    digit = "<one-of><item>две<tag>digits:2</tag></item><item>три<tag>digits:3</tag></item></one-of>"
    found = grammar(rule(f'номер <item repeat="3">{digit}</item>'))
    assert found.interpret_prefix(["номер", "три"]) == Meaning("3")
    assert found.interpret(["номер", "три"]) is None
    assert found.interpret_prefix(["три"]) is None


def test_a_tag_works_on_the_digits_so_far():
    found = grammar(
        rule(
            'три<tag>digits:3</tag> <item repeat="0-1">пъти<tag>repeat:3</tag></item>'
            '<item repeat="0-1">не<tag>erase:1</tag> две<tag>digits:2</tag></item>'
            '<item repeat="0-1">отначало<tag>erase:all</tag> пет<tag>digits:5</tag></item>'
            '<item repeat="0-1">ве<tag>symbol:B</tag></item>'
        )
    )
    assert found.interpret("три пъти".split()) == Meaning("333")
    assert found.interpret("три пъти не две".split()) == Meaning("332")
    assert found.interpret("три пъти не две отначало пет".split()) == Meaning("5")
    assert found.interpret("три ве".split()) == Meaning("3B")


def test_what_takes_back_more_than_was_said_means_nothing():
    found = grammar(rule("пет<tag>digits:5</tag> не<tag>erase:2</tag>"))
    assert found.interpret("пет не".split()) is None


def test_a_choice_is_an_ordinal_or_a_month():
    found = grammar(
        rule("<one-of><item>последната<tag>ordinal:-1</tag></item><item>март<tag>month:3</tag></item></one-of>")
    )
    assert found.interpret(["последната"]) == Meaning(ordinal=-1)
    assert found.interpret(["март"]) == Meaning(month=3)


TENS = rule(
    '<item repeat="1-"><one-of>'
    '<item weight="3">двайсет<tag>digits:2</tag> пет<tag>digits:5</tag></item>'
    "<item>двайсет<tag>digits:20</tag></item><item>пет<tag>digits:5</tag></item>"
    "</one-of></item>",
    "tens",
)


def test_every_reading_has_its_share():
    found = grammar(rule('<ruleref uri="#tens"/>'), TENS).meanings("двайсет пет".split())
    assert [meaning for meaning, _ in found] == [Meaning("25"), Meaning("205")]
    assert [share for _, share in found] == pytest.approx([0.6 / (0.6 + 0.04), 0.04 / (0.6 + 0.04)])


def test_words_that_the_grammar_lacks_have_no_meanings():
    assert grammar(rule("да")).meanings(["не"]) == []


COUNTED = HEAD.replace("<grammar ", '<grammar xmlns:v="urn:voicebot" ')


@pytest.mark.parametrize(
    ("said", "readings"),
    [
        ("пет пет пет", {"555"}),
        ("двайсет пет пет", {"255"}),
        ("двайсет пет", {"205"}),
        ("двайсет двайсет", set()),
        ("пет пет пет пет пет", {"55555"}),
        ("двайсет пет двайсет", {"20520"}),
        ("пет пет пет пет пет пет", set()),
    ],
)
def test_an_item_spells_one_of_its_numbers_of_digits(said, readings):
    found = grammar(rule('<item v:digits="3 5"><ruleref uri="#tens"/></item>'), TENS, head=COUNTED)
    assert {meaning.digits for meaning, _ in found.meanings(said.split())} == readings


def test_the_beginning_of_a_counted_item_can_still_become_one():
    found = grammar(rule('<item v:digits="2"><ruleref uri="#tens"/></item>'), TENS, head=COUNTED)
    assert found.interpret_prefix(["двайсет"]) is not None
    assert found.interpret_prefix(["пет", "двайсет"]) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('\n<ruleref uri="#other"/>', 'line 3: there is no rule "other"'),
        ('\nда<ruleref uri="#main"/>', 'line 3: the rule "main" refers to itself'),
        ("\nда<tag>intent:dance</tag>", 'line 3: the tag "intent:dance" is unknown'),
        ("\nда<tag>digits:x</tag>", 'line 3: the tag "digits:x" is unknown'),
        ("\nда<tag>month:13</tag>", 'line 3: the tag "month:13" is unknown'),
        ("\nда<tag>repeat:1</tag>", 'line 3: the tag "repeat:1" is unknown'),
        ("\nда<tag>colour:red</tag>", 'line 3: the tag "colour:red" is unknown'),
        ('\n<item v:digits="many" xmlns:v="urn:voicebot">да</item>', "line 3: digits are numbers"),
        ('\nда<item repeat="0-"><tag>digits:1</tag></item>', "line 3: an item that repeats without end"),
        ('\n<item repeat="some">да</item>', "line 3: repeat is"),
        ('\n<item repeat="3-2">да</item>', "line 3: repeat is out of range"),
        ('\n<one-of><item weight="0">да</item></one-of>', "line 3: a weight is"),
        ('\n<item weight="2">да</item><one-of></one-of>', "<one-of> has no <item>"),
        ("\n<one-of>да</one-of>", "line 3: <one-of> may not hold text"),
        ("\n<one-of><tag>digits:1</tag></one-of>", "line 3: <tag> may not stand in <one-of>"),
        ("\n<lexicon/>", "line 3: <lexicon> is not understood"),
        ('\n<item lang="bg">да</item>', '<item> may not have the attribute "lang"'),
        ('<item repeat="0-1">да</item>', "line 1: the grammar accepts an utterance without words"),
        ("\n<example>не</example>да", 'line 3: the grammar does not accept "не"'),
        ("<tag>intent:yes</tag>да", "line 2: a tag must stand behind a word"),
    ],
)
def test_what_is_not_understood_is_named_by_file_and_line(content, said):
    with pytest.raises(GrammarError) as error:
        grammar(rule(content))
    assert str(error.value).startswith("test.grxml, line ")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("<grammar>", "not well-formed"),
        ('<!DOCTYPE grammar [<!ENTITY a "да">]><grammar>&a;</grammar>', "line 1: a grammar may not declare entities"),
        ("<vxml/>", "<vxml> is not <grammar>"),
        ('<grammar root="main"/>', "the attribute root names no rule"),
        ('<grammar mode="dtmf" root="main"/>', 'only grammars with mode="voice"'),
        ('<grammar tag-format="semantics/1.0" root="main"/>', "the tag format must be"),
        ('<grammar root="a"><rule id="a">да</rule><rule id="a">не</rule></grammar>', "an id of its own"),
        ('<x:grammar xmlns:x="urn:other"/>', "another XML namespace"),
    ],
)
def test_a_document_that_is_no_such_grammar_is_refused(source, said):
    with pytest.raises(GrammarError) as error:
        parse_grammar(source.encode(), Path("test.grxml"))
    assert said in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(GrammarError, match=r"none\.grxml cannot be read"):
        load_grammar(tmp_path / "none.grxml")


def test_a_word_that_the_lexicon_lacks_is_named_with_its_line():
    with pytest.raises(GrammarError, match=r'test\.grxml, line 3: the lexicon lacks the word "нещо"'):
        grammar(rule("да\nнещо")).require_words({"да"})


@given(st.lists(st.tuples(st.lists(st.sampled_from("абв"), min_size=1, max_size=3), st.integers(1, 9)), min_size=1))
def test_an_utterance_has_one_way_with_the_cost_of_its_best(phrases):
    items = "".join(f'<item weight="{weight}">{" ".join(words)}</item>' for words, weight in phrases)
    automaton = grammar(rule(f"<one-of>{items}</one-of>")).automaton
    total = sum(weight for _, weight in phrases)
    for length in range(1, 4):
        for words in itertools.product("абв", repeat=length):
            weights = [weight for phrase, weight in phrases if tuple(phrase) == words]
            state, cost = 0, 0.0
            for word in words:
                arcs = [arc for arc in automaton.arcs[state] if arc.word == word]
                assert len(arcs) <= 1
                if not arcs:
                    state = -1
                    break
                state, cost = arcs[0].target, cost + arcs[0].cost
            cost += automaton.finals.get(state, math.inf)
            assert cost == pytest.approx(-math.log(max(weights) / total) if weights else math.inf, abs=1e-9)


def test_a_word_that_means_two_things_has_two_arcs():
    automaton = grammar(rule('<ruleref uri="#tens"/>'), TENS).automaton
    assert sorted(str(arc.word) for arc in automaton.arcs[0]) == ["двайсет", "двайсет", "пет"]


def test_words_that_differ_in_intent_alone_are_one_arc_of_a_graph():
    item = "<item>добре<tag>intent:{}</tag></item>"
    found = grammar(rule("<one-of>" + item.format("no") + item.format("yes") + "</one-of>")).automaton
    assert [len(found.arcs[0]), len(found.spelling().arcs[0])] == [2, 1]


def test_what_leads_on_alike_is_one_state():
    found = grammar(rule("<one-of><item>едно две</item><item>три две</item></one-of> <item>пет</item>")).automaton
    assert len(found.arcs) == 4


def test_costs_are_paid_with_the_first_word_that_tells_them():
    one, two = grammar(rule('<one-of><item weight="3">да добре</item><item>не</item></one-of>')).automaton.arcs[0]
    assert (one.word, one.cost) == ("да", pytest.approx(-math.log(0.75)))
    assert (two.word, two.cost) == ("не", pytest.approx(-math.log(0.25)))


def test_an_automaton_that_grows_too_large_is_refused():
    chain = [[Arc(place + 1, 0.0, "да")] for place in range(3)]
    with pytest.raises(ValueError, match="more than 2 states"):
        determinized([*chain, []], 0, {3: 0.0}, most_states=2)


@pytest.mark.parametrize("path", GRAMMARS, ids=lambda path: path.stem)
def test_every_grammar_of_the_project_is_covered_by_the_lexicon(path):
    load_grammar(path).require_words(load_lexicon(ROOT / "bg_lexicon"))


IDENTIFIER = load_grammar(ROOT / "grammars" / "identifier.grxml")


@pytest.mark.parametrize(
    ("said", "digits"),
    [
        ("тридесет и две", "32"),
        ("трийсе и два", "32"),
        ("триста двайсет и две", "322"),
        ("триста и две", "302"),
        ("триста", "300"),
        ("сто дванайсет", "112"),
        ("двайсет и пет нула нула", "2500"),
        ("двойна нула", "00"),
        ("две нули", "00"),
        ("девет нули", "000000000"),
        ("три пъти седем", "777"),
        ("тройна седем", "777"),
        ("три седмици", "777"),
        ("две две две", "222"),
        ("ъъъ три ами нула моментик нула", "300"),
        ("три нула не пет", "35"),
        ("три нула не чакай ъъъ пет", "35"),
        ("двайсет и пет не двайсет и шест", "26"),
        ("триста двайсет и две грешка триста двайсет и три", "323"),
        ("двойна пет пардон двойна шест", "66"),
        ("три нула отначало пет шест", "56"),
        ("три нула грешка отначало ами пет шест", "56"),
    ],
)
def test_a_number_is_said_in_groups_counts_and_corrections(said, digits):
    assert IDENTIFIER.interpret(said.split()) == Meaning(digits)


@pytest.mark.parametrize(
    ("said", "readings"),
    [
        ("двайсет пет", ["25", "205"]),
        ("сто два", ["102", "1002"]),
        ("триста двайсет", ["320", "30020"]),
        ("три пет не три шест", ["336", "36"]),
    ],
)
def test_what_can_be_read_in_two_ways_keeps_both(said, readings):
    assert [meaning.digits for meaning, _ in IDENTIFIER.meanings(said.split())] == readings


def test_the_length_of_a_number_tells_how_to_read_it():
    assert IDENTIFIER.interpret("нула нула нула нула двайсет пет нула".split()) == Meaning("0000250")
    assert IDENTIFIER.interpret("нула нула нула нула двайсет пет".split()) == Meaning("0000205")
    assert IDENTIFIER.interpret("нула нула нула нула нула три пет не три шест".split()) == Meaning("0000036")


def test_the_digits_so_far_follow_corrections():
    assert IDENTIFIER.interpret_prefix("три нула".split()) == Meaning("30")
    assert IDENTIFIER.interpret_prefix("три нула не пет".split()) == Meaning("35")
    assert IDENTIFIER.interpret_prefix("три нула отначало".split()) == Meaning("")


def test_the_graph_of_numbers_stays_small():
    states, arcs = len(IDENTIFIER.automaton.arcs), sum(map(len, IDENTIFIER.automaton.arcs))
    assert states < 1_000 and arcs < 20_000


CODE = load_grammar(ROOT / "grammars" / "code.grxml")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("а пет бе две три четири", "A5B234"),
        ("къ лъ мъ нула един девет", "KLM019"),
        ("кодът е три дубъл ве икс игрек зет нула", "3WXYZ0"),
        ("три три не четири ел девет девет две", "34L992"),
        ("двойно осем це де еф ге", "88CDFG"),
    ],
)
def test_a_code_is_letters_and_digits(said, code):
    assert CODE.interpret(said.split()) == Meaning(code)


def test_a_letter_that_may_be_read_as_cyrillic_or_latin_has_both_readings():
    found = dict(CODE.meanings("едно две три четири пет ер".split()))
    assert found[Meaning("12345R")] > found[Meaning("12345P")] > 0.1
    assert Meaning("12345O") in dict(CODE.meanings("едно две три четири пет о".split()))


@pytest.mark.parametrize(
    ("said", "ordinal", "month"),
    [
        ("първата", 1, None),
        ("искам втората", 2, None),
        ("трета фактура", 3, None),
        ("номер дванайсет", 12, None),
        ("последната фактура", -1, None),
        ("предпоследната", -2, None),
        ("за март", None, 3),
        ("фактурата за месец октомври", None, 10),
        ("февруарската", None, 2),
        ("от миналия месец", None, -1),
        ("за този месец", None, 0),
    ],
)
def test_an_invoice_is_chosen_by_place_or_month(said, ordinal, month):
    invoice = load_grammar(ROOT / "grammars" / "invoice.grxml")
    assert invoice.interpret(said.split()) == Meaning(ordinal=ordinal, month=month)


@pytest.mark.parametrize(
    ("name", "said", "digits", "intent"),
    [
        ("identifier", "три нула нула девет", "3009", None),
        ("identifier", "номерът е един два три четири пет шест седем", "1234567", None),
        ("identifier", "оператор", "", "operator"),
        ("identifier", "не знам номера", "", "unknown_number"),
        ("identifier", "назад", "", "back"),
        ("code", "нямам код", "", "unknown_code"),
        ("code", "назад", "", "back"),
        ("invoice", "отказ", "", "back"),
        ("invoice", "оператор", "", "operator"),
        ("confirm", "да", "", "yes"),
        ("confirm", "да точно така", "", "yes"),
        ("confirm", "не", "", "no"),
        ("confirm", "не е вярно", "", "no"),
        ("confirm", "не грешка", "", "no"),
        ("confirm", "ами да", "", "yes"),
        ("confirm", "да разбира се", "", "yes"),
        ("confirm", "верен е", "", "yes"),
        ("confirm", "не не не", "", "no"),
        ("confirm", "има грешка в номера", "", "no"),
        ("confirm", "сбъркахте", "", "no"),
        ("confirm", "друг номер", "", "another"),
        ("menu", "повтори", "", "repeat"),
        ("menu", "друг номер", "", "another"),
        ("menu", "човек", "", "operator"),
        ("menu", "не благодаря", "", "end"),
        ("menu", "помощ", "", "help"),
        ("menu", "фактурите", "", "invoices"),
        ("menu", "назад", "", "back"),
    ],
)
def test_what_callers_say_means_what_they_want(name, said, digits, intent):
    found = load_grammar(ROOT / "grammars" / f"{name}.grxml")
    assert found.interpret(said.split()) == Meaning(digits, intent)
