from tests.fakes.recognizer import command, number
from voicebot.captions import NOT_UNDERSTOOD, Captions
from voicebot.hearing.events import KeyPressed, KeysEntered, PartialReading, TurnEnded
from voicebot.hearing.recognizer import Reading
from voicebot.legs.leg import Caption
from voicebot.legs.wav import WavLeg


class Screen(WavLeg):
    """A leg that shows captions."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[tuple[int, str, str, bool]] = []

    def show(self, caption: Caption) -> None:
        self.shown.append((caption.turn, caption.speaker, caption.text, caption.final))


def ended(reading: Reading) -> TurnEnded:
    return TurnEnded((reading,), 0, 1000)


def test_a_sentence_is_shown_when_it_begins_to_sound() -> None:
    screen = Screen()
    first, second = Captions(screen).say(["Чух: 1 000 001.", "Правилно ли е?"])
    assert not screen.shown
    first()
    assert screen.shown == [(0, "bot", "Чух: 1 000 001.", False)]
    second()
    assert screen.shown[1] == (0, "bot", "Чух: 1 000 001. Правилно ли е?", True)


def test_what_the_caller_says_grows_in_one_turn() -> None:
    screen = Screen()
    captions = Captions(screen)
    captions.hear(PartialReading(number("3000")))
    captions.hear(ended(number("300000000001")))
    captions.hear(ended(command("yes")))
    captions.hear(ended(Reading("", 0.0)))
    captions.hear(KeysEntered("1000001"))
    assert [(turn, text, final) for turn, _, text, final in screen.shown] == [
        (0, "300 0", False),
        (0, "300 000 000 001", True),
        (1, "yes", True),
        (2, NOT_UNDERSTOOD, True),
        (3, "100 00 01", True),
    ]


def test_what_came_to_nothing_is_withdrawn() -> None:
    screen = Screen()
    captions = Captions(screen)
    for end in (PartialReading(Reading("", 0.0)), KeyPressed(0)):
        captions.hear(PartialReading(Reading("три", 0.0)))
        captions.hear(end)
    captions.hear(PartialReading(Reading("три", 0.0)))
    captions.say(["Моля?"])
    assert [(text, final) for _, _, text, final in screen.shown] == [("три", False), ("", True)] * 3


def test_a_caption_does_not_show_its_text_in_a_log() -> None:
    assert "300" not in repr(Caption(0, "caller", "300 000 000 001", True))


def test_a_leg_without_a_screen_is_asked_for_nothing() -> None:
    for began in Captions(WavLeg()).say(["Здравейте!"]):
        began()
