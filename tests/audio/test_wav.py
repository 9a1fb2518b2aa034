import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicebot.audio.sound import Sound
from voicebot.audio.wav import UnreadableWav, parse_wav, read_wav, to_wav, write_wav
from voicebot.errors import VoicebotError

TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW"])
@pytest.mark.parametrize("rate_hz", [8000, 11025, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_width_rate_and_channel_count_is_read(tmp_path: Path, subtype: str, rate_hz: int, channels: int) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate_hz) / rate_hz)
    soundfile.write(tmp_path / "a.wav", np.tile(tone[:, None], channels), rate_hz, subtype=subtype)
    sound = read_wav(tmp_path / "a.wav")
    assert sound.rate_hz == rate_hz
    assert np.abs(sound.samples / 32767 - tone).max() < 0.03


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", Sound.from_float(TONE, 8000))
    assert np.array_equal(read_wav(tmp_path / "a.wav").samples, Sound.from_float(TONE, 8000).samples)


def test_a_streamed_wav_without_a_known_length_is_read() -> None:
    content = bytearray(to_wav(Sound.from_float(TONE, 8000)))
    content[40:44] = struct.pack("<I", 0xFFFFFFFF)
    assert len(parse_wav(bytes(content)).samples) == 8000


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "is empty"),
        (b"hello, this is text", "is not a WAV file"),
        (b"RIFF\x00\x00\x00\x00WAVE", "cut off"),
        (to_wav(Sound.from_float(TONE, 8000))[:5000], "cut off"),
        (to_wav(Sound.from_float(TONE, 8000))[:30], "cut off"),
        (to_wav(Sound(np.zeros(0, np.int16), 8000)), "holds no sound"),
    ],
)
def test_a_bad_file_gets_one_sentence_that_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "bad.wav").write_bytes(content)
    with pytest.raises(UnreadableWav, match=reason) as caught:
        read_wav(tmp_path / "bad.wav")
    assert str(caught.value).endswith(".") and "bad.wav" in str(caught.value)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UnreadableWav, match="does not exist"):
        read_wav(tmp_path / "none.wav")
    with pytest.raises(UnreadableWav, match="cannot be read"):
        read_wav(tmp_path)


def test_nothing_is_left_where_a_wav_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(VoicebotError, match="cannot be written"):
        write_wav(tmp_path / "missing" / "a.wav", Sound.silence(10))
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(VoicebotError, match="cannot be written"):
        write_wav(tmp_path / "folder.wav", Sound.silence(10))
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.wav"]
