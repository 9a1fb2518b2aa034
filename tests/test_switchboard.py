import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes.recognizer import FakeRecognizer
from tests.fakes.store import FakeStore
from tests.fakes.synthesizer import FakeSynthesizer
from voicebot.billing.identifier import DEFAULT_SCHEMES
from voicebot.call import Services
from voicebot.dialog.catalogue import Catalogue
from voicebot.dialog.conversation import Conversation
from voicebot.legs.wav import WavLeg
from voicebot.switchboard import Busy, Switchboard


@pytest.fixture
def switchboard() -> Switchboard:
    catalogue, conversation = Catalogue.load("bg"), Conversation(DEFAULT_SCHEMES)
    executors = ThreadPoolExecutor(2), ThreadPoolExecutor(2)
    services = Services(FakeRecognizer(), FakeSynthesizer(), FakeStore(), conversation, catalogue, *executors)
    return Switchboard(services, most_calls=1)


async def test_a_call_over_the_limit_is_not_taken_and_the_line_is_free_again_afterwards(
    switchboard: Switchboard,
) -> None:
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(switchboard.hold(WavLeg(hang_up_after_ms=2000)))
        await asyncio.sleep(0)
        assert switchboard.live == 1
        with pytest.raises(Busy, match="busy"):
            await switchboard.hold(WavLeg(hang_up_after_ms=100))
    assert first.done() and switchboard.live == 0
    await switchboard.hold(WavLeg(hang_up_after_ms=100))


async def test_going_down_takes_no_calls_and_waits_for_those_that_run(switchboard: Switchboard) -> None:
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(switchboard.hold(WavLeg(hang_up_after_ms=2000)))
        await asyncio.sleep(0)
        await switchboard.drain(30)
        assert running.done()
    with pytest.raises(Busy, match="going down"):
        await switchboard.hold(WavLeg())


async def test_going_down_waits_no_longer_than_the_limit(switchboard: Switchboard) -> None:
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(switchboard.hold(WavLeg(realtime=True, hang_up_after_ms=400)))
        await asyncio.sleep(0)
        await switchboard.drain(0.01)
        assert not running.done()
