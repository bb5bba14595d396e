"""Replaying the log gives the same state, or names the record that differs."""

import dataclasses
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from tradeclear.core.engine import Engine
from tradeclear.core.state import dump, state_hash
from tradeclear.model.commands import Command, Configure, Limits, PlaceOrder
from tradeclear.model.events import OrderPlaced, Record
from tradeclear.model.instrument import define_instrument
from tradeclear.pipeline.recovery import Diverged, OtherVersion, from_snapshot, replay
from tradeclear.wal.codec import encode_record
from tradeclear.wal.frame import encode_records

CONFIGURE = Configure(instruments=(define_instrument("BTC-USD"),), limits=Limits())


@dataclasses.dataclass
class Payload:
    payload: bytes


def orders(count: int) -> Iterator[Command]:
    yield CONFIGURE
    for number in range(count):
        side = "buy" if number % 2 else "sell"
        yield PlaceOrder(f"o{number}", "c", "BTC-USD", side, "limit", 90 + number % 20, 3)


def run(commands: Iterator[Command]) -> tuple[Engine, list[Record]]:
    engine = Engine()
    records = []
    for seq, command in enumerate(commands, 1):
        events = engine.apply(seq, 1_000 + seq, command)
        records.append(Record(seq, 1_000 + seq, command, events))
    return engine, records


def frames(records: list[Record], size: int = 7) -> list[Payload]:
    encoded = [encode_record(record) for record in records]
    return [
        Payload(encode_records(encoded[start : start + size]))
        for start in range(0, len(encoded), size)
    ]


def test_a_replay_gives_the_same_state() -> None:
    engine, records = run(orders(100))
    again = Engine()
    assert replay(again, frames(records)) == 101
    assert state_hash(again) == state_hash(engine)


def test_records_before_the_snapshot_are_skipped() -> None:
    engine, records = run(orders(100))
    half = Engine()
    replay(half, frames(records), until=50)
    restored = from_snapshot(list(dump(half)), state_hash(half))
    assert replay(restored, frames(records)) == 51
    assert state_hash(restored) == state_hash(engine)


def test_a_replay_stops_where_it_is_told() -> None:
    _engine, records = run(orders(100))
    by_seq, by_time = Engine(), Engine()
    replay(by_seq, frames(records), until=33)
    replay(by_time, frames(records), until_time=1_033)
    assert (by_seq.seq, by_time.seq) == (33, 33)


def test_another_outcome_in_the_log_names_the_record() -> None:
    _engine, records = run(orders(20))
    placed = records[10].events[0]
    assert isinstance(placed, OrderPlaced)
    records[10] = replace(records[10], events=(replace(placed, quantity=4),))
    with pytest.raises(Diverged, match="record 11 ") as caught:
        replay(Engine(), frames(records))
    assert caught.value.seq == 11


def test_a_gap_names_the_record() -> None:
    _engine, records = run(orders(20))
    with pytest.raises(Diverged, match="record 12 "):
        replay(Engine(), frames(records[:10] + records[11:]))


def test_a_snapshot_with_another_hash_is_refused() -> None:
    engine, _records = run(orders(5))
    with pytest.raises(Diverged):
        from_snapshot(list(dump(engine)), "0" * 32)


def test_records_of_another_version_are_refused_with_the_remedy() -> None:
    _engine, records = run(orders(5))
    records[0] = replace(records[0], command=replace(CONFIGURE, engine_version=99))
    with pytest.raises(OtherVersion, match="engine 99"):
        replay(Engine(), frames(records))
