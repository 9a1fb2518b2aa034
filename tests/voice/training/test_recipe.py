"""The recipe of a voice goes on where it was left, keeps what was heard rightly, and says what is wrong."""

import csv
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import soundfile

from voicebot.audio.sound import Sound
from voicebot.audio.wav import write_wav
from voicebot.voice.training import speech
from voicebot.voice.training.recipe import SMOKE, Recipe, main
from voicebot.voice.training.texts import Text

pytestmark = pytest.mark.usefixtures("room")

TEXTS = ("нула осем две,", "Имате една неплатена фактура.", "Повтарям.", "да")


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is large enough."""
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1e12))


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "texts.txt").write_text("".join(f"{words}\n" for words in TEXTS), encoding="utf-8")
    return Recipe(tmp_path, "jm_kumo", "x_low", tmp_path / "a.onnx", tmp_path / "none", SMOKE, 1, 1, None)


def _say(folder: Path, text: Text) -> None:
    write_wav(folder / text.file, Sound.silence(200 if text.words == "да" else 1000, 16_000))


def _render(fails_after: int = len(TEXTS)) -> Callable[[str, int, Path, Text], None]:
    done: list[Text] = []

    def render(style: str, rate_hz: int, folder: Path, text: Text) -> None:
        if len(done) == fails_after:
            raise KeyboardInterrupt
        done.append(text)
        _say(folder, text)

    return render


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicebot.voice.kokoro.KokoroVoice.load", lambda self: None)


@pytest.mark.usefixtures("no_model")
def test_rendering_goes_on_where_it_was_interrupted(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "render", _render(fails_after=1))
    with pytest.raises(KeyboardInterrupt):
        recipe.render()
    monkeypatch.setattr(speech, "render", _render())
    assert recipe.render() == "3 rendered"
    assert recipe.render() == "0 rendered"


def test_nothing_is_listened_to_twice_but_a_line_that_was_cut_off(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "hear", lambda folder, text: (text, 0.25, "каквото се чу"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: SimpleNamespace())
    (recipe.work / "heard.tsv").write_text("00000.wav\t0.000\tнула осем две\n00001.w\n", encoding="utf-8")
    assert recipe.check() == "3 heard"
    assert recipe.check() == "0 heard"


def test_without_whisper_digits_alone_are_heard_and_that_is_said(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "hear", lambda folder, text: (text, 0.0, text.words))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert recipe.check().startswith("1 heard, digits alone")


@pytest.fixture
def heard(recipe: Recipe) -> Recipe:
    """Everything rendered; one recording was heard wrongly, one is too short, one was not listened to."""
    wavs = recipe.work / "dataset" / "wavs"
    wavs.mkdir(parents=True)
    for number, words in enumerate(TEXTS):
        _say(wavs, Text(words, number))
    lines = ("00000.wav\t0.000\tнула осем две", "00002.wav\t0.900\tдруго", "00003.wav\t0.000\tда")
    (recipe.work / "heard.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return recipe


def test_the_dataset_is_laid_out_as_piper_reads_it(heard: Recipe) -> None:
    said = heard.dataset()
    folder = heard.work / "dataset"
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="|"))
    assert [name for name, _ in rows] == ["00000.wav", "00001.wav"]
    assert rows[1][1].replace("\u0300", "").lower() == TEXTS[1].lower()
    assert all((folder / "wavs" / name).is_file() for name, _ in rows)
    assert said.startswith("2 of 4 recordings kept")
    assert said.endswith("dropped: 1 heard wrongly, 1 too short; not listened to: 1")


def test_the_dataset_travels_in_one_small_file(heard: Recipe, tmp_path: Path) -> None:
    heard.dataset()
    heard.pack()
    there = tmp_path / "there"
    with tarfile.open(heard.work / "dataset.tar") as tar:
        tar.extractall(there, filter="data")
    with (there / "metadata.csv").open(encoding="utf-8", newline="") as file:
        names = [name for name, _ in csv.reader(file, delimiter="|")]
    assert names == ["00000.opus", "00001.opus"]
    assert [soundfile.info(there / "wavs" / name).duration for name in names] == pytest.approx([1.0, 1.0], abs=0.01)


@pytest.mark.parametrize(
    ("words", "heard", "rate"),
    [
        ("Дължите два евро.", "дължите 2 евро", 1 / 14),
        ("нула осем", "нула, осем!", 0.0),
        ("да", "", 1.0),
    ],
)
def test_figures_and_punctuation_are_no_errors(words: str, heard: str, rate: float) -> None:
    assert speech.error_rate(words, heard) == pytest.approx(rate)


@pytest.mark.usefixtures("no_model")
def test_an_unknown_style_is_told_with_those_there_are(recipe: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--work", str(recipe.work), "--style", "nobody", "--only", "render"]) == 1
    assert capsys.readouterr().err.startswith("Kokoro has no style 'nobody': take one of")


def test_a_full_disk_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=5e6))
    assert main(["--work", str(tmp_path / "new")]) == 1
    assert "has room for 5 MB and the recipe needs" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_training_without_the_extra_says_how_to_install_it(
    heard: Recipe, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    heard.dataset()
    monkeypatch.delitem(sys.modules, "voicebot.voice.training.network", raising=False)
    monkeypatch.delattr(sys.modules["voicebot.voice.training"], "network", raising=False)
    monkeypatch.setitem(sys.modules, "lightning", None)
    assert main(["--work", str(heard.work), "--only", "train"]) == 1
    assert capsys.readouterr().err == "lightning is missing, which trains a voice: pip install -e '.[voice-train]'.\n"


@pytest.mark.parametrize(("stage", "sentence"), [("train", "There is no dataset in"), ("export", "There is no checkp")])
def test_a_stage_whose_input_is_missing_says_so(
    stage: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--work", str(tmp_path), "--only", stage]) == 1
    assert capsys.readouterr().err.startswith(sentence)
