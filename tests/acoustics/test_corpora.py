"""The corpora's texts can be pronounced."""

import pytest

from voicebot.acoustics.corpora import corpus_table, pronounce


def _languages() -> list[str]:
    table = corpus_table()
    return sorted({*table["tuxpaint"]["languages"], *table["asterisk"]["voices"].values(), *table["espeak_voices"]})


@pytest.mark.parametrize("language", _languages())
def test_every_language_of_the_corpora_is_spoken_by_espeak(language: str) -> None:
    assert pronounce("2", language)


def test_a_language_that_espeak_lacks_gives_no_words() -> None:
    assert pronounce("2", "xx-none") == ()
