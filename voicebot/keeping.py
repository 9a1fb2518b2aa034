"""Keeps calls, where the settings allow it: the caller's sound, and what happened in words that name no number.

What the bot says is not kept, because it holds sums and numbers; of what a caller says or keys as a number, only how
many digits it had.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from voicebot.audio.wav import write_wav
from voicebot.call import BotTurn, CallRecord
from voicebot.dialog.events import CallerHungUp
from voicebot.errors import VoicebotError
from voicebot.hearing.events import KeysEntered, NoInput, TurnEnded
from voicebot.observation import Observation, Observed

FORMAT = "voicebot-call-1"
CALL_FILE, SOUND_FILE = "call.json", "caller.wav"


class NotACall(VoicebotError):
    """A folder that holds no call that was kept."""


def keep(folder: Path, observation: Observation, record: CallRecord) -> None:
    """Write a call that is over into `folder`, which is made; only its owner can read it.

    Raises:
        VoicebotError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, mode=0o700)
        write_wav(folder / SOUND_FILE, observation.caller_sound)
        values = {"format": FORMAT, "outcome": record.outcome, "turns": list(_turns(observation, record))}
        (folder / CALL_FILE).write_text(json.dumps(values, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        for file in folder.iterdir():
            os.chmod(file, 0o600)
    except OSError as error:
        raise VoicebotError(
            f"The call cannot be kept in {folder} ({error.strerror or error}): set recordings.folder to another."
        ) from None


def read_call(folder: Path) -> dict[str, Any]:
    """A call that was kept; raises `NotACall`."""
    try:
        values = json.loads((folder / CALL_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotACall(f"{folder} holds no call that was kept ({error}): name a folder in recordings.folder.") from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise NotACall(f"{folder / CALL_FILE} is of another version of the bot: record the call anew.")
    return values


def _turns(observation: Observation, record: CallRecord) -> Iterator[dict[str, Any]]:
    """What the caller did and what he was answered; the first is what came before he did anything."""
    entries = iter(record.turns)
    turn: dict[str, Any] = {"caller": None, "prompts": []}
    last_bot: BotTurn | None = None
    for step in observation.steps:
        deed = _deed(step)
        if deed is not None:
            yield turn
            turn = {**deed, "prompts": []}
            if deed["caller"] in ("speech", "keys"):
                next(entries, None)
            if last_bot is not None and last_bot.interrupted and last_bot.began_ms is not None and "began_ms" in deed:
                turn["interrupts_after_ms"] = max(0, deed["began_ms"] - last_bot.began_ms)
        for say in step.says:
            entry = next(entries, None)
            last_bot = entry if isinstance(entry, BotTurn) else None
            turn["prompts"] += [prompt.name for prompt in say.prompts]
    yield turn


def _deed(step: Observed) -> dict[str, Any] | None:
    match step.event:
        case TurnEnded(readings, began_ms, ended_ms):
            best = readings[0]
            return {
                "caller": "speech",
                "began_ms": began_ms,
                "ended_ms": ended_ms,
                "intent": best.intent,
                "digits": len(best.digits),
            }
        case KeysEntered(digits):
            return {"caller": "keys", "keys": digits if len(digits) == 1 else "", "digits": len(digits)}
        case NoInput():
            return {"caller": "silence"}
        case CallerHungUp():
            return {"caller": "hang-up"}
    return None
