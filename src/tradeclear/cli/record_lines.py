"""A record as one line for people: what `wal cat` writes.

`SEQ TIME COMMAND -> OUTCOME; OUTCOME; …`, ids as `order=…` and `client=…` where a record names its
own, so that a line can be searched for. Commands and events that have no words here are shown by
the names of their fields.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from tradeclear.cli.grids import Grid, Grids
from tradeclear.cli.rendering import instrument_of, reason_name, view_of
from tradeclear.gateway.views import time_text
from tradeclear.model import commands, events
from tradeclear.model.events import Record
from tradeclear.model.order import OrderState


def text_line(record: Record, grids: Grids) -> str:
    """The record as a line of text, without a newline. `grids` are those in force before it."""
    grid = grids.of(instrument_of(record))
    outcome = "; ".join(_told(event, grid, grids) for event in record.events)
    command = _told(record.command, grid, grids)
    return f"{record.seq:>8} {time_text(record.time)} {command} -> {outcome}"


def _told(value: Struct, grid: Grid, grids: Grids) -> str:
    tell = _words.get(type(value))
    return _other(value, grid, grids) if tell is None else tell(value, grid, grids)


def _place(command: commands.PlaceOrder, grid: Grid, _grids: Grids) -> str:
    price = f"at {grid.price_text(command.price)}" if command.price else "at market"
    words = [
        f"place {command.side} {grid.quantity_text(command.quantity)} {command.instrument} {price}",
        command.time_in_force,
        *(["post_only"] if command.post_only else []),
        *(
            [f"stp={command.self_trade_prevention}"]
            if command.self_trade_prevention != "none"
            else []
        ),
        f"order={_id(command.order_id)} client={_id(command.client_id)}",
    ]
    return " ".join(words)


def _cancel(command: commands.CancelOrder, _grid: Grid, _grids: Grids) -> str:
    return f"cancel order={_id(command.order_id)}{_client(command.client_id)}"


def _amend(command: commands.AmendOrder, grid: Grid, _grids: Grids) -> str:
    price = f" price={grid.price_text(command.price)}" if command.price else ""
    quantity = f" quantity={grid.quantity_text(command.quantity)}" if command.quantity else ""
    return f"amend order={_id(command.order_id)}{_client(command.client_id)}{price}{quantity}"


def _cancel_all(command: commands.CancelAll, _grid: Grid, _grids: Grids) -> str:
    where = command.instrument or "every instrument"
    return f"cancel-all on {where} client={_id(command.client_id)}"


def _configure(command: commands.Configure, _grid: Grid, _grids: Grids) -> str:
    grids = ", ".join(
        f"{i.name} tick {i.tick_size} lot {i.lot_size}{'' if i.trading else ' (not trading)'}"
        for i in command.instruments
    )
    return f"configure {grids}; engine {command.engine_version} codec {command.codec_version}"


def _quote(command: commands.Quote, grid: Grid, _grids: Grids) -> str:
    sides = (
        f"{side} {grid.quantity_text(quantity)} at {grid.price_text(price)}"
        for side, levels in (("buy", command.bids), ("sell", command.asks))
        for price, quantity in levels
    )
    return f"quote {command.instrument} {', '.join(sides)} client={_id(command.client_id)}"


def _placed(event: events.OrderPlaced, grid: Grid, _grids: Grids) -> str:
    left = event.remaining_quantity
    rest = f", {grid.quantity_text(left)} left" if left else ""
    return f"{event.status}{rest}{_why(event.reason)}"


def _trade(event: events.TradeExecuted, _grid: Grid, grids: Grids) -> str:
    grid = grids.of(event.instrument)
    maker = event.sell_client_id if event.taker_side == "buy" else event.buy_client_id
    return (
        f"trade {event.trade_id}: {grid.quantity_text(event.quantity)} at "
        f"{grid.price_text(event.price)} with {_id(event.maker_order_id)} of {_id(maker)}, "
        f"{grid.quantity_text(event.maker_remaining_quantity)} left there"
    )


def _cancelled(event: events.OrderCancelled, _grid: Grid, grids: Grids) -> str:
    return f"cancelled {_order(event.order, grids)}"


def _amended(event: events.OrderAmended, _grid: Grid, grids: Grids) -> str:
    return f"amended {_order(event.order, grids)}, {event.order.status}"


def _refused(event: events.CommandRefused, _grid: Grid, grids: Grids) -> str:
    about = "" if event.order is None else f": {_order(event.order, grids)}, {event.order.status}"
    return f"refused, {reason_name(event.reason)}{about}"


def _level(event: events.LevelChanged, about: Grid, grids: Grids) -> str:
    """The instrument is said only where it is not the one that the record is about."""
    grid = grids.of(event.instrument)
    where = "" if grid is about else f"{event.instrument} "
    now = f"{grid.quantity_text(event.quantity)} in {event.orders}" if event.orders else "gone"
    return f"{where}{event.side} level {grid.price_text(event.price)} {now}"


def _cancelled_all(event: events.OrdersCancelled, _grid: Grid, _grids: Grids) -> str:
    return f"{event.cancelled} cancelled, {event.remaining} still open"


def _configured(event: events.Configured, _grid: Grid, _grids: Grids) -> str:
    return f"configured{f', {event.forgotten} orders forgotten' if event.forgotten else ''}"


def _quoted(event: events.Quoted, _grid: Grid, _grids: Grids) -> str:
    left = f", {event.left} levels left" if event.left else ""
    return f"{event.entered} entered, {event.lowered} lowered, {event.cancelled} cancelled{left}"


def _entered(event: events.OrderEntered, _grid: Grid, grids: Grids) -> str:
    return f"entered {_order(event.order, grids)}, {event.order.status}"


def _order(order: OrderState, grids: Grids) -> str:
    grid = grids.of(order.instrument)
    price = f" at {grid.price_text(order.price)}" if order.price else ""
    return (
        f"{_id(order.order_id)} of {_id(order.client_id)}: {order.side} "
        f"{grid.quantity_text(order.quantity)} {order.instrument}{price}, "
        f"{grid.quantity_text(order.remaining_quantity)} left{_why(order.reason)}"
    )


def _other(value: Struct, grid: Grid, grids: Grids) -> str:
    fields = msgspec.structs.asdict(view_of(value, grid, grids))
    rest = (f"{name}={msgspec.json.encode(each).decode()}" for name, each in fields.items())
    return " ".join((type(value).__name__, *rest))


def _why(reason: int) -> str:
    return f" ({reason_name(reason)})" if reason else ""


def _client(client_id: str | None) -> str:
    return "" if client_id is None else f" client={_id(client_id)}"


def _id(text: str) -> str:
    """An id as it is, or in quotes where it could be taken for something else."""
    if text.isprintable() and text and " " not in text:
        return text
    return msgspec.json.encode(text).decode()


_words: Final[dict[type[Struct], Callable[[Any, Grid, Grids], str]]] = {
    commands.PlaceOrder: _place,
    commands.CancelOrder: _cancel,
    commands.AmendOrder: _amend,
    commands.CancelAll: _cancel_all,
    commands.Configure: _configure,
    commands.Quote: _quote,
    events.OrderPlaced: _placed,
    events.TradeExecuted: _trade,
    events.OrderCancelled: _cancelled,
    events.OrderAmended: _amended,
    events.CommandRefused: _refused,
    events.LevelChanged: _level,
    events.OrdersCancelled: _cancelled_all,
    events.Configured: _configured,
    events.Quoted: _quoted,
    events.OrderEntered: _entered,
}
