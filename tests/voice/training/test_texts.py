"""What a voice says for its training: every neighbourhood of sounds, and the bot's own phrases."""

import random
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from voicebot.dialog.catalogue import Catalogue
from voicebot.errors import VoicebotError
from voicebot.voice.training.texts import Text, _carriers, cover, own_phrases, pairs_of, texts

WORDS = (
    "щъркел джоб дзън грозде хълм цвете чайник жаба шапка ябълка юли фенер въже нощ грешка мляко рибар синьо люлка "
    "бряг път топъл гълъб кадър злато сън лъжица вятър ден"
).split()


@pytest.fixture
def word_list(tmp_path: Path) -> Path:
    path = tmp_path / "words"
    path.write_text("\n".join(WORDS), encoding="utf-8")
    return path


def test_a_cover_holds_each_pair_as_often_as_wanted_or_as_there_is() -> None:
    rng = random.Random(1)
    pairs = {str(n): frozenset((rng.choice("abcdef"), rng.choice("abcdef")) for _ in range(6)) for n in range(60)}
    there = Counter(pair for held in pairs.values() for pair in held)
    chosen = cover(pairs, times=3)
    covered = Counter(pair for words in chosen for pair in pairs[words])
    assert all(covered[pair] >= min(3, there[pair]) for pair in there)
    assert len(chosen) < len(pairs)


def test_few_sentences_hold_every_pair_of_sounds_of_all(word_list: Path) -> None:
    few = texts(0, 1, word_list, candidates=300)
    everything = texts(0, 300, word_list, candidates=300)
    assert len(few) < len(everything) / 2
    assert frozenset().union(*map(pairs_of, few)) == frozenset().union(*map(pairs_of, everything))


def test_sentences_hold_every_sound_of_bulgarian(word_list: Path) -> None:
    sounds = {sound for words in texts(0, 1, word_list, candidates=300) for pair in pairs_of(words) for sound in pair}
    assert sounds >= set("aeioubvɡdʒzjklmnprstfxʃ") | {"ɐ", "ə"}


def test_the_same_seed_gives_the_same_texts(word_list: Path) -> None:
    assert texts(20, 5, word_list, 7, candidates=40) == texts(20, 5, word_list, 7, candidates=40)
    assert texts(20, 5, word_list, 7, candidates=40) != texts(20, 5, word_list, 8, candidates=40)


def test_a_missing_word_list_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(VoicebotError, match=r"apt-get install wbulgarian"):
        texts(1, 1, tmp_path / "none")


def test_all_that_is_fixed_is_said_and_nothing_twice() -> None:
    said = list(islice(own_phrases(random.Random(1)), 600))
    assert len(said) == len(set(said))
    spoken = " ".join(said)
    assert all(phrase.text in spoken for phrase in Catalogue.load("bg").fixed)


def test_numbers_that_are_read_back_are_known_by_their_digits() -> None:
    assert Text("три нула нула,").digits
    assert not Text("триста евро").digits


def test_carriers_are_whole_sentences() -> None:
    assert all(sentence.endswith((".", "?", "!")) and "{}" in sentence for sentence in _carriers())
