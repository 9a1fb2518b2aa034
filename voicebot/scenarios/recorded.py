"""Scenarios made of recordings: of a folder of sounds, with a table of what is said in them or without."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import yaml

from voicebot.audio.sound import Sound
from voicebot.audio.wav import read_wav, write_wav
from voicebot.errors import VoicebotError
from voicebot.evaluation.recordings import NoTable, Recording, read_set, read_sound
from voicebot.evaluation.scoring import Said
from voicebot.evaluation.trials import said_in
from voicebot.keeping import CALL_FILE, SOUND_FILE, read_call
from voicebot.language.srgs import Grammar, load_grammar
from voicebot.scenarios.reading import Case, ScenarioError, is_sound_file
from voicebot.scenarios.scenario import Scenario, Turn, Understood, schema
from voicebot.settings import Settings
from voicebot.voice.voices import open_voice

DEMONSTRATION_NUMBER = "300000000001"
"""A customer of the demonstration bills, whose number may be said by anybody."""

Ask = Mapping[str, tuple[Turn, ...]]

_BEFORE: Ask = {
    "identifier": (),
    "confirm": (Turn(say=DEMONSTRATION_NUMBER, voice="kokoro:jf_gongitsune"),),
    "menu": (Turn(keys=f"{DEMONSTRATION_NUMBER}#"),),
}
"""By the question that a recording answers: what a caller does until he is asked it."""


def cases_of_recordings(path: Path, chosen: Settings) -> list[Case]:
    """A call for each recording of a folder, in which it is said to the question that it answers.

    Where a table tells what is said, that is what must be understood; where none does, the call only shows what is.

    Raises:
        VoicebotError: there is no sound, or the table cannot be used.
    """
    meaning = meanings(chosen)
    return [
        Case(scenario_of(recording, *meaning(recording)), path, i, recording.path.parent)
        for i, recording in enumerate(recordings_in(path), start=1)
    ]


def recordings_in(path: Path) -> list[Recording]:
    """The recordings of a table or of a folder; of a folder without a table all its sounds; or a sound.

    Raises:
        VoicebotError: there is no sound, or the table cannot be used.
    """
    if is_sound_file(path.name) and path.is_file():
        return [Recording(path)]
    try:
        return read_set(path)
    except NoTable:
        sounds = sorted(file for file in path.rglob("*") if is_sound_file(file.name) and file.is_file())
        if not sounds:
            raise ScenarioError(f"{path} has neither scenarios nor recordings: put WAV files there.") from None
        return [Recording(sound) for sound in sounds]


def meanings(chosen: Settings) -> Callable[[Recording], tuple[str, Said]]:
    """What tells of a recording which question it answers, and what it means there.

    It raises `ScenarioError` for a question that no caller is asked.
    """

    @cache
    def grammar(name: str) -> Grammar:
        return load_grammar(chosen.recognition.model / "graphs" / name / "grammar.grxml")

    def find(recording: Recording) -> tuple[str, Said]:
        if recording.grammar and recording.grammar not in _BEFORE:
            raise ScenarioError(
                f'{recording.path} answers "{recording.grammar}", which is not asked: take {", ".join(_BEFORE)}.'
            )
        questions = [recording.grammar] if recording.grammar else list(_BEFORE)
        found = [(name, said_in(recording, grammar(name))) for name in questions]
        return next(((name, said) for name, said in found if said.has_answer), found[0])

    return find


def scenario_of(recording: Recording, question: str, said: Said) -> Scenario:
    """A call in which a recording is said."""
    understood = None
    if recording.text is not None or recording.digits is not None or recording.intent is not None:
        understood = Understood(digits=said.digits, intent=said.intent or "none")
    turn = Turn(say=recording.path.name, text=recording.text, voice=recording.voice or None, understood=understood)
    return Scenario(name=recording.path.name, turns=(*_BEFORE[question], turn))


# Scenario files


Spoken = Literal["keep", "replace"]
"""What becomes of a number that somebody says in a recording."""


class SpokenNumber(VoicebotError):
    """A recording in which a number is said, and of which nobody has said what to do."""


def record(source: Path, output: Path, chosen: Settings, spoken: Spoken | None, voice: str) -> Path:
    """Make a scenario file of a call that was kept, or of a folder of recordings with a table.

    Numbers in text and on the keypad become numbers of the demonstration bills. Where a number is spoken, the sound
    holds it: then `spoken` says whether that sound is kept or replaced.

    Args:
        source: the folder of a call, or a folder with a table, or a table, as `read_set` reads it: where none tells
            what is said, a number may be.
        output: the folder of the scenario file and its sounds, which is made.
        chosen: where grammars and schemes are found.
        spoken: what becomes of sounds in which a number is said.
        voice: who speaks instead of them.

    Returns:
        The scenario file.

    Raises:
        SpokenNumber: a number is said, and `spoken` is None.
        VoicebotError: the source cannot be used, or `output` cannot be written.
    """
    if spoken == "replace":
        open_voice(voice, folder=chosen.voice.folder)
    try:
        if (source / CALL_FILE).exists():
            scenarios, sounds = _of_call(source, spoken, voice)
        else:
            scenarios, sounds = _of_set(source, chosen, spoken, voice)
    except NoTable:
        raise ScenarioError(
            f"{source} is no call that was kept and has no index.tsv: name the folder of one call, or write index.tsv "
            "with the columns path and text, which tells where a number is said."
        ) from None
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, make in sounds.items():
            make(output / name)
        (output / _SCHEMA).write_text(json.dumps(schema(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        file = output / "recorded.yaml"
        content = {"scenarios": [scenario.model_dump(mode="json", exclude_defaults=True) for scenario in scenarios]}
        text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=110)
        file.write_text(f"# yaml-language-server: $schema={_SCHEMA}\n{text}", encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"{output} cannot be written ({error.strerror or error}): name another folder.") from None
    return file


_SCHEMA = "scenario.schema.json"
_EDGE_MS = 300
"""What is kept of the line before and behind each turn."""
_STAND_INS = {
    "not_found": ("300999999999", "9999999"),
    "nothing_owed": ("300000000002", "1000002"),
    "owed_one": ("300000000004", "1000004"),
    "owed_many": (DEMONSTRATION_NUMBER, "1000001"),
}
"""By what a customer was told: demonstration numbers of which the same is told, of 12 and of 7 digits."""
_OF_THE_BILL = frozenset(("due", "due_nearest", "overdue", "cut_off", "cut_off_passed"))
"""Prompts that depend on the bill and not on the conversation."""
_PUBLIC = frozenset(number for numbers in _STAND_INS.values() for number in numbers) | {"300000000003", "1000003"}

Sounds = dict[str, Callable[[Path], object]]
"""By file name: what writes the sound."""


def _refuse(what: str) -> SpokenNumber:
    return SpokenNumber(
        f"{what} says a customer's number, which the recording would keep: take --spoken-numbers replace, so that a "
        "voice says a demonstration number instead, or --spoken-numbers keep if the caller has agreed."
    )


def _of_call(source: Path, spoken: Spoken | None, voice: str) -> tuple[list[Scenario], Sounds]:
    call = read_call(source)
    sound = read_wav(source / SOUND_FILE)
    opening, *deeds = call["turns"]
    turns, sounds = [], Sounds()
    for number, deed in enumerate(deeds, start=1):
        says = tuple(prompt for prompt in deed["prompts"] if prompt not in _OF_THE_BILL)
        common: dict[str, Any] = {"says": says, "interrupts_after_ms": deed.get("interrupts_after_ms")}
        match deed["caller"]:
            case "speech" if deed["digits"] > 3 and spoken != "keep":
                if spoken is None:
                    raise _refuse(f"Turn {number} of {source}")
                say = _stand_in(deed["digits"], deeds[number - 1 :])
                turns.append(Turn(say=say, voice=voice, spoken_number="replaced", **common))
            case "speech":
                name = f"turn-{number}.wav"
                sounds[name] = partial(write_wav, sound=_cut(sound, deed["began_ms"], deed["ended_ms"]))
                kept = "kept" if deed["digits"] > 3 else None
                understood = Understood(intent=deed["intent"]) if deed["intent"] else None
                turns.append(Turn(say=name, voice="recorded", spoken_number=kept, understood=understood, **common))
            case "keys":
                keys = deed["keys"] or f"{_stand_in(deed['digits'], deeds[number - 1 :])}#"
                turns.append(Turn(keys=keys, **common))
            case "silence":
                turns.append(Turn(silence=True, says=says))
            case _:
                turns.append(Turn(hang_up=True, interrupts_after_ms=deed.get("interrupts_after_ms")))
    scenario = Scenario(
        name=f"Call {source.name}", opens_with=tuple(opening["prompts"]), turns=tuple(turns), outcome=call["outcome"]
    )
    return [scenario], sounds


def _stand_in(length: int, deeds: Sequence[Mapping[str, Any]]) -> str:
    """The demonstration number for one of `length` digits, of which this was told afterwards."""
    told = (prompt for deed in deeds for prompt in deed["prompts"])
    numbers = next((_STAND_INS[prompt] for prompt in told if prompt in _STAND_INS), _STAND_INS["owed_many"])
    return next((number for number in numbers if len(number) == length), "0" * length)


def _cut(sound: Sound, began_ms: int, ended_ms: int) -> Sound:
    begin, end = (max(0, ms) * sound.rate_hz // 1000 for ms in (began_ms - _EDGE_MS, ended_ms + _EDGE_MS))
    return Sound(sound.samples[begin:end], sound.rate_hz)


def _of_set(source: Path, chosen: Settings, spoken: Spoken | None, voice: str) -> tuple[list[Scenario], Sounds]:
    meaning = meanings(chosen)
    scenarios, sounds = [], Sounds()
    for i, recording in enumerate(read_set(source), start=1):
        read_sound(recording.path)
        question, said = meaning(recording)
        name = f"recording-{i:04d}{recording.path.suffix.lower()}"
        scenario = scenario_of(recording, question, said)
        *before, turn = scenario.turns
        update: dict[str, Any] = {"say": name, "text": recording.text}
        if len(said.digits) > 3 and said.digits not in _PUBLIC:
            if spoken is None:
                raise _refuse(str(recording.path))
            update["spoken_number"] = "kept"
            if spoken == "replace":
                number = _stand_in(len(said.digits), [])
                wanted = Understood(digits=number, intent="none")
                update |= {"say": number, "text": None, "voice": voice, "understood": wanted}
                update["spoken_number"] = "replaced"
        if update.get("spoken_number") != "replaced":
            sounds[name] = partial(shutil.copyfile, recording.path)
        turns = (*before, turn.model_copy(update=update))
        scenarios.append(scenario.model_copy(update={"name": f"Recording {i}", "turns": turns}))
    return scenarios, sounds
