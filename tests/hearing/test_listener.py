from collections import deque
from dataclasses import replace

import numpy as np
import pytest
import webrtcvad

from tests.fakes.recognizer import FakeRecognizer, FakeStream, command, number
from tests.fakes.sound import speechlike
from voicebot.audio.sound import Sound
from voicebot.audio.tones import dtmf
from voicebot.billing.identifier import DEFAULT_SCHEMES
from voicebot.dialog.actions import Listen
from voicebot.dialog.conversation import Conversation, State
from voicebot.dialog.events import Answered
from voicebot.hearing.activity import VoiceActivity
from voicebot.hearing.events import BargeIn, HearingEvent, KeyPressed, KeysEntered, NoInput, PartialReading, TurnEnded
from voicebot.hearing.listener import Listener
from voicebot.hearing.recognizer import Reading

_, _ACTIONS = Conversation(DEFAULT_SCHEMES).step(State(), Answered())
NUMBER = next(action.expectation for action in _ACTIONS if isinstance(action, Listen))


class Line:
    """A listener on a line, with the clock of its media."""

    def __init__(self, *readings: Reading, asked: bool = True) -> None:
        self.recognizer = FakeRecognizer(readings)
        self.listener = Listener(self.recognizer, in_band_keys=True)
        self.now_ms = 0
        self.partials: list[str] = []
        if asked:
            self.listener.expect(NUMBER, 0)

    def listen_with(self, recognizer: FakeRecognizer) -> None:
        self.recognizer = recognizer
        self.listener = Listener(recognizer)
        self.listener.expect(NUMBER, self.now_ms)

    def hears(self, sound: Sound, *, bot_speaking: bool = False) -> list[tuple[int, HearingEvent]]:
        events = []
        for frame in sound.frames():
            self.now_ms += 20
            for event in self.listener.accept(frame, self.now_ms, bot_speaking=bot_speaking):
                if isinstance(event, PartialReading):
                    self.partials.append(event.reading.text)
                else:
                    events.append((self.now_ms, event))
        return events


def silence(duration_ms: int) -> Sound:
    return Sound.silence(duration_ms)


def only(events: list[tuple[int, HearingEvent]]) -> tuple[int, HearingEvent]:
    assert len(events) == 1, events
    return events[0]


@pytest.mark.parametrize(
    "reading, waited_ms",
    [(number("300000000001"), 300), (number("1000001"), 1200), (number("30000"), 2000), (command("operator"), 450)],
)
def test_a_complete_answer_ends_the_turn_sooner_than_one_that_may_go_on(reading: Reading, waited_ms: int) -> None:
    line = Line(reading)
    line.hears(silence(500))
    at_ms, turn = only(line.hears(speechlike(1000).then(silence(4000))))
    assert isinstance(turn, TurnEnded) and turn.readings == (reading,)
    assert at_ms - turn.ended_ms == pytest.approx(waited_ms, abs=20)
    assert turn.ended_ms == pytest.approx(1500, abs=150)
    assert turn.began_ms == pytest.approx(500, abs=100)


def test_noise_behind_speech_does_not_delay_its_end() -> None:
    rng = np.random.default_rng(1)
    noisy = speechlike(1000).then(silence(3000)).samples / 32768 + rng.normal(scale=0.05, size=32_000)
    plain = webrtcvad.Vad(2)
    sound = Sound.from_float(noisy, 8000)
    behind = [plain.is_speech(sound.samples[i : i + 160].tobytes(), 8000) for i in range(16_000, 32_000, 160)]
    assert np.mean(behind) > 0.5, "the detector alone is deceived"
    line = Line(number("300000000001"))
    at_ms, turn = only(line.hears(sound))
    assert isinstance(turn, TurnEnded) and 1200 <= at_ms <= 1500


