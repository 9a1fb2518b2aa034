"""A recogniser that reads, in turn, what it was told to read."""

from collections import deque
from collections.abc import Iterable

from voicebot.audio.sound import Samples
from voicebot.hearing.recognizer import Reading


class FakeStream:
    def __init__(self, readings: list[Reading]) -> None:
        self.readings = readings
        self.heard_samples = 0

    def accept(self, samples: Samples) -> None:
        self.heard_samples += len(samples)

    def partial(self) -> Reading:
        return self.readings[0]

    def finish(self) -> list[Reading]:
        return self.readings


class FakeRecognizer:
    """Each new utterance gets the next list of readings; after the last it understands nothing."""

    def __init__(self, readings: Iterable[Reading | list[Reading]] = ()) -> None:
        self.waiting = deque([r] if isinstance(r, Reading) else r for r in readings)
        self.grammars: list[str] = []
        self.streams: list[FakeStream] = []

    def stream(self, grammar: str) -> FakeStream:
        self.grammars.append(grammar)
        self.streams.append(FakeStream(self.waiting.popleft() if self.waiting else [Reading("", 0.0)]))
        return self.streams[-1]


def number(digits: str, confidence: float = 0.9) -> Reading:
    return Reading(" ".join(digits), confidence, digits=digits)


def command(intent: str, confidence: float = 0.9) -> Reading:
    return Reading(intent, confidence, intent=intent)
