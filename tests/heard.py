"""Which prompts a caller has heard to their end."""

from voicebot.call import BotTurn, CallRecord
from voicebot.observation import Observation

BILL = ["owed_many", "due_nearest", "cut_off", "as_of", "menu", "offer_operator"]
"""What a customer with two invoices is told."""


def prompts_heard(observation: Observation, record: CallRecord) -> list[str]:
    """The names of these prompts, in order."""
    says = [say for step in observation.steps for say in step.says]
    turns = [turn for turn in record.turns if isinstance(turn, BotTurn)]
    return [prompt.name for say, turn in zip(says, turns, strict=True) for prompt in say.prompts[: _whole(turn)]]


def _whole(turn: BotTurn) -> int:
    """How many prompts of a turn were heard to their end; the one that sounded when it was cut off was not."""
    cut = turn.interrupted or turn.ended_ms is None
    return max(0, turn.prompts_begun - cut)
