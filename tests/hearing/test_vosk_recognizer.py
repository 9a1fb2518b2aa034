import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.audio.sound import Sound
from voicebot.audio.wav import read_wav
from voicebot.hearing.recognizer import Reading, UnknownGrammar, recognize
from voicebot.hearing.vosk_recognizer import (
    Hypothesis,
    ModelError,
    VoskRecognizer,
    _scored_again,
    readings_of,
    weighed,
)
from voicebot.language.srgs import load_grammar

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "bg-telephone"
FIXTURES = ROOT / "tests" / "fixtures"
IDENTIFIER = load_grammar(ROOT / "grammars" / "identifier.grxml")
MENU = load_grammar(ROOT / "grammars" / "menu.grxml")


@pytest.fixture(scope="module")
def recognizer():
    return VoskRecognizer(MODEL)


@pytest.fixture
def model(tmp_path):
    """A copy of the model that a test may damage."""
    return Path(shutil.copytree(MODEL, tmp_path / "model"))


def test_a_spoken_number_is_read(recognizer):
    best = recognize(recognizer, read_wav(FIXTURES / "number-12-300000000004.wav"), "identifier")[0]
    assert best.digits == "300000000004"
    assert best.intent is None
    assert best.text.split()[0] == "три"
    assert best.confidence > 0.5


def test_a_command_is_read_as_its_intent(recognizer):
    best = recognize(recognizer, read_wav(FIXTURES / "operator.wav"), "confirm")[0]
    assert (best.text, best.intent, best.digits) == ("оператор", "operator", "")
    assert best.confidence > 0.5


@pytest.mark.parametrize("name", ["silence.wav", "music.wav", "dtmf-300000000001.wav"])
def test_what_is_no_speech_is_not_taken_for_digits(recognizer, name):
    best = recognize(recognizer, read_wav(FIXTURES / name), "identifier")[0]
    assert best.confidence < 0.1


def test_a_stream_that_heard_nothing_understood_nothing(recognizer):
    assert recognizer.stream("menu").finish() == [Reading("", 0.0)]
    assert recognize(recognizer, Sound(np.zeros(1, np.int16), 8000), "menu") == [Reading("", 0.0)]


def test_partial_readings_grow_into_the_number(recognizer):
    stream = recognizer.stream("identifier")
    partials = []
    for frame in read_wav(FIXTURES / "number-12-300000000004.wav").frames(400):
        stream.accept(frame)
        partials.append(stream.partial().digits)
    assert partials[0] == ""
    assert [len(digits) for digits in partials] == sorted(len(digits) for digits in partials)
    assert any(0 < len(digits) < 12 for digits in partials)
    assert partials[-1] == stream.finish()[0].digits == "300000000004"


def test_the_first_word_is_guessed_before_it_is_known(recognizer, monkeypatch):
    monkeypatch.setattr("voicebot.hearing.vosk_recognizer._GUESSING_S", math.inf)
    stream = recognizer.stream("identifier")
    partials = []
    for frame in read_wav(FIXTURES / "number-12-300000000004.wav").frames(60):
        stream.accept(frame)
        partials.append(stream.partial())
    guessed = next(number for number, reading in enumerate(partials) if reading.text)
    known = next(number for number, reading in enumerate(partials) if not reading.guessed)
    assert partials[guessed].guessed and guessed < known < len(partials)
    assert not any(reading.guessed for reading in partials[known:])


def test_guesses_end_where_no_word_comes(recognizer):
    stream = recognizer.stream("menu")
    for frame in Sound(np.random.default_rng(1).normal(0, 5, 8000 * 10).astype(np.int16), 8000).frames(60):
        stream.accept(frame)
        last = stream.partial()
    assert last == Reading("", 0.0)


