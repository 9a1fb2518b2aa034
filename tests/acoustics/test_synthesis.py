"""Synthetic speech for training says what its words say."""

from voicebot.acoustics.speech import SPEECH_RATE_HZ
from voicebot.acoustics.synthesis import NeighbourSpeech
from voicebot.language.phones import SPEECH_PHONES
from voicebot.voice.kokoro import mix_styles, style_names


def test_neighbours_digits_have_a_word_each_and_phones_of_the_set() -> None:
    speak = NeighbourSpeech({name: mix_styles(name) for name in style_names()}, threads=2)
    for utterance in speak(7, 2):
        language, *digits = utterance.text.split()
        assert language in ("uk", "ru", "mk", "sr", "sl", "cs", "sk", "pl")
        assert len(utterance.words) == len(digits)
        assert {phone for word in utterance.words for phone in word[0]} <= SPEECH_PHONES
        assert 0.1 < len(utterance.samples) / SPEECH_RATE_HZ / len(digits) < 1.5
