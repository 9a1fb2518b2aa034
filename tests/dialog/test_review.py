from pathlib import Path

from voicebot.dialog.catalogue import Catalogue
from voicebot.dialog.review import review

DOCUMENT = Path(__file__).parents[2] / "docs" / "prompts.md"


def test_the_document_shows_what_the_bot_says_now() -> None:
    written = DOCUMENT.read_text(encoding="utf-8")
    assert written[written.index("## Speech and keys") :].strip() == review("bg"), "run: voicebot prompts"


def test_every_prompt_is_in_the_review_of_an_operators_file_too(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('language = "en"\n[prompts]\ngoodbye = "See you."\n')
    shown = review(str(mine))
    assert "| `goodbye` | See you. |" in shown and "Bulgarian" not in shown
    assert all(f"| `{name}` |" in shown for name in Catalogue.load("en").names)
