from pathlib import Path

import pytest
from rapidfuzz.distance import Levenshtein

from voicebot.language.letter_to_sound import STRESS, pronounce
from voicebot.language.lexicon import LexiconError, Pronunciation, load_lexicon, write_lexicon

LEXICON = Path(__file__).parents[2] / "bg_lexicon"


def write(folder: Path, text: str) -> Path:
    (folder / "words.tsv").write_text(text, encoding="utf-8")
    return folder


def test_a_word_has_all_its_pronunciations(tmp_path):
    lexicon = load_lexicon(write(tmp_path, "# a comment\n\nшест\tʃ e s t\nшест\tʃ e s\t0.5  # quick\n"))
    assert lexicon["шест"] == (Pronunciation(("ʃ", "e", "s", "t")), Pronunciation(("ʃ", "e", "s"), 0.5))
    assert "пет" not in lexicon


def test_the_words_of_all_files_are_in_the_lexicon(tmp_path):
    (tmp_path / "a.tsv").write_text("да\td a\n", encoding="utf-8")
    (tmp_path / "b.tsv").write_text("не\tn e\n", encoding="utf-8")
    assert list(load_lexicon(tmp_path)) == ["да", "не"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("пет\tp e q", '"q" is no phone'),
        ("пет\tp SIL t", '"SIL" is no phone'),
        ("пет", "expected a word, a tab"),
        ("пет\tp e t\t1\t1", "expected a word, a tab"),
        ("пет\t", '"пет"|expected a word'),
        ("Пет\tp e t", "not one word in small letters"),
        ("пет пет\tp e t", "not one word in small letters"),
        ("пет\tp e t\t0", 'the weight "0"'),
        ("пет\tp e t\tmuch", 'the weight "much"'),
        ("да\td a", "this pronunciation twice"),
    ],
)
def test_a_wrong_line_is_named_by_file_and_number(tmp_path, line, said):
    with pytest.raises(LexiconError, match=rf"words\.tsv, line 2: .*({said})"):
        load_lexicon(write(tmp_path, f"да\td a\n{line}\n"))


def test_a_folder_without_lexicon_is_refused(tmp_path):
    with pytest.raises(LexiconError, match="holds no lexicon"):
        load_lexicon(tmp_path)


def test_a_file_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "words.tsv").write_bytes("да\td a\n".encode("cp1251"))
    with pytest.raises(LexiconError, match="UTF-8"):
        load_lexicon(tmp_path)


def test_a_lexicon_is_read_back_as_it_was_written(tmp_path):
    (tmp_path / "words.tsv").write_text("две\td v e\nда\td a\nда\td ɐ\t0.25\nне\tn e\n", encoding="utf-8")
    lexicon = load_lexicon(tmp_path)
    (tmp_path / "some").mkdir()
    write_lexicon(lexicon, {"да", "две"}, tmp_path / "some" / "lexicon.tsv")
    assert {word: load_lexicon(tmp_path / "some")[word] for word in load_lexicon(tmp_path / "some")} == {
        word: lexicon[word] for word in ("да", "две")
    }


def test_the_lexicon_of_the_project_can_be_read():
    lexicon = load_lexicon(LEXICON)
    assert Pronunciation(("ʃ", "e", "s")) in lexicon["шест"]


def by_rule(word: str) -> set[tuple[str, ...]]:
    """What the rules make of a word, wherever its stress may be."""
    stressed = [
        word[:place] + STRESS + word[place:] for place in range(1, len(word) + 1) if word[place - 1] in "аеиоуъюя"
    ]
    return {phones for form in (word, *stressed) for phones in pronounce(form)}


def test_every_word_is_pronounced_nearly_as_the_rules_have_it():
    lexicon = load_lexicon(LEXICON)
    for word in set(lexicon) - {"ъъъ"}:  # a hum, not spelling
        for pronunciation in lexicon[word]:
            phones = pronunciation.phones
            nearest = min(Levenshtein.distance(phones, form) for form in by_rule(word))
            assert nearest <= max(1, len(phones) // 4), f"{word}: {' '.join(phones)}"
