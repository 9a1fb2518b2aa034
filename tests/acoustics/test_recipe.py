"""The recipe makes what is missing, in several processes, and joins words as they are said."""

import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra: pip install -e '.[train]'")

import torch
from threadpoolctl import threadpool_info

from voicebot.acoustics.recipe import in_processes, join, speech_bounds
from voicebot.acoustics.speech import SPEECH_RATE_HZ, Utterance


def _word(spoken_s: float) -> Utterance:
    samples = np.full(int((spoken_s + 0.4) * SPEECH_RATE_HZ), 1000, np.int16)
    segments = ((0.0, "SIL"), (0.2, "d"), (0.2 + spoken_s / 2, "a"), (0.2 + spoken_s, "SIL"))
    return Utterance(samples, (), "one", "words", "да", segments)


def test_all_work_is_done_by_several_processes(tmp_path: Path) -> None:
    targets = [tmp_path / str(number) for number in range(5)]
    assert len(list(in_processes(Path.touch, targets, 2))) == 5
    assert all(target.exists() for target in targets)


def test_what_goes_wrong_in_a_process_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        list(in_processes(Path.mkdir, [tmp_path], 2))


def _write_threads(path: Path) -> None:
    numbers = [torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())]
    path.write_text(" ".join(map(str, numbers)), encoding="ascii")


def test_each_process_computes_with_one_thread(tmp_path: Path) -> None:
    torch.set_num_threads(2)
    targets = [tmp_path / str(number) for number in range(2)]
    list(in_processes(_write_threads, targets, 2))
    assert {number for target in targets for number in target.read_text(encoding="ascii").split()} == {"1"}


def test_speech_lies_between_its_pauses() -> None:
    assert speech_bounds(_word(0.5)) == pytest.approx((0.2, 0.7))


def test_joined_words_keep_their_phones_and_lose_their_pauses() -> None:
    joined = join([_word(0.5), _word(0.3)], random.Random(1))
    phones = [phone for _, phone in joined.segments]
    assert phones == ["d", "a", "SIL", "d", "a", "SIL"]
    assert joined.segments[1][0] == pytest.approx(0.25)
    assert len(joined.samples) / SPEECH_RATE_HZ <= 0.8 + 2 * 0.4
