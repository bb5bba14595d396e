"""The whole state of an engine as bytes and back, and its hash.

A dump is a sequence of chunks, each a msgpack array `[section, rows]`; open orders come in the
order of their priority, closed ones in the order in which they closed. The same state gives the
same bytes, so that their digest is the *state hash*.
"""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from tradeclear.core.configuring import restore_configuration
from tradeclear.core.engine import Engine
from tradeclear.core.idempotency import DIGEST_BYTES, ENTRY_BYTES
from tradeclear.core.lifecycle import Order, restore
from tradeclear.model.commands import Limits
from tradeclear.model.instrument import Instrument
from tradeclear.model.order import OrderState
from tradeclear.model.trade import Trade
from tradeclear.model.units import Micros, Seq

STATE_VERSION: Final = 1
CHUNK_ROWS: Final = 5_000
HASH_BYTES: Final = 16

Row = TypeVar("Row")
_encode = msgspec.msgpack.Encoder().encode


class Head(Struct, frozen=True, kw_only=True):
    """The first chunk's row: everything that is not a long table."""

    version: int
    seq: Seq
    time: Micros
    partition: int
    versions: tuple[int, int]
    next_trade_id: int
    limits: Limits
    instruments: tuple[Instrument, ...]
    grid_since: tuple[tuple[str, Seq], ...]


_chunk_types: Final[dict[str, Any]] = {
    "head": Head,
    "open": list[OrderState],
    "closed": list[OrderState],
    "trades": list[Trade],
    "keys": list[tuple[bytes, bytes]],
}
_decode_chunk = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw]).decode
_decode_rows = {name: msgspec.msgpack.Decoder(kind).decode for name, kind in _chunk_types.items()}


class StateDamaged(Exception):
    """The chunks are no dump of an engine's state, or one of another version."""


def dump(engine: Engine) -> Iterator[bytes]:
    """The engine's state in chunks. The engine must not change until the last one is taken."""
    yield _encode(("head", _head(engine)))
    for book in engine.books.values():
        for ladder in (book.bids, book.asks):
            orders = (o for level in ladder.best_first() for o in level.queue.values())
            yield from _chunks("open", (order.state() for order in orders))
    yield from _chunks("closed", (order.state() for order in engine.orders.closed()))
    yield from _chunks("trades", iter(engine.trades.values()))
    yield from _chunks("keys", engine.keys.dump())


def _head(engine: Engine) -> Head:
    return Head(
        version=STATE_VERSION,
        seq=engine.seq,
        time=engine.time,
        partition=engine.partition,
        versions=engine.versions,
        next_trade_id=engine.next_trade_id,
        limits=engine.limits,
        instruments=tuple(engine.instruments.values()),
        grid_since=tuple(engine.grid_since.items()),
    )


def _chunks(section: str, rows: Iterator[Row]) -> Iterator[bytes]:
    while batch := list(islice(rows, CHUNK_ROWS)):
        yield _encode((section, batch))


class StateHash:
    """Digest over the chunks of a dump, taken as they pass."""

    def __init__(self) -> None:
        self._digest = blake2b(digest_size=HASH_BYTES)

    def passing(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same chunks, noted."""
        for chunk in chunks:
            self._digest.update(chunk)
            yield chunk

    def hexdigest(self) -> str:
        """The hash of what has passed so far."""
        return self._digest.hexdigest()


def state_hash(engine: Engine) -> str:
    """The digest of the whole state, in hex: equal states, equal hashes, on any machine."""
    state = StateHash()
    for _chunk in state.passing(dump(engine)):
        pass
    return state.hexdigest()


def load(chunks: Iterable[bytes]) -> Engine:
    """The engine whose state was dumped into `chunks`. Raises `StateDamaged`."""
    engine = Engine()
    open_orders: list[Order] = []
    closed: list[Order] = []
    sections = map(_read_chunk, chunks)
    _load_head(engine, sections)
    for section, rows in sections:
        match section:
            case "open":
                open_orders += _rest_all(engine, rows)
            case "closed":
                closed += map(restore, rows)
            case "trades":
                engine.trades.update((trade.executed.trade_id, trade) for trade in rows)
            case "keys":
                for key, entry in rows:
                    if len(key) != DIGEST_BYTES or len(entry) != ENTRY_BYTES:
                        raise StateDamaged(f"key and entry have {len(key)} and {len(entry)} bytes")
                    engine.keys.load(key, entry)
            case _:
                raise StateDamaged(f"section {section!r} stands where tables are expected")
    engine.orders.load(open_orders, closed)
    return engine


def _read_chunk(chunk: bytes) -> tuple[str, Any]:
    try:
        section, rows = _decode_chunk(chunk)
        return section, _decode_rows[section](rows)
    except (msgspec.MsgspecError, KeyError) as error:
        raise StateDamaged(f"a chunk can't be read: {error}") from error


def _load_head(engine: Engine, sections: Iterator[tuple[str, Any]]) -> None:
    section, head = next(sections, ("nothing", None))
    if not isinstance(head, Head):
        raise StateDamaged(f"the state begins with {section}, not with its head")
    if head.version != STATE_VERSION:
        raise StateDamaged(f"state version {head.version} is not known ({STATE_VERSION} is)")
    engine.seq, engine.time = head.seq, head.time
    engine.partition, engine.versions = head.partition, head.versions
    engine.next_trade_id = head.next_trade_id
    restore_configuration(engine, head.instruments, head.limits, dict(head.grid_since))


def _rest_all(engine: Engine, rows: list[OrderState]) -> list[Order]:
    orders = list(map(restore, rows))
    for order in orders:
        book = engine.books.get(order.instrument)
        if book is None:
            raise StateDamaged(f"order {order.order_id} is on unknown {order.instrument}")
        book.rest(order)
    return orders
