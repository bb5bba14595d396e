"""A command in, its durable record out, once; and what happens when something fails on the way."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from weakref import ref

import pytest
import trio
from msgspec.structs import replace

from tradeclear.core.engine import Engine
from tradeclear.core.idempotency import idempotency, request_digest
from tradeclear.model.commands import CancelOrder, Command, PlaceOrder
from tradeclear.model.errors import (
    AgedOut,
    KeyReused,
    OutcomeUnknown,
    Overloaded,
    Quarantined,
    Stopping,
)
from tradeclear.model.events import OrderPlaced
from tradeclear.pipeline.matcher import EngineFailed
from tradeclear.pipeline.outcome import Answer, Outcome
from tradeclear.wal.errors import LogFailed


def buy(order_id: str, *, price: int = 100, quantity: int = 5) -> PlaceOrder:
    return PlaceOrder(order_id, "client-A", "BTC-USD", "buy", "limit", price, quantity)


def keyed(command: PlaceOrder, key: str) -> PlaceOrder:
    return replace(command, idempotency=idempotency(command.client_id, key, command))


@contextmanager
def exits_with(kind: type[BaseException]) -> Iterator[None]:
    """The block must end with one `kind`, alone, in however many groups."""
    with pytest.raises(BaseExceptionGroup) as caught:
        yield
    found: BaseException = caught.value
    while isinstance(found, BaseExceptionGroup):
        assert len(found.exceptions) == 1, found.exceptions
        found = found.exceptions[0]
    assert isinstance(found, kind)


async def test_an_outcome_is_durable_when_it_is_told(rig) -> None:
    async with rig.running():
        outcome = await rig.submit(buy("a"))
        assert isinstance(outcome, Outcome)
        assert outcome.record.seq == 2
        assert rig.log.last_seq >= 2
        assert rig.partition.gate.durable >= 2
    assert rig.metrics.orders_received == 1


async def test_records_that_wait_share_a_commit(rig) -> None:
    async with rig.running():
        commits = rig.metrics.log_sync_s.count
        async with trio.open_nursery() as nursery:
            for number in range(500):
                nursery.start_soon(rig.submit, buy(f"order-{number}"))
    assert rig.log.last_seq == 501
    assert rig.metrics.log_sync_s.count - commits < 50


async def test_a_repeated_key_gives_the_first_record_again(rig) -> None:
    command = keyed(buy("a"), "key-1")
    async with rig.running():
        answers: list[Answer] = []

        async def submit() -> None:
            answers.append(await rig.submit(command))

        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(submit)
    outcomes = [answer for answer in answers if isinstance(answer, Outcome)]
    assert len(outcomes) == 100
    assert {outcome.record.seq for outcome in outcomes} == {2}
    assert [outcome.replayed for outcome in outcomes].count(False) == 1
    assert len({str(outcome.record) for outcome in outcomes}) == 1
    assert rig.log.last_seq == 2


async def test_the_key_of_another_request_is_refused_and_not_logged(rig) -> None:
    async with rig.running():
        await rig.submit(keyed(buy("a"), "key-1"))
        assert isinstance(await rig.submit(keyed(buy("b"), "key-1")), KeyReused)
    assert rig.log.last_seq == 2


class Waiter:
    """A door's end of a request: it keeps what it is told."""

    def __init__(self) -> None:
        self.answer: Answer = None
        self.told = trio.Event()

    def take(self, answer: Answer) -> None:
        self.answer = answer
        self.told.set()


async def test_a_refused_key_leaves_nothing_behind(rig) -> None:
    async with rig.running() as partition:
        await rig.submit(keyed(buy("a"), "key-1"))
        waiter = Waiter()
        partition.submit_nowait(keyed(buy("b"), "key-1"), waiter.take)
        await waiter.told.wait()
        assert isinstance(waiter.answer, KeyReused)
        gone = ref(waiter)
        del waiter
        gc.collect()
        assert gone() is None


async def test_a_reply_that_the_log_holds_no_more_has_aged_out(rig) -> None:
    command = keyed(buy("a"), "key-1")
    async with rig.running():
        await rig.submit(command)
        rig.engine.grid_since["BTC-USD"] = 3
        assert isinstance(await rig.submit(command), AgedOut)


async def test_time_never_decreases_in_the_log(rig) -> None:
    async with rig.running():
        first = await rig.submit(buy("a"))
        rig.now -= 3_600_000_000
        second = await rig.submit(buy("b"))
    assert isinstance(first, Outcome)
    assert isinstance(second, Outcome)
    assert second.record.time == first.record.time


async def test_what_is_taken_in_one_turn_has_one_time(rig) -> None:
    told = []
    async with rig.running():
        for order_id in "abc":
            rig.partition.submit_nowait(buy(order_id), told.append)
        await rig.submit(buy("d"))
        rig.now += 1
        last = await rig.submit(buy("e"))
    times = {outcome.record.time for outcome in told}
    assert len(told) == 3
    assert len(times) == 1
    assert last.record.time > times.pop()


async def test_a_full_channel_refuses_at_once(rig) -> None:
    partition = rig.build(input_channel_max=2)
    partition.submit_nowait(buy("a"), lambda answer: None)
    partition.submit_nowait(buy("b"), lambda answer: None)
    with pytest.raises(Overloaded):
        partition.submit_nowait(buy("c"), lambda answer: None)