def test_a_long_pause_does_not_cut_an_utterance_in_two(recognizer):
    number = read_wav(FIXTURES / "number-7-1000001.wav")
    rng = np.random.default_rng(1)
    pause = Sound(rng.normal(0, 20, 5 * number.rate_hz).astype(np.int16), number.rate_hz)
    digits = recognize(recognizer, number.then(pause, number), "identifier")[0].digits
    assert len(digits) > 7  # not 14 either: the grammar takes so many for twelve with a slip


def test_streams_of_one_recogniser_do_not_mix(recognizer):
    sounds = [read_wav(FIXTURES / "operator.wav"), read_wav(FIXTURES / "another-number.wav")]
    streams = [recognizer.stream("menu") for _ in sounds]
    for pieces in zip(*(list(sound.frames(100))[:15] for sound in sounds), strict=True):
        for stream, piece in zip(streams, pieces, strict=True):
            stream.accept(piece)
    assert [stream.finish()[0].intent for stream in streams] == ["operator", "another"]


def test_a_grammar_that_there_is_not_is_named(recognizer):
    with pytest.raises(
        UnknownGrammar, match=r'no grammar "weather"; there are code, confirm, identifier, invoice, menu\.'
    ):
        recognizer.stream("weather")
    with pytest.raises(UnknownGrammar):
        recognizer.load(["weather"])


def test_every_grammar_can_be_loaded_ahead(recognizer):
    recognizer.load()
    assert recognizer.grammars == {"code", "confirm", "identifier", "invoice", "menu"}


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"no recognition model at .*nowhere"):
        VoskRecognizer(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "name",
    ["am/final.mdl", "conf/model.conf", "graphs/menu/HCLG.fst", "graphs/menu/grammar.grxml", "graphs/menu/lexicon.tsv"],
)
def test_a_missing_file_of_the_model_is_named(model, name):
    (model / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing"):
        VoskRecognizer(model)


@pytest.mark.parametrize("name", ["am/final.mdl", "graphs.toml", "graphs/identifier/HCLG.fst", "graphs/menu/words.txt"])
def test_a_file_that_is_cut_short_is_named_before_vosk_reads_it(model, name):
    content = (model / name).read_bytes()
    (model / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=f"{name} is damaged"):
        VoskRecognizer(model)


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"graphs": {}, "files": {"a": 1}}', '{"graphs": {}, "files": []}']
)
def test_a_manifest_that_cannot_be_read_is_named(model, content):
    (model / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=r"manifest\.json is missing or damaged"):
        VoskRecognizer(model)


def in_noise(sound: Sound, level: float) -> Sound:
    noisy = sound.samples + np.random.default_rng(2).normal(0, level, len(sound.samples))
    return Sound(np.clip(noisy, -32768, 32767).astype(np.int16), sound.rate_hz)


def test_what_is_unsure_is_heard_again_and_nothing_else(recognizer, monkeypatch):
    monkeypatch.setattr("voicebot.hearing.vosk_recognizer._PATIENCE_S", math.inf)
    number = read_wav(FIXTURES / "number-12-300000000004.wav").resampled(8000)
    again = []
    for level in (0, 500, 3000, 6000):
        stream = recognizer.stream("identifier")
        stream.accept(in_noise(number, level).samples)
        found = stream.hypotheses()
        first = weighed([one for one in found if one.hearing == 0 and not one.second_pass], IDENTIFIER)
        again.append({one.hearing for one in found} == {0, 1, 2})
        assert again[-1] == (max(share for share, _ in first.values()) < 0.95)
    assert not again[0] and any(again)


def test_what_took_long_to_hear_is_not_heard_again(recognizer, monkeypatch):
    monkeypatch.setattr("voicebot.hearing.vosk_recognizer._SURE_SHARE", 1.1)
    monkeypatch.setattr("voicebot.hearing.vosk_recognizer._PATIENCE_S", 0.0)
    stream = recognizer.stream("menu")
    stream.accept(read_wav(FIXTURES / "operator.wav").resampled(8000).samples)
    assert {one.hearing for one in stream.hypotheses()} == {0}


