"""Phone error rate of the letter-to-sound rules against pronunciation dictionaries that others made.

Run: python benchmarks/pronunciation.py DICTIONARY… (a word and its phones in IPA on each line, as MFA writes them).
The dictionary's phones are mapped to the phone set; of a word's pronunciations the nearest counts. The first figure
leaves "a" and schwa apart, which depends on the stress that spelling does not show; the second takes them as one.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from voicebot.language.letter_to_sound import Unpronounceable, pronounce
from voicebot.language.phones import PHONES

_SIGNS = {sign: phone.name for phone in PHONES[3:] for sign in (phone.name, *phone.covers.split())}
_DIACRITICS = re.compile("[\u032a\u0361ː]")


def phones_of(ipa: str) -> tuple[str, ...]:
    """The phones of a pronunciation in IPA; a palatalised consonant gets "j" before a back vowel."""
    signs = [_DIACRITICS.sub("", sign) for sign in ipa.split()]
    result: list[str] = []
    for sign, following in zip(signs, [*signs[1:], ""], strict=True):
        palatal = sign.endswith("ʲ") or sign in ("ʎ", "c", "ɟ", "ɲ", "ç")
        base = {"ɟ": "g", "ç": "x"}.get(sign, sign.rstrip("ʲ"))
        result.append(_SIGNS[base].removesuffix("ʲ"))
        if palatal and following[:1] in ("a", "ɤ", "o", "ɔ", "u"):
            result.append("j")
    return tuple(result)


def main() -> None:
    for path in map(Path, sys.argv[1:]):
        words: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        for line in path.read_text(encoding="utf-8").splitlines():
            word, _, ipa = line.partition("\t")
            ipa = ipa.split("\t")[-1]
            if re.fullmatch("[а-я]+", word) and "spn" not in ipa:
                words[word].append(phones_of(ipa))
        errors, merged_errors, phones, confusions = 0, 0, 0, Counter[tuple[str, ...]]()
        for word, theirs in words.items():
            try:
                ours = pronounce(word)
            except Unpronounceable as error:
                print(error)
                continue
            merge = [tuple("a" if phone == "ɐ" else phone for phone in p) for p in ours]
            merged = [tuple("a" if phone == "ɐ" else phone for phone in p) for p in theirs]
            distance, mine, yours = min((Levenshtein.distance(a, b), a, b) for a in merge for b in merged)
            errors += min(Levenshtein.distance(a, b) for a in ours for b in theirs)
            merged_errors += distance
            phones += len(yours)
            for edit in Levenshtein.editops(mine, yours):
                wrong = mine[edit.src_pos] if edit.tag != "insert" else "-"
                right = yours[edit.dest_pos] if edit.tag != "delete" else "-"
                confusions[wrong, right, word] += 1
        by_pair = Counter[tuple[str, str]]()
        example: dict[tuple[str, str], str] = {}
        for (wrong, right, word), count in confusions.items():
            by_pair[wrong, right] += count
            example.setdefault((wrong, right), word)
        print(
            f"{path.name}: {len(words)} words, {phones} phones, error rate {errors / phones:.2%}, "
            f"with a and schwa as one {merged_errors / phones:.2%}"
        )
        for (wrong, right), count in by_pair.most_common(12):
            print(f"  {wrong} for {right}: {count}, as in {example[wrong, right]}")


if __name__ == "__main__":
    main()
