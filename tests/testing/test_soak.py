"""The rule: under a steady load with kills nothing is lost or doubled; what grows is found."""

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from tradeclear.testing.ledger import Answer, Json, Sent
from tradeclear.testing.soak import run
from tradeclear.testing.soak_ledger import SoakLedger, Windows
from tradeclear.testing.soak_load import as_over_http
from tradeclear.testing.soak_plan import Plan
from tradeclear.testing.soak_report import SoakReport, Stretch, growths

SEED = int(os.environ.get("TRADECLEAR_TEST_SEED", "20251120"))
WINDOWS = Windows(closed_orders=800, trades=200, keys=800)
PLAN = Plan(minutes=0.1, rate_per_s=100, kill_every_s=3, seed=SEED, windows=WINDOWS, batch_max=20)


async def test_two_kills(tmp_path: Path) -> None:
    print(f"seed {SEED}: TRADECLEAR_TEST_SEED")  # noqa: T201
    done: list[tuple[int, int]] = []
    report = await run(PLAN, tmp_path / "home", progress=lambda *way: done.append(way))
    assert report.crashes.findings == []
    assert (report.crashes.kills, done) == (2, [(1, 2), (2, 2)])
    assert report.crashes.acknowledged > WINDOWS.keys
    assert report.stream_trades > WINDOWS.trades
    assert report.stream_connections >= 2
    for stretch in report.stretches:
        assert stretch.resident_mib > 10
        assert stretch.descriptors > 10
        assert stretch.p99_ms >= stretch.p50_ms > 0
    assert not (tmp_path / "home").exists()


async def test_without_a_kill(tmp_path: Path) -> None:
    report = await run(replace(PLAN, minutes=0.05, kill_every_s=0), tmp_path / "home")
    assert report.crashes.findings == []
    assert (report.crashes.kills, len(report.stretches)) == (0, 1)


@pytest.mark.parametrize("setting", ["IDEMPOTENCY_KEYS_MAX", "TRADES_MAX"])
async def test_a_server_that_forgets_too_soon_is_found(tmp_path: Path, setting: str) -> None:
    """Planted: it remembers ten, not what it was told to."""
    plan = replace(PLAN, minutes=0.04)
    report = await run(plan, tmp_path / "home", environment={f"TRADECLEAR_{setting}": "10"})
    assert report.crashes.count("lost") > 0
    assert not report.good
    assert (tmp_path / "home").exists()


# What grows


def stretches(values: list[float]) -> list[Stretch]:
    return [
        Stretch(
            number=number,
            requests=1,
            acknowledged=20_000,
            p50_ms=1,
            p99_ms=1,
            max_ms=1,
            resident_mib=value,
            descriptors=30,
            threads=4,
            log_mib=5,
            killed=True,
            ready_s=1,
        )
        for number, value in enumerate(values, 1)
    ]


def grown(values: list[float]) -> list[str]:
    return [growth.name for growth in growths(stretches(values)) if not growth.flat]


def test_what_grows_is_found() -> None:
    assert grown([80 + 2.0 * minute for minute in range(16)]) == ["resident_mib"]


def test_a_warm_up_and_noise_are_no_growth() -> None:
    assert grown([60, 75, 85, 90, 90, 91, 89, 90, 92, 90, 91, 90]) == []


def test_a_few_stretches_say_nothing() -> None:
    assert growths(stretches([60, 70, 80])) == []
    assert SoakReport(plan=PLAN).good


# What is forgotten


def order(number: int, **more: object) -> Json:
    return {
        "order_id": f"o{number}",
        "client_id": "c",
        "side": "buy",
        "quantity": 1,
        "filled_quantity": 1,
        "remaining_quantity": 0,
        "closed": True,
        "status": "filled",
        "updated_sequence": number,
        **more,
    }


def ledger_of(*orders: Json) -> SoakLedger:
    ledger = SoakLedger(0, Windows(closed_orders=40, trades=10, keys=40))
    for each in orders:
        ledger.told[each["order_id"]] = each
    return ledger


def test_old_closed_orders_are_forgotten_and_counted() -> None:
    ledger = ledger_of(*(order(number) for number in range(100)), order(-1, closed=False))
    gone = ledger.forget()
    assert gone == [f"o{number}" for number in range(50)]
    assert ledger.forgotten == {"buy": 50}
    assert "o-1" in ledger.told


def test_an_order_near_the_end_of_the_window_may_be_gone_a_newer_one_may_not() -> None:
    ledger = ledger_of(*(order(number) for number in range(100)))
    ledger.forget()
    assert ledger.check_order("o69", None) == []
    assert [finding.kind for finding in ledger.check_order("o70", None)] == ["lost"]
    assert ledger.check_listing(["c"], [order(number) for number in range(70, 100)]) == []
    found = ledger.check_listing(["c"], [order(number) for number in range(71, 100)])
    assert [finding.kind for finding in found] == ["lost"]


def test_a_trade_of_long_ago_is_doubled() -> None:
    ledger = ledger_of()
    ledger.trades.update({number: {"quantity": 1, "trade_id": number} for number in range(1, 21)})
    ledger.forget()
    assert (sorted(ledger.trades), ledger.forgotten["traded"]) == (list(range(11, 21)), 10)
    sent = ledger.send(Sent("k", "c", "POST", "/orders", b"{}"))
    body = b'{"order":{"order_id":"o","updated_sequence":1},"trades":[{"trade_id":10}]}'
    assert [finding.kind for finding in ledger.acknowledge(sent, Answer(201, body))] == ["doubled"]


def test_an_answer_by_message_is_the_one_over_http() -> None:
    assert as_over_http(b'{"id":3,"status":201,"order":{}}', 3) == b'{"order":{}}'
    problem = b'{"type":"x","status":409}'
    assert as_over_http(b'{"id":3,' + problem[1:], 3) == problem
