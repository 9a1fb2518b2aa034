import pytest
from speakers import DEVELOPMENT_STYLES, TEST_STYLES, FestivalSpeaker, czech_spelling


@pytest.mark.parametrize(
    "text, spelled",
    [
        ("нула едно две три", "nula edno dve tri"),
        ("четири, девет", "četyri, devet"),  # "ti" would be soft
        ("край", "kraj"),
        ("още един", "ošte edyn"),
        ("съгласен", None),
    ],
)
def test_a_czech_reads_bulgarian_in_czech_spelling(text: str, spelled: str | None) -> None:
    assert czech_spelling(text) == spelled
    assert FestivalSpeaker("czech_dita").can_say(text) == (spelled is not None)


def test_no_style_serves_both_tests_and_development() -> None:
    assert not set(TEST_STYLES) & set(DEVELOPMENT_STYLES)