def test_words_have_their_times_at_whatever_tempo_they_were_heard(recognizer, monkeypatch):
    monkeypatch.setattr("voicebot.hearing.vosk_recognizer._SURE_SHARE", 1.1)
    monkeypatch.setattr("voicebot.hearing.vosk_recognizer._PATIENCE_S", math.inf)
    stream = recognizer.stream("identifier")
    stream.accept(read_wav(FIXTURES / "number-7-1000001.wav").resampled(8000).samples)
    likeliest = {}
    for one in stream.hypotheses():
        likeliest.setdefault(one.hearing, one)
    ends = [[word.end_s for word in one.spoken if word.word != "[unk]"] for one in likeliest.values()]
    assert len(ends) == 3 and len(ends[0]) == 7
    np.testing.assert_allclose(ends[1:], [ends[0]] * 2, atol=0.1)


def hypothesis(text: str, score: float = 0.0, durations: tuple[float, ...] = (), hearing: int = 0) -> Hypothesis:
    return Hypothesis(tuple(text.split()), score, durations, hearing=hearing)


def test_hypotheses_of_equal_meaning_are_one_reading():
    found = readings_of([hypothesis("едно", 3.0), hypothesis("два", 2.0), hypothesis("един", 2.5)], IDENTIFIER)
    assert [(reading.text, reading.digits) for reading in found] == [("едно", "1"), ("два", "2")]
    total = math.exp(3) + math.exp(2) + math.exp(2.5)
    assert found[0].confidence == pytest.approx((math.exp(3) + math.exp(2.5)) / total)


def test_each_hearing_has_the_same_say():
    first = [hypothesis("едно", 103.0), hypothesis("две", 102.0)]
    second = [hypothesis("две", 4.0, hearing=1), hypothesis("три", 1.0, hearing=1)]
    found = {meaning.digits: share for meaning, (share, _) in weighed([*first, *second], IDENTIFIER).items()}
    assert list(found) == ["2", "1", "3"]
    of_one = math.exp(3) / (math.exp(3) + math.exp(2))
    of_two = math.exp(4) / (math.exp(4) + math.exp(1))
    assert found == pytest.approx({"1": of_one / 2, "2": (1 - of_one + of_two) / 2, "3": (1 - of_two) / 2})


def _scored_by(score_of: Callable[[tuple[str, ...]], float]) -> tuple[Any, list[tuple[str, ...]]]:
    """A second pass over identifiers that scores so, and what it was asked for."""
    asked: list[tuple[str, ...]] = []

    def scores(_: np.ndarray, sequences: list[tuple[str, ...]]) -> list[float]:
        asked.extend(sequences)
        return [score_of(words) for words in sequences]

    return SimpleNamespace(scores=scores, grammar=IDENTIFIER), asked


def test_what_was_found_is_scored_again_once():
    found = [hypothesis("едно две", 5.0), hypothesis("две две", 4.0), hypothesis("едно две", 9.0, hearing=1)]
    second_pass, asked = _scored_by(lambda words: 3.0 if words[0] == "две" else -math.inf)
    again = _scored_again(found, np.zeros(8000, np.int16), second_pass)
    assert sorted(asked) == [("две", "две"), ("едно", "две")]
    assert again == [replace(found[1], score=3.0, second_pass=True)]


def test_what_means_nothing_is_not_scored_again():
    found = [hypothesis("едно", 5.0), hypothesis("две [unk]", 4.0), hypothesis("[unk]", 3.0), hypothesis("", 2.0)]
    second_pass, asked = _scored_by(lambda _: 0.0)
    assert len(_scored_again(found, np.zeros(8000, np.int16), second_pass)) == 2
    assert sorted(asked) == [("две", "[unk]"), ("едно",)]


@pytest.mark.parametrize("others", [["[unk]"], ["едно [unk]", "един"], [""]])
def test_where_there_is_one_meaning_nothing_is_scored_again(others: list[str]):
    found = [hypothesis("едно", 5.0), *(hypothesis(words, 4.0) for words in others)]
    second_pass, asked = _scored_by(lambda _: 0.0)
    assert _scored_again(found, np.zeros(8000, np.int16), second_pass) == []
    assert asked == []


