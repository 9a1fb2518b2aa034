import pytest

from voicebot.voice.synthesizer import split_sentences


@pytest.mark.parametrize(
    "text, sentences",
    [
        ("Здравейте! Добре дошли.", ["Здравейте!", "Добре дошли."]),
        ("край. помощ", ["край.", "помощ"]),
        ("Правилно ли е? Да… Не.", ["Правилно ли е?", "Да…", "Не."]),
        ("  нула,\n една  ", ["нула, една"]),
        ("… . !", []),
        ("", []),
    ],
)
def test_a_text_is_cut_behind_each_closing_mark(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences
