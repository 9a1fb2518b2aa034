import threading
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.synthesizer import FakeSynthesizer
from voicebot.audio.sound import Sound
from voicebot.voice.cache import CachedSynthesizer
from voicebot.voice.synthesizer import SENTENCE_PAUSE_MS, SynthesisFailed, VoiceUnavailable


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.flac"))


def test_a_sentence_is_rendered_once_and_sounds_the_same_from_memory_and_from_disk(tmp_path: Path) -> None:
    voice = FakeSynthesizer(rate_hz=24000)
    cached = CachedSynthesizer(voice, tmp_path)
    first = cached.synthesize("три, нула")
    assert np.array_equal(cached.synthesize("три, нула").samples, first.samples)
    from_disk = CachedSynthesizer(voice, tmp_path).synthesize("три, нула")
    assert np.array_equal(from_disk.samples, first.samples)
    assert from_disk.rate_hz == 24000
    assert voice.texts == ["три, нула"]


def test_another_voice_or_language_has_entries_of_its_own(tmp_path: Path) -> None:
    one, two = FakeSynthesizer(name="one"), FakeSynthesizer(name="two")
    CachedSynthesizer(one, tmp_path).synthesize("да")
    CachedSynthesizer(one, tmp_path).synthesize("да", "en")
    CachedSynthesizer(two, tmp_path).synthesize("да")
    assert one.spoken == [("да", "bg"), ("да", "en")]
    assert two.texts == ["да"]
    assert CachedSynthesizer(one, tmp_path).name == "one"


def test_an_emphasised_sentence_has_an_entry_of_its_own(tmp_path: Path) -> None:
    voice = FakeSynthesizer()
    cached = CachedSynthesizer(voice, tmp_path)
    cached.synthesize("да")
    assert not cached.holds("да", emphasis=True)
    cached.synthesize("да", emphasis=True)
    assert voice.texts == ["да", "да"] and voice.emphasised == ["да"]
    assert cached.holds("да", emphasis=True) and len(files(tmp_path)) == 2


def test_sentences_are_cached_one_by_one_and_joined_with_a_pause(tmp_path: Path) -> None:
    voice = FakeSynthesizer()
    cached = CachedSynthesizer(voice, tmp_path)
    shared = cached.synthesize("Моля, изчакайте.")
    both = cached.synthesize("Свързвам Ви. Моля, изчакайте.")
    assert voice.texts == ["Моля, изчакайте.", "Свързвам Ви."]
    first = cached.synthesize("Свързвам Ви.")
    assert both.duration_ms == first.duration_ms + SENTENCE_PAUSE_MS + shared.duration_ms


def test_the_first_sentence_is_given_before_the_second_is_rendered(tmp_path: Path) -> None:
    voice = FakeSynthesizer()
    parts = CachedSynthesizer(voice, tmp_path).stream("Едно. Две.")
    next(parts)
    assert voice.texts == ["Едно."]
    next(parts)
    assert voice.texts == ["Едно.", "Две."]


def test_neither_names_nor_contents_of_files_tell_the_text(tmp_path: Path) -> None:
    text = "Чух: седем, едно, две."
    for folder in (tmp_path / "a", tmp_path / "b"):
        CachedSynthesizer(FakeSynthesizer(), folder).synthesize(text)
    (a,), (b,) = files(tmp_path / "a"), files(tmp_path / "b")
    assert a.name != b.name, "the key is the folder's own: a name cannot be guessed from a text"
    assert a.read_bytes() == b.read_bytes()
    assert text.encode() not in a.read_bytes()
    assert sorted(entry.name for entry in (tmp_path / "a").iterdir()) == sorted([a.name, "key"])
    assert (tmp_path / "a" / "key").stat().st_mode & 0o077 == 0
    assert a.stat().st_mode & 0o077 == 0


def test_what_is_not_to_be_kept_leaves_no_file(tmp_path: Path) -> None:
    voice = FakeSynthesizer()
    CachedSynthesizer(voice, tmp_path).synthesize("Чух: седем.", keep=False)
    assert files(tmp_path) == []


def test_a_damaged_entry_is_rendered_again_and_mended(tmp_path: Path) -> None:
    voice = FakeSynthesizer()
    good = CachedSynthesizer(voice, tmp_path).synthesize("да")
    (entry,) = files(tmp_path)
    for damage in (b"", b"no sound", entry.read_bytes()[:20]):
        entry.write_bytes(damage)
        assert np.array_equal(CachedSynthesizer(voice, tmp_path).synthesize("да").samples, good.samples)
    assert len(voice.spoken) == 4
    CachedSynthesizer(voice, tmp_path).synthesize("да")
    assert len(voice.spoken) == 4


def test_the_least_recently_used_files_go_first(tmp_path: Path) -> None:
    voice = FakeSynthesizer(ms_per_letter=100)
    CachedSynthesizer(voice, tmp_path).synthesize("аааааааааа")
    size = files(tmp_path)[0].stat().st_size
    cached = CachedSynthesizer(voice, tmp_path, max_bytes=int(size * 3.5), memory_bytes=0)
    for text in ("бббббббббб", "вввввввввв"):
        cached.synthesize(text)
    cached.synthesize("аааааааааа")  # from disk: now the latest of the three
    cached.synthesize("гггггггггг")
    assert sum(path.stat().st_size for path in files(tmp_path)) <= size * 3.5
    assert cached.holds("аааааааааа")
    assert cached.holds("гггггггггг")
    assert not cached.holds("бббббббббб")


def test_memory_is_bounded_too(tmp_path: Path) -> None:
    voice = FakeSynthesizer(ms_per_letter=100)
    cached = CachedSynthesizer(voice, tmp_path, memory_bytes=2 * 16000)
    for text in ("аааааааааа", "бббббббббб", "вввввввввв", "аааааааааа"):
        cached.synthesize(text, keep=False)
    assert voice.texts == ["аааааааааа", "бббббббббб", "вввввввввв", "аааааааааа"]
    cached.synthesize("вввввввввв", keep=False)
    assert len(voice.spoken) == 4


def test_concurrent_wishes_for_one_sentence_share_one_rendering(tmp_path: Path) -> None:
    class Slow(FakeSynthesizer):
        def __init__(self) -> None:
            super().__init__()
            self.begun, self.go_on = threading.Event(), threading.Event()

        def synthesize(self, text: str, language: str = "bg", *, emphasis: bool = False) -> Sound:
            self.begun.set()
            assert self.go_on.wait(10)
            return super().synthesize(text, language, emphasis=emphasis)

    voice = Slow()
    cached = CachedSynthesizer(voice, tmp_path)
    sounds: list[Sound] = []
    threads = [threading.Thread(target=lambda: sounds.append(cached.synthesize("да"))) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert voice.begun.wait(10)
    voice.go_on.set()
    for thread in threads:
        thread.join()
    assert len(sounds) == 5
    assert voice.texts == ["да"]


def test_a_failure_reaches_the_caller_and_the_next_one_tries_again(tmp_path: Path) -> None:
    voice = FakeSynthesizer(fails_on="да")
    cached = CachedSynthesizer(voice, tmp_path)
    for _ in range(2):
        with pytest.raises(SynthesisFailed):
            cached.synthesize("да")
    assert len(voice.spoken) == 2
    assert files(tmp_path) == []
    assert cached.synthesize("не").duration_ms > 0


def test_a_disk_that_cannot_be_written_costs_the_cache_and_not_the_call(tmp_path: Path) -> None:
    cached = CachedSynthesizer(FakeSynthesizer(), tmp_path / "cache")
    (tmp_path / "cache" / "key").unlink()
    (tmp_path / "cache").rmdir()
    assert cached.synthesize("да").duration_ms > 0


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(VoiceUnavailable, match="can be written"):
        CachedSynthesizer(FakeSynthesizer(), tmp_path / "file" / "cache")


def test_a_damaged_key_is_reported(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(VoiceUnavailable, match="is damaged"):
        CachedSynthesizer(FakeSynthesizer(), tmp_path)


def test_holds_asks_for_every_sentence(tmp_path: Path) -> None:
    cached = CachedSynthesizer(FakeSynthesizer(), tmp_path)
    cached.synthesize("Едно.")
    assert cached.holds("Едно.")
    assert not cached.holds("Едно. Две.")