def test_a_quiet_end_behind_a_loud_beginning_is_still_speech() -> None:
    loud, quiet = speechlike(600), Sound(speechlike(1400).samples // 3, 8000)
    at_ms, turn = only(Line(number("30000")).hears(loud.then(quiet).then(silence(3000))))
    assert isinstance(turn, TurnEnded) and turn.ended_ms >= 1900 and at_ms >= 3900


def test_a_pause_within_a_number_does_not_end_the_turn() -> None:
    line = Line(number("30000"))
    events = line.hears(speechlike(800).then(silence(1500), speechlike(800), silence(3000)))
    assert len(events) == 1 and len(line.recognizer.streams) == 1


def test_no_first_word_is_lost() -> None:
    line = Line(number("1000001"))
    line.hears(silence(1000))
    line.hears(speechlike(400))
    assert line.recognizer.streams[0].heard_samples >= 400 * 8


def test_silence_after_the_question_is_no_input_once() -> None:
    line = Line()
    at_ms, event = only(line.hears(silence(12_000)))
    assert isinstance(event, NoInput) and at_ms == 5000


def test_the_no_input_timer_begins_when_the_bot_has_finished() -> None:
    line = Line()
    assert not line.hears(silence(8000), bot_speaking=True)
    at_ms, event = only(line.hears(silence(6000)))
    assert isinstance(event, NoInput) and at_ms == pytest.approx(13_000, abs=20)


def test_nothing_is_heard_as_an_answer_before_a_question() -> None:
    line = Line(number("1000001"), asked=False)
    assert not line.hears(speechlike(1000).then(silence(9000))) and not line.recognizer.streams


def test_speech_with_a_meaning_interrupts_a_prompt_and_a_cough_does_not() -> None:
    line = Line(command("operator"))
    events = [event for _, event in line.hears(speechlike(600).then(silence(1000)), bot_speaking=True)]
    assert isinstance(events[0], BargeIn) and isinstance(events[1], TurnEnded)
    line = Line(Reading("", 0.1))
    assert not line.hears(speechlike(600).then(silence(3000)), bot_speaking=True)


def test_an_unsure_command_during_a_prompt_is_no_answer() -> None:
    line = Line()
    line.listen_with(Guesses(NOTHING, command("end"), NOTHING, final=command("end", 0.27)))
    assert not line.hears(speechlike(600).then(silence(3000)), bot_speaking=True)


def test_a_hotword_stops_a_prompt_only_once_it_was_said() -> None:
    line = Line()
    line.listener.expect(replace(NUMBER, hotword=True), 0)
    line.recognizer.waiting.extend([[command("operator")], [command("operator", 0.3)]])
    _, turn = only(line.hears(speechlike(600).then(silence(1000)), bot_speaking=True))
    assert isinstance(turn, TurnEnded)
    line.listener.expect(replace(NUMBER, hotword=True), line.now_ms)
    assert not line.hears(speechlike(600).then(silence(3000)), bot_speaking=True)


class Guesses(FakeRecognizer):
    """A recogniser whose partial readings change: one after another, the last for good."""

    def __init__(self, *partials: Reading, final: Reading) -> None:
        super().__init__([final])
        self.partials = deque(partials)

    def stream(self, grammar: str) -> FakeStream:
        stream = super().stream(grammar)
        stream.partial = lambda: self.partials.popleft() if len(self.partials) > 1 else self.partials[0]  # type: ignore[method-assign]
        return stream


NOTHING = Reading("", 0.0)


def test_a_first_guess_that_does_not_last_stops_no_prompt() -> None:
    line = Line()
    line.listen_with(Guesses(NOTHING, command("end"), NOTHING, final=NOTHING))
    assert not line.hears(speechlike(600).then(silence(3000)), bot_speaking=True)


def test_a_prompt_is_stopped_while_the_number_is_still_being_said() -> None:
    line = Line()
    line.listen_with(Guesses(NOTHING, number("3"), number("30"), number("300"), final=number("300000000001")))
    at_ms, event = line.hears(speechlike(2000), bot_speaking=True)[0]
    assert isinstance(event, BargeIn) and at_ms < 600


def test_a_guess_stops_a_prompt_but_does_not_take_the_caller_as_done() -> None:
    line, guess = Line(), replace(command("end"), guessed=True)
    line.listen_with(Guesses(guess, final=command("end")))
    _, event = line.hears(speechlike(400), bot_speaking=True)[0]
    assert isinstance(event, BargeIn) and line.partials
    at_ms, turn = only(line.hears(silence(4000)))
    assert isinstance(turn, TurnEnded)
    assert at_ms - turn.ended_ms == pytest.approx(2000, abs=20)  # that of an incomplete answer


def test_a_prompt_that_was_stopped_is_answered_even_if_nothing_was_understood() -> None:
    line = Line()
    line.listen_with(Guesses(number("30"), final=NOTHING))
    line.hears(speechlike(600), bot_speaking=True)
    _, turn = only(line.hears(silence(3000)))
    assert isinstance(turn, TurnEnded) and turn.readings == (NOTHING,)


def test_what_goes_on_behind_a_prompt_is_an_answer_even_if_nothing_was_understood() -> None:
    line = Line(NOTHING)
    line.hears(speechlike(400), bot_speaking=True)
    _, turn = only(line.hears(speechlike(600).then(silence(3000))))
    assert isinstance(turn, TurnEnded)


def test_a_pause_behind_seven_digits_of_twelve_does_not_cut_the_number_off() -> None:
    line = Line()
    partials = [*[number("3000000")] * 25, number("300000000001")]
    line.listen_with(Guesses(*partials, final=number("300000000001")))
    _, turn = only(line.hears(speechlike(600).then(silence(800), speechlike(1000), silence(1000))))
    assert isinstance(turn, TurnEnded) and turn.readings[0].digits == "300000000001"


def test_a_last_word_that_noise_covers_is_heard_out() -> None:
    line, told_ms, events = Line(), 0, list[tuple[int, HearingEvent]]()
    first_sound = [*[number("30000000000")] * 20, number("300000000005")]
    line.listen_with(Guesses(*first_sound, final=number("300000000001")))
    for frame in speechlike(600).then(silence(2000)).frames():
        events += line.hears(Sound(frame, 8000))
        told_ms = told_ms or (line.now_ms if len(line.partials) == 2 else 0)
    at_ms, turn = only(events)
    assert told_ms > 600 + 300
    assert isinstance(turn, TurnEnded) and at_ms - told_ms == pytest.approx(250, abs=20)


def test_pauses_of_800_ms_between_groups_leave_one_turn() -> None:
    line = Line(number("300000"))
    groups = speechlike(500)
    for _ in range(3):
        groups = groups.then(silence(800), speechlike(500))
    only(line.hears(groups.then(silence(3000))))
    assert len(line.recognizer.streams) == 1


def test_after_a_cough_during_a_prompt_the_caller_is_still_listened_to() -> None:
    line = Line(Reading("", 0.1), number("300000000001"))
    line.hears(speechlike(300).then(silence(3000)), bot_speaking=True)
    _, turn = only(line.hears(speechlike(1000).then(silence(1000))))
    assert isinstance(turn, TurnEnded) and turn.readings[0].digits == "300000000001"


def test_a_cough_that_is_taken_for_a_word_stops_no_prompt_unless_it_is_surely_one() -> None:
    for confidence, turns in ((0.05, 0), (0.5, 1)):
        line = Line()
        line.listen_with(Guesses(NOTHING, final=command("end", confidence)))
        assert len(line.hears(speechlike(300).then(silence(3000)), bot_speaking=True)) == turns


def test_the_bots_own_echo_is_no_speech_and_the_same_sound_without_the_bot_is() -> None:
    line = Line(number("300000000001"))
    faint = Sound((speechlike(2000).samples * 0.005).astype(np.int16), 8000)
    assert not line.hears(faint.then(silence(200)), bot_speaking=True) and not line.recognizer.streams
    line.hears(silence(400))
    _, turn = only(line.hears(faint.then(silence(2500))))
    assert isinstance(turn, TurnEnded)


@pytest.mark.parametrize(
    "reading, waited_ms", [(number("300000000001"), 1200), (number("1000001"), 4800), (Reading("", 0.1), 8000)]
)
def test_noise_that_is_taken_for_speech_ends_the_turn_some_time_behind_the_last_word(
    reading: Reading, waited_ms: int
) -> None:
    at_ms, turn = only(Line(reading).hears(speechlike(waited_ms + 500)))
    assert isinstance(turn, TurnEnded) and at_ms == pytest.approx(waited_ms, abs=300)


def test_words_without_end_end_the_turn_at_last() -> None:
    line = Line()
    line.listen_with(Guesses(*(Reading(str(i), 0.0) for i in range(600)), final=NOTHING))
    at_ms, turn = only(line.hears(speechlike(31_000)))
    assert isinstance(turn, TurnEnded) and at_ms == pytest.approx(30_000, abs=300)


def test_tones_are_keys_and_no_speech() -> None:
    line = Line(number("99"))
    events = [event for _, event in line.hears(silence(500).then(dtmf("300000000001#"), silence(300)))]
    assert events.count(KeysEntered("300000000001")) == 1
    assert sum(isinstance(event, KeyPressed) for event in events) == 12
    assert not line.recognizer.streams


def test_a_key_ends_what_was_being_said() -> None:
    line = Line(number("300000000001"), number("1000001"))
    line.hears(speechlike(500))
    assert line.listener.press("5", line.now_ms) == [KeyPressed(line.now_ms)]
    events = [event for _, event in line.hears(speechlike(500).then(silence(3000)))]
    assert events == [KeysEntered("5")]


def test_no_timer_but_that_of_the_keys_counts_while_keys_are_pressed() -> None:
    line = Line()
    for key in "3000":
        line.listener.press(key, line.now_ms)
        assert not line.hears(silence(2900))
    assert [event for _, event in line.hears(silence(200))] == [KeysEntered("3000")]


def test_a_frame_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError):
        VoiceActivity().accept(np.zeros(100, np.int16))


def test_what_the_caller_seems_to_say_is_told_once_a_change() -> None:
    line = Line(number("30000"))
    line.hears(speechlike(1000).then(silence(2500)))
    assert line.partials == ["3 0 0 0 0"]


def test_what_came_to_nothing_is_taken_back() -> None:
    line = Line(Reading("три", 0.1))
    assert not line.hears(speechlike(300).then(silence(3000)), bot_speaking=True)
    assert line.partials == ["три", ""]