async def test_after_stop_nothing_is_taken_and_what_was_taken_is_finished(rig) -> None:
    answers: list[Answer] = []
    async with rig.running() as partition:
        for number in range(300):
            partition.submit_nowait(buy(f"order-{number}"), answers.append)
        partition.stop()
        with pytest.raises(Stopping):
            partition.submit_nowait(buy("late"), answers.append)
    assert [type(answer) for answer in answers] == [Outcome] * 300
    assert rig.log.last_seq == 301


async def test_a_query_waits_until_what_it_saw_is_durable(rig) -> None:
    async with rig.running() as partition:
        partition.submit_nowait(buy("a"), lambda answer: None)
        await trio.testing.wait_all_tasks_blocked()

        def seen(engine: Engine) -> int:
            return engine.seq

        seq = await partition.query(seen)
        assert partition.gate.durable >= seq


class FailingLog:
    """A log whose disk fails at the k-th append."""

    def __init__(self, log, fail_at: int) -> None:
        self._log = log
        self._left = fail_at

    def append(self, first_seq: int, records: Sequence[bytes]) -> int:
        self._left -= 1
        if self._left <= 0:
            raise LogFailed("Input/output error")
        return int(self._log.append(first_seq, records))

    def read(self, seq: int) -> bytes:
        return bytes(self._log.read(seq))

    def close(self) -> None:
        self._log.close()


async def test_failed_sync_acknowledges_nothing_and_ends_the_partition(rig) -> None:
    rig.log = FailingLog(rig.log, fail_at=3)
    answers: list[Answer] = []
    with exits_with(LogFailed):
        async with rig.running() as partition:
            assert isinstance(await rig.submit(buy("a")), Outcome)
            for number in range(10):
                partition.submit_nowait(buy(f"order-{number}"), answers.append)
            await trio.sleep_forever()
    assert [type(answer) for answer in answers] == [OutcomeUnknown] * 10
    assert rig.partition.gate.failed
    with pytest.raises(OutcomeUnknown):
        rig.partition.submit_nowait(buy("later"), answers.append)


class PoisonedEngine(Engine):
    """An engine with a bug in it."""

    def apply(self, seq: int, now: int, command: Command):
        if isinstance(command, CancelOrder) and command.order_id == "poison":
            raise ZeroDivisionError("a bug")
        return super().apply(seq, now, command)


async def test_an_exception_in_apply_ends_the_partition_and_quarantines_the_command(rig) -> None:
    rig.engine = PoisonedEngine()
    answers: list[Answer] = []
    poison = CancelOrder("poison")
    with exits_with(EngineFailed):
        async with rig.running() as partition:
            await rig.submit(buy("a"))
            partition.submit_nowait(buy("b"), answers.append)
            partition.submit_nowait(poison, answers.append)
            partition.submit_nowait(buy("c"), answers.append)
            await trio.sleep_forever()
    assert [type(answer) for answer in answers] == [OutcomeUnknown] * 3
    assert request_digest(poison) in rig.quarantine


async def test_a_quarantined_command_is_refused_after_a_restart(rig) -> None:
    poison = CancelOrder("poison")
    rig.quarantine.add(request_digest(poison), seq=7, problem="a bug")
    async with rig.running():
        assert isinstance(await rig.submit(poison), Quarantined)
        outcome = await rig.submit(buy("a"))
    assert isinstance(outcome, Outcome)
    assert isinstance(outcome.record.events[0], OrderPlaced)
    assert rig.log.last_seq == 2


async def test_cancelled_in_the_middle_every_waiter_is_told(rig) -> None:
    answers: list[Answer] = []
    partition = rig.build()
    for number in range(50):
        partition.submit_nowait(buy(f"order-{number}"), answers.append)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partition.run)
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            scope.cancel()
    assert len(answers) == 50
    told = [answer.record.seq for answer in answers if isinstance(answer, Outcome)]
    assert all(seq <= rig.log.last_seq for seq in told)
    assert len(told) + sum(isinstance(answer, OutcomeUnknown) for answer in answers) == 50


async def test_orders_and_trades_are_counted(rig) -> None:
    async with rig.running():
        await rig.submit(buy("a"))
        await rig.submit(buy("b"))
        sell = PlaceOrder("c", "client-B", "BTC-USD", "sell", "limit", 100, 7)
        await rig.submit(sell)
        await rig.submit(sell)
    metrics = rig.metrics
    assert (metrics.orders_received, metrics.orders_matched, metrics.trades) == (4, 1, 2)
    assert metrics.orders_rejected == {"duplicate_order_id": 1}


async def test_a_reply_that_can_not_be_read_harms_nobody_else(rig, monkeypatch) -> None:
    command = keyed(buy("a"), "key-1")

    def unreadable(seq: int) -> bytes:
        raise OSError(5, "Input/output error")

    async with rig.running():
        await rig.submit(command)
        monkeypatch.setattr(rig.log, "read", unreadable)
        assert isinstance(await rig.submit(command), OutcomeUnknown)
        assert isinstance(await rig.submit(buy("b")), Outcome)
