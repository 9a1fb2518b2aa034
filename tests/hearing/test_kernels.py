"""Kernels are chosen by what the processor can do, and only while Vosk is loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from voicebot.hearing.kernels import suitable_kernels

ABLE = "processor : 0\nflags\t\t: fpu sse3 avx512f avx512cd avx512bw avx512dq avx512vl\n"


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)


def written(folder: Path, text: str) -> Path:
    path = folder / "cpuinfo"
    path.write_text(text, encoding="ascii")
    return path


def test_a_processor_with_avx512_gets_its_kernels_for_a_while(tmp_path: Path) -> None:
    with suitable_kernels(written(tmp_path, ABLE)):
        assert os.environ["OPENBLAS_CORETYPE"] == "SkylakeX"
    assert "OPENBLAS_CORETYPE" not in os.environ


@pytest.mark.parametrize("text", [ABLE.replace("avx512vl", "avx2"), "", "model name : a processor without flags\n"])
def test_any_other_processor_is_left_to_the_library(tmp_path: Path, text: str) -> None:
    with suitable_kernels(written(tmp_path, text)):
        assert "OPENBLAS_CORETYPE" not in os.environ


def test_a_machine_that_tells_nothing_is_left_to_the_library(tmp_path: Path) -> None:
    with suitable_kernels(tmp_path / "missing"):
        assert "OPENBLAS_CORETYPE" not in os.environ


def test_what_the_operator_chose_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    with suitable_kernels(written(tmp_path, ABLE)):
        assert os.environ["OPENBLAS_CORETYPE"] == "Haswell"
    assert os.environ["OPENBLAS_CORETYPE"] == "Haswell"


def test_vosk_itself_says_that_it_has_them() -> None:
    with suitable_kernels():
        wanted = os.environ.get("OPENBLAS_CORETYPE")
    if wanted is None:
        pytest.skip("this processor has no AVX-512")
    program = "import voicebot.hearing.vosk_recognizer"
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "OPENBLAS_VERBOSE": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"Core: {wanted}" in told.stderr + told.stdout
    assert "Prescott" not in told.stderr + told.stdout
