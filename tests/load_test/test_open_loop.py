"""The rule: a stall of the server shows in the latency of every order that was due meanwhile."""

from time import perf_counter_ns
from typing import Any

from loadtest.closed_loop import ClosedLoop
from loadtest.http1 import RequestWriter
from loadtest.open_loop import OpenLoop
from loadtest.samples import LOST, NOT_SENT, Samples, percentile
from loadtest.schedule import due_times_ns

MS = 1_000_000
STALL_MS = 300


def open_loop(port: int, rate: float, seconds: float, **more: Any) -> OpenLoop:
    given: dict[str, Any] = {"connections": 4, "pipeline": 1, **more}
    return OpenLoop(
        "127.0.0.1",
        port,
        due_ns=due_times_ns(rate, seconds),
        requests=RequestWriter("h", ['{"a":1}'], key_prefix="k"),
        numbers=lambda index: index,
        **given,
    )


def run(load: OpenLoop, drain_s: float = 5.0) -> Samples:
    load.run(perf_counter_ns(), drain_s)
    load.close()
    return load.samples()


def test_every_order_is_sent_once_and_answered(fake_exchange: Any) -> None:
    samples = run(open_loop(fake_exchange.port, 500, 0.2))
    assert list(samples.status) == [201] * 100
    assert len(set(fake_exchange.bodies)) == 100
    assert min(samples.latency_ns) > 0


def test_orders_due_during_a_stall_have_waited_for_its_end(fake_exchange: Any) -> None:
    load = open_loop(fake_exchange.port, 500, 0.5)
    fake_exchange.stall(STALL_MS / 1000)
    samples = run(load)
    # 4 connections took the first four orders; 146 others were due before the stall was over.
    assert set(samples.status) == {201}
    late = [ns for ns in samples.latency_ns if ns > 10 * MS]
    assert len(late) >= 0.9 * STALL_MS / 2
    settled = samples.settled_ns()
    assert percentile(settled, 1.0) >= 0.9 * STALL_MS * MS
    assert percentile(settled, 0.5) >= 0.1 * STALL_MS * MS


def test_the_closed_loop_hides_the_same_stall(fake_exchange: Any) -> None:
    """Why there is an open loop: here only the orders under way have seen the stall."""
    load = ClosedLoop(
        "127.0.0.1",
        fake_exchange.port,
        connections=4,
        pipeline=1,
        requests=RequestWriter("h", ['{"a":1}']),
        numbers=lambda index: index,
    )
    fake_exchange.stall(STALL_MS / 1000)
    load.run(perf_counter_ns(), 0.5, 5.0)
    settled = load.samples().settled_ns()
    assert 4 <= len([ns for ns in settled if ns > 0.5 * STALL_MS * MS]) <= 8
    assert percentile(settled, 0.5) < 0.1 * STALL_MS * MS


def test_a_longer_pipeline_sends_what_is_due_without_waiting(fake_exchange: Any) -> None:
    load = open_loop(fake_exchange.port, 500, 0.3, pipeline=100)
    fake_exchange.stall(STALL_MS / 1000)
    samples = run(load)
    assert percentile(samples.lateness_ns(), 0.5) < 20 * MS
    assert percentile(samples.settled_ns(), 1.0) >= 0.9 * STALL_MS * MS


def test_orders_that_are_too_late_are_given_up_if_that_is_wanted(fake_exchange: Any) -> None:
    load = open_loop(fake_exchange.port, 500, 0.5, give_up_s=0.05)
    fake_exchange.stall(STALL_MS / 1000)
    samples = run(load)
    assert samples.statuses()[NOT_SENT] > 50
    assert samples.statuses()[201] + samples.statuses()[NOT_SENT] == 250
    assert len(fake_exchange.bodies) == samples.statuses()[201]


def test_orders_without_a_reply_are_lost_and_have_waited_to_the_end(fake_exchange: Any) -> None:
    load = open_loop(fake_exchange.port, 100, 0.1)
    fake_exchange.stall(1.0)
    samples = run(load, drain_s=0.2)
    assert set(samples.status) == {LOST}
    assert min(samples.latency_ns) >= 190 * MS
    assert samples.failures() == 10


def test_a_broken_connection_loses_its_order_and_is_made_again(fake_exchange: Any) -> None:
    load = open_loop(fake_exchange.port, 200, 0.5, connections=1)
    good, fake_exchange.reply = fake_exchange.reply, b"nonsense\r\n\r\n"
    turns = 0

    def tick() -> None:
        nonlocal turns
        turns += 1
        if load.answered == 0 and load.sent >= 5:
            fake_exchange.reply = good

    load.run(perf_counter_ns(), 2.0, tick)
    load.close()
    statuses = load.samples().statuses()
    assert 0 < statuses[LOST] < 20
    assert statuses[201] == 100 - statuses[LOST]


def test_turned_away_orders_must_say_when_to_come_back(fake_exchange: Any) -> None:
    fake_exchange.reply = b"HTTP/1.1 503 \r\ncontent-length: 0\r\n\r\n"
    load = open_loop(fake_exchange.port, 100, 0.1)
    samples = run(load)
    assert samples.statuses() == {503: 10}
    assert samples.retry_after_missing == 10
    assert samples.failures() == 0
