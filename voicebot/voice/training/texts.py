"""What a voice says for its training: the bot's own phrases, and sentences that hold all sounds in all neighbourhoods.

Nothing of others is copied: the phrases come from the catalogue, words from a word list, and they stand in sentences
of our own (`carriers.toml`).
"""

from __future__ import annotations

import heapq
import random
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import resources
from itertools import islice, pairwise
from pathlib import Path

from rich.progress import track

from voicebot.acoustics.texts import text_source
from voicebot.billing.identifier import DEFAULT_SCHEMES
from voicebot.billing.store import Money
from voicebot.dialog.actions import Counted, Day, OneOf, Prompt, Slot
from voicebot.dialog.catalogue import Catalogue
from voicebot.errors import VoicebotError
from voicebot.language import dates, numbers
from voicebot.voice.phonemes import phonemize, stress_table
from voicebot.voice.synthesizer import split_sentences

Pair = tuple[str, str]
"""Two symbols of IPA one behind the other; a gap between words and a punctuation mark are symbols too."""

_BORN = datetime(2024, 1, 1, tzinfo=dates.LOCAL_TIME)
_DIGIT_WORDS = frozenset(numbers.digits("0123456789"))
_STRESS = re.compile("[ˈˌ]")


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence or phrase, spoken in one piece."""

    words: str
    number: int = 0
    """Its place among all."""

    @property
    def file(self) -> str:
        """Name of its recording."""
        return f"{self.number:05}.wav"

    @property
    def digits(self) -> bool:
        """Whether it is made of digits alone, as a part of a number that is read back."""
        return _DIGIT_WORDS >= set(re.findall(r"\w+", self.words.lower()))


def texts(own: int, general: int, word_list: Path, seed: int = 1, *, candidates: int = 40_000) -> list[str]:
    """What is spoken, in random order: `own` phrases of the bot (its fixed ones at least) and `general` sentences.

    Args:
        own: phrases of the bot.
        general: other sentences; more if so many are needed for the pairs.
        word_list: words, one a line.
        seed: of everything random.
        candidates: sentences of which those that cover all pairs of sounds are chosen.

    Raises:
        VoicebotError: the word list is missing.
    """
    rng = random.Random(seed)
    try:
        vocabulary = text_source([], word_list).vocabulary
    except OSError as error:
        raise VoicebotError(
            f"The word list {word_list} cannot be read ({error.strerror}): apt-get install wbulgarian, or name another "
            "by --word-list."
        ) from None
    carriers = _carriers()
    drawn = [rng.choice(carriers) for _ in range(candidates)]
    filled = [carrier.format(*rng.choices(vocabulary, k=carrier.count("{}"))) for carrier in drawn]
    pool = dict.fromkeys(words[0].upper() + words[1:] for words in filled)
    pairs = {words: pairs_of(words) for words in track(pool, description="sounds of sentences")}
    covering = cover(pairs)
    chosen = islice(dict.fromkeys([*covering, *pairs]), max(general, len(covering)))
    found = [*chosen, *islice(own_phrases(rng), own)]
    rng.shuffle(found)
    return found


def own_phrases(rng: random.Random) -> Iterator[str]:
    """The phrases of the bot without end, none twice: the fixed ones by turns with those of random values."""
    said: set[str] = set()
    for phrase in _phrases(rng):
        for words in split_sentences(phrase):
            if words not in said:
                said.add(words)
                yield words


def pairs_of(words: str) -> frozenset[Pair]:
    """The pairs of neighbouring sounds in a text as Piper will see it; stress makes no other sound."""
    ipa = " ".join(phonemize(words, "bg", stress_table()))
    return frozenset(pairwise(_STRESS.sub("", f" {ipa} ")))


def cover(pairs: Mapping[str, frozenset[Pair]], times: int = 4) -> list[str]:
    """Texts that hold every pair of all texts `times` times, or as often as there is: always that with most gain next.

    Args:
        pairs: texts and the pairs in each.
        times: how often a pair is wanted.
    """
    wanted = {pair: times for held in pairs.values() for pair in held}
    count = Counter[Pair]()

    def gain(words: str) -> int:
        return sum(count[pair] < wanted[pair] for pair in pairs[words])

    chosen = []
    queue = [(-len(held), place, words) for place, (words, held) in enumerate(pairs.items())]
    heapq.heapify(queue)
    while queue:
        _, place, words = heapq.heappop(queue)
        now = gain(words)  # it can only have fallen
        if queue and now and now < -queue[0][0]:
            heapq.heappush(queue, (-now, place, words))
        elif now:
            chosen.append(words)
            count.update(pairs[words])
    return chosen


def _phrases(rng: random.Random) -> Iterator[str]:
    told, keyed = Catalogue.load("bg"), Catalogue.load("bg", keys_only=True)
    valued = _with_values(told, rng)
    for phrase in (*told.fixed, *keyed.fixed):
        yield phrase.text
        yield next(valued)
    yield from valued


def _with_values(catalogue: Catalogue, rng: random.Random) -> Iterator[str]:
    names = sorted(name for name in catalogue.names if catalogue.slots(name))
    while True:
        name = rng.choice(names)
        slots = {slot: _value(type_, rng) for slot, type_ in catalogue.slots(name).items()}
        prompt = Prompt(name, slots, rng.randrange(catalogue.variants(name)))
        yield from (phrase.text for phrase in catalogue.phrases(prompt))


def _value(type_: str, rng: random.Random) -> Slot:
    """A random value of a slot's type."""
    match type_:
        case "digits":
            return DEFAULT_SCHEMES.parse("".join(rng.choices("0123456789", k=rng.choice((7, 12)))))
        case "money":
            whole = rng.choice((rng.randrange(100), rng.randrange(100, 1000), rng.randrange(1000, 10_000)))
            return Money(whole + Decimal(rng.randrange(100)) / 100, "EUR")
        case "date":
            return Day((_BORN + timedelta(days=rng.randrange(3650))).date(), with_year=rng.random() < 0.3)
        case "time":
            return _BORN + timedelta(minutes=rng.randrange(365 * 24 * 60))
        case "choice":
            return OneOf(sorted(rng.sample(range(6, 14), 2)))
    return Counted(rng.randrange(1, 21), type_)


def _carriers() -> Sequence[str]:
    text = resources.files(__package__).joinpath("carriers.toml").read_text(encoding="utf-8")
    sentences: list[str] = tomllib.loads(text)["sentences"]
    return sentences
