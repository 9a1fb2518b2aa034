"""The reviewed table of what Bulgarian says for a value: kind, value and words, one case a line in `spoken.tsv`."""

from pathlib import Path

CASES: list[tuple[str, str, str]] = []
for _line in Path(__file__).with_name("spoken.tsv").read_text(encoding="utf-8").splitlines()[1:]:
    _kind, _value, _words = _line.split("\t")
    CASES.append((_kind, _value, _words))


def of_kind(kind: str) -> dict[str, str]:
    return {value: words for kind_, value, words in CASES if kind_ == kind}
