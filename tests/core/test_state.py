"""A dump is the whole state: loaded, it hashes and goes on the same; anything else is refused."""

from collections.abc import Callable
from itertools import islice
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tradeclear.core import state
from tradeclear.core.engine import Engine
from tradeclear.core.state import StateDamaged, StateHash, dump, load, state_hash
from tradeclear.model.commands import Configure, Limits
from tradeclear.testing.commands import commands

BTC = "BTC-USD"
encode = msgspec.msgpack.encode
decode = msgspec.msgpack.decode


@pytest.fixture(scope="module")
def busy() -> Engine:
    """An engine in the middle of a day, with wide limits: orders open and closed, trades, keys."""
    engine = Engine()
    stream = islice(commands(5), 3_000)
    now, first = next(stream)
    assert isinstance(first, Configure)
    engine.apply(1, now, replace(first, limits=Limits()))
    for now, command in stream:
        if not isinstance(command, Configure):
            engine.apply(engine.seq + 1, now, command)
    return engine


def test_every_section_is_there(busy: Engine) -> None:
    sections = {section for section, rows in map(decode, dump(busy)) if len(rows) > 9}
    assert sections >= {"open", "closed", "trades", "keys"}


def test_loaded_state_has_the_same_hash(busy: Engine) -> None:
    assert state_hash(load(dump(busy))) == state_hash(busy)


def test_loaded_engine_holds_everything(busy: Engine) -> None:
    loaded = load(dump(busy))

    def held(engine: Engine) -> tuple[Any, ...]:
        return (
            engine.seq,
            engine.time,
            engine.partition,
            engine.limits,
            engine.instruments,
            engine.grid_since,
            engine.next_trade_id,
            list(engine.trades.items()),
            list(engine.keys.dump()),
            [order.state() for order in engine.orders.by_id.values()],
            [order.state() for order in engine.orders.closed()],
            [
                order.state()
                for book in engine.books.values()
                for ladder in (book.bids, book.asks)
                for level in ladder.best_first()
                for order in level.queue.values()
            ],
        )

    assert held(loaded) == held(busy)


def test_loaded_books_are_consistent(busy: Engine) -> None:
    loaded = load(dump(busy))
    for book in loaded.books.values():
        book.assert_consistent()
    assert loaded.orders.open_count == busy.orders.open_count


def test_empty_engine_can_be_dumped() -> None:
    assert state_hash(load(dump(Engine()))) == state_hash(Engine())


def test_size_of_chunks_is_bounded(busy: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "CHUNK_ROWS", 3)
    sizes = [len(rows) for section, rows in map(decode, dump(busy)) if section != "head"]
    assert max(sizes) == 3


def test_many_chunks_load_like_few(busy: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    few = state_hash(busy)
    monkeypatch.setattr(state, "CHUNK_ROWS", 3)
    many = list(dump(busy))
    monkeypatch.undo()
    assert state_hash(load(many)) == few


def test_hash_can_be_taken_as_the_chunks_pass(busy: Engine) -> None:
    passing = StateHash()
    chunks = list(passing.passing(dump(busy)))
    assert (passing.hexdigest(), chunks) == (state_hash(busy), list(dump(busy)))


def test_hash_of_a_fixed_state_is_pinned(exchange: Any) -> None:
    """Snapshots and clean shutdowns keep it: a change needs another STATE_VERSION."""
    exchange.sell("s", 101, 5, client="bob")
    exchange.buy("b", 101, 2)
    exchange.buy("c", 99, 3)
    assert state_hash(exchange.engine) == "ed38acfb180bc602e5a9417cbb4ee0ba"


@pytest.mark.parametrize(
    "step",
    [
        lambda exchange: exchange.amend("first", quantity=4),
        lambda exchange: exchange.cancel("second"),
        lambda exchange: exchange.sell("s", 100, 1),
        lambda exchange: exchange.buy("third", 100, 5),
        lambda exchange: exchange.limit(trades_max=3),
        lambda exchange: exchange.cancel("unknown"),
    ],
)
def test_every_record_changes_the_hash(exchange: Any, step: Callable[[Any], object]) -> None:
    exchange.buy("first", 100, 5)
    exchange.buy("second", 100, 5)
    before = state_hash(exchange.engine)
    step(exchange)
    assert state_hash(exchange.engine) != before


def test_priority_is_in_the_hash(exchange: Any) -> None:
    exchange.buy("first", 100, 5)
    exchange.buy("second", 100, 5)
    before = list(dump(exchange.engine))
    level = exchange.engine.books[BTC].bids.level(100)
    level.queue.update(dict(zip(level.queue, reversed(level.queue.values()), strict=True)))
    assert list(dump(exchange.engine)) != before


# Damage


@pytest.mark.parametrize(
    "chunk",
    [
        b"",
        b"\xc1",
        encode("open"),
        encode(("open", 5)),
        encode(("nonsense", [])),
        encode(("open", [["too", "short"]])),
        encode(("trades", [[]])),
        encode(("keys", [["text", "text"]])),
    ],
    ids=["empty", "garbage", "text", "number", "unknown", "order", "trade", "key"],
)
def test_unreadable_chunk_is_damage(exchange: Any, chunk: bytes) -> None:
    with pytest.raises(StateDamaged):
        load([*dump(exchange.engine), chunk])


def test_no_chunks_at_all_are_damage() -> None:
    with pytest.raises(StateDamaged, match="begins with nothing"):
        load([])


def test_state_without_its_head_is_damage(exchange: Any) -> None:
    exchange.buy("b", 100, 5)
    _head, *rest = dump(exchange.engine)
    with pytest.raises(StateDamaged, match="begins with open"):
        load(rest)


def test_second_head_is_damage(exchange: Any) -> None:
    chunks = list(dump(exchange.engine))
    with pytest.raises(StateDamaged, match="'head' stands where tables are expected"):
        load([*chunks, chunks[0]])


def test_cut_chunk_is_damage(exchange: Any) -> None:
    exchange.buy("b", 100, 5)
    *chunks, last = dump(exchange.engine)
    with pytest.raises(StateDamaged):
        load([*chunks, last[:-1]])


def test_state_of_another_version_is_refused(exchange: Any) -> None:
    head, *rest = dump(exchange.engine)
    section, row = decode(head)
    with pytest.raises(StateDamaged, match="state version 999"):
        load([encode((section, {**row, "version": 999})), *rest])


def test_order_of_an_unknown_instrument_is_damage(exchange: Any) -> None:
    exchange.buy("b", 100, 5)
    stranger = replace(exchange.state("b"), instrument="XXX-USD")
    exchange.cancel("b")
    with pytest.raises(StateDamaged):
        load([*dump(exchange.engine), encode(("open", [stranger]))])


def test_key_of_the_wrong_size_is_damage(exchange: Any) -> None:
    with pytest.raises(StateDamaged):
        load([*dump(exchange.engine), encode(("keys", [[bytes(16), b"short"]]))])
