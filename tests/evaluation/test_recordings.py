from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.fakes.sound import speechlike
from voicebot.audio.wav import write_wav
from voicebot.evaluation.recordings import SetError, read_set, read_sound


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_wav(tmp_path / "a.wav", speechlike(300))
    return tmp_path


def table(folder: Path, content: str, name: str = "index.tsv") -> Path:
    (folder / name).write_text(content, encoding="utf-8")
    return folder


def test_a_table_says_what_is_said_by_whom_over_what(folder: Path) -> None:
    [row] = read_set(
        table(folder, "path\ttext\tdigits\tvoice\tline\tsnr\tkind\na.wav\tтри нула\t30\tIvan\tA-law\t20\thuman\n")
    )
    assert (row.path, row.text, row.digits) == (folder / "a.wav", "три нула", "30")
    assert (row.voice, row.line, row.snr, row.kind) == ("Ivan", "A-law", "20", "human")
    assert row.intent is None and row.grammar is None


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_table_may_be_csv_with_commas_or_semicolons(folder: Path, separator: str) -> None:
    table(folder, f'path{separator}text\r\na.wav{separator}"три, нула"\r\n', "index.csv")
    [row] = read_set(folder / "index.csv")
    assert row.text == "три, нула" and row.digits is None


def test_a_quotation_mark_in_a_table_with_tabs_is_a_sign_like_others(folder: Path) -> None:
    [row] = read_set(table(folder, 'path\ttext\na.wav\t"три\n'))
    assert row.text == '"три'


def test_digits_may_stand_in_groups(folder: Path) -> None:
    [row] = read_set(table(folder, "path\tdigits\na.wav\t300 000-001\n"))
    assert row.digits == "300000001" and row.text is None


def test_a_data_set_of_common_voice_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    soundfile.write(tmp_path / "clips" / "x.mp3", np.zeros(16000), 16000)
    content = "client_id\tpath\tsentence\tup_votes\nabc\tx.mp3\tТри нула.\t2\n"
    [row] = read_set(table(tmp_path, content, "validated.tsv"))
    assert row.voice == "abc" and row.text == "Три нула." and row.path == tmp_path / "clips" / "x.mp3"
    assert read_sound(row.path).duration_ms == pytest.approx(1000, abs=100)


def test_a_code_has_letters_too(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", speechlike(500))
    (tmp_path / "index.tsv").write_text("path\tdigits\tgrammar\na.wav\tA5 BE23\tcode\n", encoding="utf-8")
    assert read_set(tmp_path)[0].digits == "A5BE23"


@pytest.mark.parametrize(
    "content, reason",
    [
        ("file\ttext\na.wav\tда\n", 'lacks the column "path"'),
        ("path\tvoice\na.wav\tIvan\n", '"text" and "digits"'),
        ("path\ttext\n", "is empty"),
        ("", 'lacks the column "path"'),
        ("path\ttext\nb.wav\tда\n", "line 2: there is no file"),
        ("path\ttext\n\tда\n", "line 2: the path is missing"),
        ("path\tdigits\na.wav\tтри\n", "something else than digits"),
        ("path\tdigits\na.wav\tA5BE23\n", "something else than digits"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_in_one_sentence(folder: Path, content: str, reason: str) -> None:
    with pytest.raises(SetError, match=reason):
        read_set(table(folder, content))


def test_a_folder_without_a_table_and_a_path_to_nowhere_are_told(tmp_path: Path) -> None:
    with pytest.raises(SetError, match=r"has no index\.tsv"):
        read_set(tmp_path)
    with pytest.raises(SetError, match="does not exist"):
        read_set(tmp_path / "nowhere")


def test_a_table_in_another_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "index.tsv").write_bytes("path\ttext\na.wav\tда\n".encode("cp1251"))
    with pytest.raises(SetError, match="UTF-8"):
        read_set(tmp_path)


def test_what_is_no_sound_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_text("no sound")
    with pytest.raises(SetError, match="cannot be read as sound"):
        read_sound(tmp_path / "a.flac")
    soundfile.write(tmp_path / "b.aiff", np.zeros(0), 16000)
    with pytest.raises(SetError, match="holds no sound"):
        read_sound(tmp_path / "b.aiff")


def test_what_is_said_does_not_stand_in_the_text_form_of_a_recording(folder: Path) -> None:
    [row] = read_set(table(folder, "path\ttext\tdigits\na.wav\tтри нула\t30\n"))
    assert "30" not in repr(row).replace(str(folder), "") and "три" not in repr(row)
