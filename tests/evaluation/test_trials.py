from pathlib import Path

import pytest

from tests.fakes.recognizer import FakeRecognizer, command, number
from tests.fakes.sound import speechlike
from voicebot.audio.wav import write_wav
from voicebot.evaluation.recordings import Recording
from voicebot.evaluation.scoring import Said
from voicebot.evaluation.trials import hear_all, peak_memory_mb, said_in, words_of
from voicebot.language.srgs import Grammar, load_grammar

GRAMMARS = Path(__file__).parents[2] / "grammars"


def grammar(name: str) -> Grammar:
    return load_grammar(GRAMMARS / f"{name}.grxml")


@pytest.mark.parametrize(
    "text, digits",
    [
        ("три нула", "30"),
        ("Три, нула!", "30"),
        ("30 12", "3012"),
        ("ку̀че", ""),
        ("", ""),
    ],
)
def test_the_digits_of_a_text_are_found_when_the_table_does_not_tell_them(text: str, digits: str) -> None:
    assert said_in(Recording(Path("a.wav"), text), grammar("identifier")).digits == digits


def test_the_table_has_the_last_word(tmp_path: Path) -> None:
    said = said_in(Recording(tmp_path, "три нула", digits="", intent="help"), grammar("identifier"))
    assert said == Said("", "help", ("три", "нула"))


def test_an_answer_is_understood_from_its_words() -> None:
    assert said_in(Recording(Path("a.wav"), "Точно така."), grammar("confirm")).intent == "yes"


def test_an_invoice_is_chosen_by_its_words() -> None:
    assert said_in(Recording(Path("a.wav"), "за месец март"), grammar("invoice")).choice == (None, 3)
    assert said_in(Recording(Path("a.wav"), "последната", digits="", intent=""), grammar("invoice")).choice == (
        -1,
        None,
    )


def test_figures_have_no_words_to_be_held_against() -> None:
    assert said_in(Recording(Path("a.wav"), "1000001"), grammar("identifier")) == Said("1000001", None, None)


def test_words_are_without_case_marks_and_stress() -> None:
    assert words_of("Край, мо̀ля – 5!") == ("край", "моля", "5")


def test_each_recording_is_heard_by_the_grammar_that_it_names(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", speechlike(500))
    recognizer = FakeRecognizer([number("30"), command("yes")])
    recordings = [
        Recording(tmp_path / "a.wav", "три нула", voice="Ivan"),
        Recording(tmp_path / "a.wav", "да", grammar="confirm"),
    ]
    trials = list(hear_all(recognizer, recordings, grammar, "identifier"))
    assert recognizer.grammars == ["identifier", "confirm"]
    assert all(trial.right for trial in trials)
    assert trials[0].voice == "Ivan" and trials[0].sound_s == 0.5 and trials[0].cpu_s >= 0


def test_a_process_of_python_needs_some_memory() -> None:
    assert 5 < peak_memory_mb() < 100_000
