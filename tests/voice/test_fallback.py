from collections.abc import Callable

import pytest
from structlog.testing import CapturingLogger

from tests.fakes.synthesizer import FakeSynthesizer
from voicebot.audio.sound import Sound
from voicebot.voice.fallback import FallbackSynthesizer
from voicebot.voice.synthesizer import SynthesisFailed, Synthesizer, VoiceUnavailable


class Broken(FakeSynthesizer):
    """Speaks once; then its engine fails."""

    def synthesize(self, text: str, language: str = "bg", *, emphasis: bool = False) -> Sound:
        if self.spoken:
            self.spoken.append((text, language))
            raise RuntimeError(f"onnx: cannot run {text}")
        return super().synthesize(text, language, emphasis=emphasis)


def missing() -> Synthesizer:
    raise VoiceUnavailable("The voice x is not here yet: fetch it.")


def chain(*voices: Synthesizer | Callable[[], Synthesizer]) -> FallbackSynthesizer:
    return FallbackSynthesizer(
        [
            (f"voice-{i}", voice if callable(voice) else lambda voice=voice: voice)  # type: ignore[misc]
            for i, voice in enumerate(voices)
        ]
    )


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
    logger = CapturingLogger()
    monkeypatch.setattr("voicebot.voice.fallback.log", logger)
    return logger


def test_while_the_chosen_voice_works_no_other_speaks(log: CapturingLogger) -> None:
    one, two = FakeSynthesizer(name="one"), FakeSynthesizer(name="two")
    voices = chain(one, two)
    voices.synthesize("да")
    assert (one.texts, two.texts, voices.name, voices.failure) == (["да"], [], "one", "")
    assert "voice" not in str(log.calls)


def test_a_voice_that_is_missing_at_the_start_is_replaced_and_the_log_says_so(
    log: CapturingLogger,
) -> None:
    voices = chain(missing, FakeSynthesizer(name="two"))
    assert voices.name == "two" and "not here yet" in voices.failure
    logged = str(log.calls)
    assert "voice replaced" in logged and "voice-1" in logged and "not here yet" in logged


def test_a_voice_that_fails_in_a_call_is_replaced_for_good_and_its_words_stay_out_of_the_log(
    log: CapturingLogger,
) -> None:
    broken, two = Broken(name="one"), FakeSynthesizer(name="two")
    voices = chain(broken, two)
    for text in ("да", "три нула нула", "не"):
        voices.synthesize(text)
    assert two.texts == ["три нула нула", "не"] and len(broken.spoken) == 2
    logged = str(log.calls)
    assert logged.count("voice replaced") == 1 and "нула" not in logged


def test_a_text_that_one_voice_cannot_speak_is_spoken_by_the_next_and_the_voice_stays() -> None:
    one, two = FakeSynthesizer(name="one", fails_on="щ"), FakeSynthesizer(name="two")
    voices = chain(one, two)
    voices.synthesize("още")
    voices.synthesize("да")
    assert two.texts == ["още"] and one.texts[-1] == "да" and voices.name == "one"


def test_emphasis_reaches_whoever_speaks() -> None:
    voice = FakeSynthesizer()
    FallbackSynthesizer([("fake", lambda: voice)]).synthesize("да", emphasis=True)
    assert voice.emphasised == ["да"]


def test_when_no_voice_works_the_sentence_of_the_chosen_one_is_told() -> None:
    with pytest.raises(VoiceUnavailable, match="fetch it"):
        chain(missing, missing)
    nobody = chain(FakeSynthesizer(fails_on="щ"), FakeSynthesizer(fails_on="щ"))
    with pytest.raises(SynthesisFailed):
        nobody.synthesize("още")
    with pytest.raises(VoiceUnavailable, match="RuntimeError"):
        alone = chain(Broken())
        alone.synthesize("да")
        alone.synthesize("не")