def test_the_second_pass_has_a_say_but_its_scores_are_no_evidence():
    found = [hypothesis("едно", 9.0), hypothesis("две", 9.0 - math.log(2))]
    second = [replace(found[0], score=-900.0, second_pass=True), replace(found[1], score=-895.0, second_pass=True)]
    (likeliest, (share, evidence)), (_, (other, _)) = weighed([*found, *second], IDENTIFIER).items()
    of_one = 1 / (1 + math.exp(5))
    assert likeliest.digits == "2" and evidence == found[1]
    assert share / other == pytest.approx(0.5 * ((1 - of_one + 1e-3) / (of_one + 1e-3)) ** 0.5)
    assert share + other == pytest.approx(1.0)


def test_the_second_pass_has_no_say_in_whether_anything_was_meant():
    found = [hypothesis("едно", 2.0), hypothesis("две", 1.0), hypothesis("[unk]", 2.0)]
    second = [replace(one, score=score, second_pass=True) for one, score in zip(found, (1.0, 5.0, 9.0), strict=True)]
    once, twice = (
        {meaning.digits: share for meaning, (share, _) in weighed(heard, IDENTIFIER).items()}
        for heard in (found, [*found, *second])
    )
    assert twice[""] == pytest.approx(once[""])
    assert sum(twice.values()) == pytest.approx(1.0)
    assert once["1"] > once["2"] and twice["1"] < twice["2"]


def test_what_cannot_be_meant_at_all_stays_so_with_a_second_pass():
    found = [hypothesis("[unk]", 2000.0), hypothesis("едно", 0.0)]
    shares = [share for share, _ in weighed([*found, replace(found[1], second_pass=True)], IDENTIFIER).values()]
    assert shares == [1.0, 0.0]


def test_unknown_words_between_digits_leave_no_number():
    assert readings_of([hypothesis("едно [unk] две")], IDENTIFIER) == [Reading("", 0.0)]


def test_unknown_words_around_a_number_lower_its_confidence():
    found = readings_of([hypothesis("[unk] едно две", 0.0, (1.0, 0.5, 0.5))], IDENTIFIER)
    assert found == [Reading("едно две", 0.5, "12")]


def test_unknown_words_alone_are_not_understood():
    assert readings_of([hypothesis("[unk]", 0.0, (1.0,))], IDENTIFIER) == [Reading("", 0.0)]


def test_each_meaning_of_a_hypothesis_is_a_reading():
    found = readings_of([hypothesis("двайсет пет"), hypothesis("двайсет и пет")], IDENTIFIER)
    assert [(reading.text, reading.digits) for reading in found] == [("двайсет пет", "25"), ("двайсет пет", "205")]
    assert sum(reading.confidence for reading in found) == pytest.approx(1.0)
    assert found[0].confidence > 0.8


def test_a_choice_from_a_list_is_in_the_reading():
    invoice = load_grammar(ROOT / "grammars" / "invoice.grxml")
    assert readings_of([hypothesis("за март")], invoice)[0].month == 3
    assert readings_of([hypothesis("последната")], invoice)[0].ordinal == -1


def test_no_hypothesis_at_all_is_not_understood():
    assert readings_of([], MENU) == [Reading("", 0.0)]


@given(
    st.lists(st.tuples(st.sampled_from(["край", "помощ", "[unk]", "не", "повтори"]), st.floats(-500, 500)), min_size=1)
)
def test_confidences_are_shares_of_one(found):
    readings = readings_of([hypothesis(text, score) for text, score in found], MENU)
    assert all(0.0 <= reading.confidence <= 1.0 for reading in readings)
    assert sum(reading.confidence for reading in readings) <= 1.0 + 1e-9
    assert len({(reading.digits, reading.intent) for reading in readings}) == len(readings)
