import pytest

from voicebot.language.text import spell_figures


@pytest.mark.parametrize(
    "text, words",
    [
        ("Дължите 45,30 евро.", "Дължите четиридесет и пет евро и тридесет цента."),
        ("Дължите 45.30 €.", "Дължите четиридесет и пет евро и тридесет цента."),
        ("Сумата е 1 лв. и 2 EUR", "Сумата е един лев и две евро"),
        ("до 9.12.2026 г.", "до девети декември две хиляди двадесет и шеста година"),
        ("Имате 2 фактури", "Имате две фактури"),
        ("ИТН 1000001", "ИТН едно нула нула, нула нула, нула едно"),
        ("код 007", "код нула нула седем"),
        ("на 31.2.2026", "на тридесет и едно.две.две хиляди двадесет и шест"),
        ("Здравейте!", "Здравейте!"),
    ],
)
def test_figures_become_words(text: str, words: str) -> None:
    assert spell_figures(text) == words


def test_figures_become_words_in_english_too() -> None:
    assert spell_figures("You owe 45.30 EUR", "en") == "You owe forty-five euros and thirty cents"
