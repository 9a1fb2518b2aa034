"""A recognition model with graphs for the digits of another language, to hear people whose Bulgarian there is not."""

from __future__ import annotations

import shutil
from pathlib import Path

from voicebot.acoustics.graph import compile_model

LEXICA = Path(__file__).parent / "lexica"


def foreign_model(model: Path, language: str, folder: Path) -> Path:
    """`model` with the graphs "digit" and "string" (seven digits) of a language, written into `folder`.

    Their settings are those of the graph "identifier", in whose place they stand.
    """
    words: dict[str, str] = {}
    for row in (LEXICA / language / "digits.tsv").read_text(encoding="utf-8").splitlines():
        if row and not row.startswith("#"):
            words.setdefault(row.split("\t")[0], str(len(words)))
    shutil.copytree(model / "am", folder / "am")
    shutil.copytree(model / "conf", folder / "conf")
    text = (model / "graphs.toml").read_text(encoding="utf-8")
    settings = text.partition("[identifier]")[2].partition("\n[")[0]
    (folder / "graphs.toml").write_text(f"{text}\n[digit]{settings}\n[string]{settings}\n", encoding="utf-8")
    items = "".join(f"<item>{word}<tag>digits:{digit}</tag></item>" for word, digit in words.items())
    for name, repeat in (("digit", "1"), ("string", "7")):
        (folder / f"{name}.grxml").write_text(
            f'<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="{language}" mode="voice" '
            f'root="u" tag-format="voicebot/1.0"><rule id="u" scope="public"><item repeat="{repeat}">'
            f"<one-of>{items}</one-of></item></rule></grammar>",
            encoding="utf-8",
        )
    compile_model(folder, folder.glob("*.grxml"), LEXICA / language)
    return folder
