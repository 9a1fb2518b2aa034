"""Which kernels the matrix library inside Vosk computes with.

Vosk carries an OpenBLAS that knows no processor younger than itself and takes its slowest kernels there, of SSE3.
`OPENBLAS_CORETYPE` names better ones; it counts while a library is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_VARIABLE = "OPENBLAS_CORETYPE"
_SKYLAKE_X = frozenset({"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"})
"""What a processor must be able to do for the kernels of that name."""


@contextmanager
def suitable_kernels(processor: Path = Path("/proc/cpuinfo")) -> Iterator[None]:
    """Libraries loaded meanwhile use kernels with AVX-512 where the `processor` has it.

    What the environment says of it stays, and libraries loaded afterwards choose for themselves.
    """
    if _VARIABLE in os.environ or not _SKYLAKE_X <= _abilities(processor):
        yield
        return
    os.environ[_VARIABLE] = "SkylakeX"
    try:
        yield
    finally:
        del os.environ[_VARIABLE]


def _abilities(processor: Path) -> frozenset[str]:
    """The processor's flags as Linux tells them; none where it tells nothing."""
    try:
        lines = processor.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return next((frozenset(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), frozenset())
