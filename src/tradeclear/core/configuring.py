"""What the core knows of its configuration enters as a logged command, and is carried out here."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from tradeclear.core.book import OrderBook
from tradeclear.model import reasons
from tradeclear.model.commands import Configure, Limits
from tradeclear.model.events import CommandRefused, Configured
from tradeclear.model.instrument import Instrument
from tradeclear.model.units import Micros, Seq

if TYPE_CHECKING:
    from tradeclear.core.engine import Engine

PARTITION_TRADE_IDS: Final = 1 << 40


def configure(
    engine: "Engine", seq: Seq, now: Micros, command: Configure
) -> tuple[CommandRefused | Configured]:
    """Bring instruments and limits to what `command` says, or refuse all of it."""
    wanted = {instrument.name: instrument for instrument in command.instruments}
    known = engine.instruments
    regridded = [
        name
        for name, instrument in known.items()
        if name in wanted and not instrument.same_grid(wanted[name])
    ]
    if set(known) - set(wanted) or any(engine.books[name].has_orders for name in regridded):
        return (CommandRefused(reasons.CONFIGURATION_REFUSED),)
    if not known:
        engine.partition = command.partition
        engine.next_trade_id = command.partition * PARTITION_TRADE_IDS + 1
    engine.versions = (command.engine_version, command.codec_version)
    forgotten = sum(_forget(engine, name) for name in regridded)
    for name, instrument in wanted.items():
        if name not in known or name in regridded:
            engine.grid_since[name] = seq
        known[name] = instrument
        engine.books.setdefault(name, OrderBook())
    _limit(engine, now, command.limits)
    return (Configured(forgotten),)


def restore_configuration(
    engine: "Engine",
    instruments: Iterable[Instrument],
    limits: Limits,
    grid_since: dict[str, Seq],
) -> None:
    """Set up an empty engine as a dump's head says. The tables follow."""
    for instrument in instruments:
        engine.instruments[instrument.name] = instrument
        engine.books[instrument.name] = OrderBook()
    engine.grid_since = grid_since
    _limit(engine, engine.time, limits)


def _forget(engine: "Engine", name: str) -> int:
    """Forget what ticks and lots of another size were said of. Returns how many orders."""
    for trade_id in [i for i, t in engine.trades.items() if t.executed.instrument == name]:
        del engine.trades[trade_id]
    return engine.orders.forget_instrument(name)


def _limit(engine: "Engine", now: Micros, limits: Limits) -> None:
    engine.limits = limits
    engine.orders.resize(limits.closed_orders_max)
    engine.keys.resize(limits.idempotency_keys_max, limits.idempotency_age_us, now)
    for trade_id in [i for i in engine.trades if i < engine.next_trade_id - limits.trades_max]:
        del engine.trades[trade_id]
