"""The report of a run as one HTML file that needs nothing else: no network, no other file.

It stays usable with a thousand calls: what is shown of a call is one line until it is opened, waveforms are 25 bytes a
second, and sound is kept for failed calls first, then for others, up to a bound.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from voicebot.audio.sound import TELEPHONE_RATE_HZ, Samples, Sound
from voicebot.errors import VoicebotError
from voicebot.evaluation.report import MEASURES, SPLITS
from voicebot.scenarios.results import failure_text
from voicebot.scenarios.run import Run, Trend

DEFAULT_SOUND_BYTES = 40_000_000
"""Most that the sound of all calls may take in the file."""

PEAK_MS = 40
"""One byte of a waveform stands for this long."""

Sounds = Mapping[int, tuple[Sound, Sound]]
"""By the position of the call: what the caller said and what he heard, at 8 kHz from the beginning of the call."""


def write_page(
    path: Path, run: Run, sounds: Sounds, *, trend: Trend | None = None, sound_bytes: int = DEFAULT_SOUND_BYTES
) -> None:
    """Write the report.

    Args:
        path: of the HTML file.
        run: what is reported.
        sounds: of its calls, as far as there are any.
        trend: against an earlier run.
        sound_bytes: the most that sounds may take; 0 for none.

    Raises:
        VoicebotError: the file cannot be written.
    """
    calls: Sequence[Mapping[str, Any]] = run["calls"]
    kept = _kept(sounds, sorted(sounds, key=lambda i: (calls[i]["passed"], i)), sound_bytes)
    details = [
        {**call, "waves": [_peaks(sound.samples) for sound in sounds[i]] if i in sounds else []}
        for i, call in enumerate(calls)
    ]
    environment = Environment(loader=PackageLoader(__package__, "report"), autoescape=select_autoescape())
    text = environment.get_template("page.html").render(
        run=run,
        trend=trend,
        style=_asset("page.css"),
        script=_asset("page.js"),
        index=_json([_line(call, i in kept) for i, call in enumerate(calls)]),
        details=[_json(detail) for detail in details],
        sounds=kept,
        measures=_measures(run["figures"]),
        splits=_splits(run["figures"]),
        digits=run["figures"].get("by_digit", []),
        confusion=_confusion(run["figures"]),
        peak_ms=PEAK_MS,
    )
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise VoicebotError(f"{path} cannot be written: {error.strerror or error}.") from None


def _kept(sounds: Sounds, order: Sequence[int], most_bytes: int) -> dict[int, str]:
    """The sounds in base64, in this order, up to the first that does not fit any more."""
    kept: dict[int, str] = {}
    if most_bytes <= 0:
        return kept
    with ThreadPoolExecutor() as pool:
        for i, encoded in zip(order, pool.map(lambda i: _compressed(*sounds[i]), order), strict=True):
            text = base64.b64encode(encoded).decode()
            most_bytes -= len(text)
            if most_bytes < 0:
                pool.shutdown(cancel_futures=True)
                break
            kept[i] = text
    return kept


def _asset(name: str) -> Markup:
    return Markup(Path(__file__).with_name("report").joinpath(name).read_text(encoding="utf-8"))


def _json(value: Any) -> Markup:
    """JSON that cannot end the script element it stands in."""
    return Markup(json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))


def _line(call: Mapping[str, Any], has_sound: bool) -> list[Any]:
    """What is known of a call before it is opened."""
    delays = [turn["delay_ms"] for turn in call["turns"] if turn.get("via") == "speech" and turn["delay_ms"]]
    told = [failure_text(failure) for failure in call["failures"]]
    worst = max(delays, default=None)
    known = [call[name] for name in ("name", "leg", "line", "passed", "outcome", "duration_ms")]
    return [*known, worst, told, has_sound, _heard(call)]


def _heard(call: Mapping[str, Any]) -> str:
    """What was understood of the caller, turn by turn."""
    turns = [turn for turn in call["turns"] if "via" in turn]
    return " · ".join(turn["digits"] or turn["intent"] or turn["heard"] or "nothing" for turn in turns)


def _compressed(caller: Sound, bot: Sound) -> bytes:
    """The caller on the left and the bot on the right, as MP3, which every browser plays."""
    size = max(len(caller.samples), len(bot.samples), 1)
    both = np.stack([np.pad(sound.samples, (0, size - len(sound.samples))) for sound in (caller, bot)], axis=1)
    file = io.BytesIO()
    soundfile.write(file, both, TELEPHONE_RATE_HZ, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.9)
    return file.getvalue()


def _peaks(samples: Samples) -> str:
    """The loudest sample of each `PEAK_MS`, on a root scale in which quiet speech is seen, as base64 of bytes."""
    size = TELEPHONE_RATE_HZ * PEAK_MS // 1000
    padded = np.pad(samples, (0, -len(samples) % size)).astype(np.float64)
    loudest = np.abs(padded).reshape(-1, size).max(axis=1) if len(padded) else np.zeros(0)
    return base64.b64encode((np.sqrt(loudest / 32768.0) * 255).astype(np.uint8).tobytes()).decode()


def _measures(figures: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(heading, figures[name]) for name, heading in MEASURES.items() if name in figures]


def _splits(figures: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, list[Any]]], list[str]]]:
    """For each field by which figures are parted: its heading, its lines, and the headings of their cells."""
    found = []
    for name, heading in SPLITS.items():
        parts: Mapping[str, Any] = figures.get(f"by_{name}", {})
        measured = [key for key in ("strings", "digits", "intents") if any(key in part for part in parts.values())]
        if parts and measured:
            rows = [(value or "—", [part.get(key) for key in measured]) for value, part in parts.items()]
            found.append((heading, rows, [MEASURES[key] for key in measured]))
    return found


def _confusion(figures: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for cell in figures.get("confusion", []):
        table.setdefault(cell["said"], {})[cell["heard"]] = cell["count"]
    return table
