"""The bot's own ears, turned to what the bot says: which sum a caller was told."""

import shutil
from pathlib import Path

from voicebot.acoustics.graph import compile_model
from voicebot.audio.sound import TELEPHONE_RATE_HZ, Sound
from voicebot.hearing.confidence import UNKNOWN_WORD
from voicebot.hearing.vosk_recognizer import VoskRecognizer
from voicebot.language.letter_to_sound import pronounce

SHIPPED = Path(__file__).parents[1] / "models" / "bg-telephone"
SUM = "на обща стойност четиридесет и пет евро и тридесет цента"
"""What the customer 300000000001 owes."""
TOLD_S = 9
"""Longer than it takes to say any sum of the grammar."""


def ears_for_sums(folder: Path) -> VoskRecognizer:
    """A recogniser with a grammar of all sums below a hundred euros, made in an empty folder."""
    model, lexicon = folder / "model", folder / "lexicon"
    lexicon.mkdir()
    for part in ("am", "conf"):
        shutil.copytree(SHIPPED / part, model / part)
    shutil.copy(SHIPPED / "graphs.toml", model)
    words = set("имате неплатени фактури на обща стойност евро и цента един едно два две".split())
    words |= set("три четири пет шест седем осем девет десет".split())
    words |= set("двадесет тридесет четиридесет петдесет шестдесет седемдесет осемдесет деветдесет".split())
    lines = [f"{word}\t{' '.join(phones)}\n" for word in sorted(words) for phones in pronounce(word)]
    (lexicon / "sums.tsv").write_text("".join(lines), encoding="utf-8")
    compile_model(model, [Path(__file__).with_name("sum.grxml")], lexicon)
    return VoskRecognizer(model)


def sum_heard(recognizer: VoskRecognizer, sound: Sound, begin_ms: float) -> str:
    """The known words of what was told from `begin_ms` on."""
    begin = max(0, int(begin_ms * sound.rate_hz / 1000))
    told = Sound(sound.samples[begin : begin + TOLD_S * sound.rate_hz], sound.rate_hz)
    stream = recognizer.stream("sum")
    for frame in told.resampled(TELEPHONE_RATE_HZ).frames():
        stream.accept(frame)
    return " ".join(word for word in stream.hypotheses()[0].words if word != UNKNOWN_WORD)
