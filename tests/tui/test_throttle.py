"""How often things are painted."""

from itertools import pairwise

import pytest
from driving import chatting
from harness import scenario
from instruments import Clock
from scripted import STORY, Gate, ScriptedSession

from entropix_tui.look.throttle import INTERVAL, Pace, Share


@pytest.mark.parametrize("steps", [3, 30])
def test_pace(steps: int) -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    assert pace.due()
    due = []
    for _ in range(3 * steps):
        clock.now += INTERVAL / steps
        due.append(pace.due())
    assert 3 <= sum(due) <= 4
    assert not any(a and b for a, b in pairwise(due))


class TestShare:
    @pytest.mark.parametrize("price", [0.0001, 0.002, 0.008])
    def test_what_is_painted_takes_its_share(self, price: float) -> None:
        """Ten seconds of ticks at twenty a second; each picture costs `price` seconds of CPU."""
        clock, cpu = Clock(), Clock()
        share = Share(longest=10, clock=clock, cpu=cpu)
        pictures = 0
        for _ in range(200):
            clock.now += 0.05
            if share.due(0.04):
                pictures += 1
                cpu.now += price
        assert pictures * price <= 0.04 * 10 + price
        # As many as the share pays for, up to what the ticks let fall between them.
        assert pictures >= min(200, 10 / (price / 0.04 + 0.05)) - 1

    def test_nothing_waits_for_long(self) -> None:
        clock, cpu = Clock(), Clock()
        share = Share(longest=0.25, clock=clock, cpu=cpu)
        assert share.due(0.04)
        cpu.now += 60
        clock.now += 0.24
        assert not share.due(0.04)
        clock.now += 0.011
        assert share.due(0.04)


@scenario
async def test_an_answer_waits_for_its_share_and_its_end_does_not() -> None:
    gate = Gate(2)
    async with chatting(ScriptedSession(gate=gate)) as chat:
        await chat.phase("ready")
        clock, cpu = Clock(), Clock()
        chat.screen.feed._share = Share(clock=clock, cpu=cpu)
        await chat.pilot.press("h", "i", "enter")
        await chat.phase("generating")
        answer = chat.screen.conversation.transcript.answer
        assert answer is not None
        await chat.until(lambda: len(answer.records) == 2)
        cpu.now += 1
        gate.allow(3)
        await chat.until(lambda: len(chat.screen.feed._came) == 3)
        assert len(answer.records) == 2
        clock.now += 1
        await chat.until(lambda: len(answer.records) == 5)
        cpu.now += 1
        gate.open()
        await chat.phase("ready")
        assert len(answer.records) == len(STORY)
