"""The rule: what is taken is answered soon; a queue is full by its length or by its age."""

import pytest

from tradeclear.model.commands import CancelOrder
from tradeclear.model.errors import Overloaded, Stopping
from tradeclear.pipeline import intake as module
from tradeclear.pipeline.intake import QUEUE_SHORT, WAIT_S_MAX, Intake

COMMAND = CancelOrder("order-1")


class Clock:
    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "perf_counter", clock)
    return clock


def fill(intake: Intake, commands: int) -> None:
    for _ in range(commands):
        intake.put_nowait(COMMAND, lambda _told: None)


async def test_a_queue_is_full_at_its_bound(clock: Clock) -> None:
    intake = Intake(3)
    fill(intake, 3)
    assert intake.full
    with pytest.raises(Overloaded):
        fill(intake, 1)
    assert len(await intake.take()) == 3
    assert not intake.full


async def test_a_long_queue_is_full_when_its_oldest_has_waited_long(clock: Clock) -> None:
    intake = Intake(10 * QUEUE_SHORT)
    fill(intake, QUEUE_SHORT)
    clock.now += WAIT_S_MAX
    assert not intake.full
    clock.now += 0.001
    assert intake.full
    with pytest.raises(Overloaded):
        fill(intake, 1)
    assert len(await intake.take()) == QUEUE_SHORT
    fill(intake, 1)


def test_a_short_queue_is_never_full_however_old(clock: Clock) -> None:
    intake = Intake(10 * QUEUE_SHORT)
    fill(intake, QUEUE_SHORT - 1)
    clock.now += 1000 * WAIT_S_MAX
    fill(intake, 1)
    assert len(intake) == QUEUE_SHORT


def test_nothing_is_taken_after_closing(clock: Clock) -> None:
    intake = Intake(3)
    intake.close()
    with pytest.raises(Stopping):
        fill(intake, 1)
