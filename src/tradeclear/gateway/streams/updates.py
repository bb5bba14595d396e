"""Records to `update` messages: what one command did to each topic, from the record alone.

So a message that is made live and one that is made from the log, perhaps years later, are the same
(but for `previous_sequence` where a replay begins). Nothing needs escaping: ids, names and words
are made of characters that JSON takes as they are (`fields.ID_PATTERN`, `instrument.NAME_PATTERN`).
"""

from collections.abc import Iterable, MutableMapping
from typing import Final

import msgspec

from tradeclear.gateway.orders import Instruments
from tradeclear.gateway.placed_text import placed_text
from tradeclear.gateway.streams.message import Message
from tradeclear.gateway.streams.topic import Topic
from tradeclear.gateway.views import order_view, time_text
from tradeclear.model.commands import AmendOrder, PlaceOrder
from tradeclear.model.events import (
    LevelChanged,
    OrderAmended,
    OrderCancelled,
    OrderEntered,
    OrderPlaced,
    Record,
    TradeExecuted,
)
from tradeclear.model.instrument import Instrument
from tradeclear.model.order import OrderState
from tradeclear.model.units import Lots, Seq, Ticks

Levels = dict[tuple[str, Ticks], tuple[Lots, int]]
"""Side and price to quantity and number of orders: the newest totals."""

Chain = MutableMapping[Topic, Seq]
"""The topics that are wanted, each with the sequence of its newest update."""

_encode: Final = msgspec.json.Encoder().encode


class Updates:
    """Makes the updates of one exchange's records."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments: Final = instruments

    def of(self, record: Record, chain: Chain) -> list[tuple[Topic, Message]]:
        """The updates for the topics in `chain`, which moves on."""
        found: list[tuple[Topic, str]] = []
        levels: dict[str, Levels] = {}
        trades: dict[str, list[TradeExecuted]] = {}
        for event in record.events:
            if type(event) is LevelChanged:
                take_level(levels, event)
            elif type(event) is TradeExecuted:
                trades.setdefault(event.instrument, []).append(event)
        for name, changed in levels.items():
            topic = Topic("orderbook_deltas", name)
            if topic in chain:
                found.append((topic, levels_text(changed, self._instrument(name))))
        time = time_text(record.time)
        for name, made in trades.items():
            topic = Topic("trades", name)
            if topic in chain:
                found.append((topic, f'"trades":[{self._trades(made, record.seq, time)}]'))
        for topic, told in self._orders(record, time, chain).items():
            found.append((topic, f'"events":[{",".join(told)}]'))
        return [
            (topic, update(topic, record.seq, chain, f'"timestamp":"{time}",{body}'))
            for topic, body in found
        ]

    def _orders(self, record: Record, time: str, chain: Chain) -> dict[Topic, list[str]]:
        """What happened to the orders of each client that somebody listens for."""
        told: dict[Topic, list[str]] = {}
        for number, event in enumerate(record.events):
            if isinstance(event, OrderPlaced):
                command = record.command
                assert isinstance(command, PlaceOrder)
                topic = Topic("orders", command.instrument, command.client_id)
                if topic in chain:
                    told.setdefault(topic, []).append(self._placed(record, command, event))
            elif isinstance(event, TradeExecuted):
                self._tell_maker(event, record.seq, time, chain, told)
            elif isinstance(event, OrderEntered):
                topic = Topic("orders", event.order.instrument, event.order.client_id)
                if topic in chain:
                    told.setdefault(topic, []).append(self._entered(record, event.order, time))
            elif isinstance(event, OrderAmended | OrderCancelled):
                topic = Topic("orders", event.order.instrument, event.order.client_id)
                if topic in chain:
                    own = number == 0 and isinstance(record.command, AmendOrder)
                    trades = [e for e in record.events if own and type(e) is TradeExecuted]
                    told.setdefault(topic, []).append(self._changed(event, trades, record, time))
        return told

    def _placed(self, record: Record, command: PlaceOrder, event: OrderPlaced) -> str:
        text = placed_text(record, command, event, self._instrument(command.instrument))
        return '{"event":"placed",' + text[1:].decode()

    def _entered(self, record: Record, order: OrderState, time: str) -> str:
        """An order of a quote, as if it had been placed alone."""
        trades = [
            event
            for event in record.events
            if type(event) is TradeExecuted
            and order.order_id in (event.buy_order_id, event.sell_order_id)
            and event.maker_order_id != order.order_id
        ]
        text = order_text(order, self._instrument(order.instrument))
        made = self._trades(trades, record.seq, time)
        return f'{{"event":"placed","order":{text},"trades":[{made}]}}'

    def _changed(
        self,
        event: OrderAmended | OrderCancelled,
        trades: list[TradeExecuted],
        record: Record,
        time: str,
    ) -> str:
        order = order_text(event.order, self._instrument(event.order.instrument))
        if isinstance(event, OrderCancelled):
            return f'{{"event":"cancelled","order":{order}}}'
        made = self._trades(trades, record.seq, time)
        return f'{{"event":"amended","order":{order},"trades":[{made}]}}'

    def _tell_maker(
        self,
        trade: TradeExecuted,
        seq: Seq,
        time: str,
        chain: Chain,
        told: dict[Topic, list[str]],
    ) -> None:
        sold = trade.taker_side == "buy"  # the maker did
        client_id = trade.sell_client_id if sold else trade.buy_client_id
        topic = Topic("orders", trade.instrument, client_id)
        if topic in chain:
            instrument = self._instrument(trade.instrument)
            left, whole = trade.maker_remaining_quantity, trade.maker_quantity
            told.setdefault(topic, []).append(
                f'{{"event":"traded","order_id":"{trade.maker_order_id}",'
                f'"side":"{"sell" if sold else "buy"}",'
                f'"quantity":{instrument.quantity_text(whole)},'
                f'"filled_quantity":{instrument.quantity_text(whole - left)},'
                f'"remaining_quantity":{instrument.quantity_text(left)},'
                f'"status":"{"partially_filled" if left else "filled"}",'
                f'"closed":{"false" if left else "true"},'
                f'"trade":{trade_text(trade, seq, time, instrument)}}}'
            )

    def _trades(self, trades: Iterable[TradeExecuted], seq: Seq, time: str) -> str:
        return ",".join(
            trade_text(trade, seq, time, self._instrument(trade.instrument)) for trade in trades
        )

    def _instrument(self, name: str) -> Instrument:
        instrument = self._instruments.instrument(name)
        assert instrument is not None, f"a record names instrument {name}, which is not configured"
        return instrument


def update(topic: Topic, seq: Seq, chain: Chain, body: str) -> Message:
    """The update of `topic` by `seq`; `chain` moves on. `body`: its last members."""
    previous, chain[topic] = chain[topic], seq
    client = f'"client_id":"{topic.client_id}",' if topic.client_id else ""
    interval = f'"interval_ms":{topic.interval_ms},' if topic.interval_ms else ""
    text = (
        f'{{"type":"update","channel":"{topic.channel}","instrument":"{topic.instrument}",'
        f'{client}{interval}"sequence":{seq},"previous_sequence":{previous},{body}}}'
    )
    return Message(text.encode(), seq)


def take_level(levels: dict[str, Levels], change: LevelChanged) -> None:
    """Note an absolute level change under its instrument."""
    levels.setdefault(change.instrument, {})[change.side, change.price] = (
        change.quantity,
        change.orders,
    )


def levels_text(levels: Levels, instrument: Instrument) -> str:
    """`"bids":[…],"asks":[…]`."""
    sides: dict[str, list[str]] = {"buy": [], "sell": []}
    for (side, price), (quantity, orders) in levels.items():
        sides[side].append(level_text(price, quantity, orders, instrument))
    return f'"bids":[{",".join(sides["buy"])}],"asks":[{",".join(sides["sell"])}]'


def level_text(price: Ticks, quantity: Lots, orders: int, instrument: Instrument) -> str:
    """`[price,quantity,orders]`."""
    return f"[{instrument.price_text(price)},{instrument.quantity_text(quantity)},{orders}]"


def order_text(order: OrderState, instrument: Instrument) -> str:
    """An order as every route shows it."""
    return _encode(order_view(order, instrument)).decode()


def trade_text(trade: TradeExecuted, seq: Seq, time: str, instrument: Instrument) -> str:
    """A trade as `GET /trades` shows it, and who came to whom."""
    return (
        f'{{"trade_id":{trade.trade_id},"instrument":"{trade.instrument}",'
        f'"buy_order_id":"{trade.buy_order_id}","sell_order_id":"{trade.sell_order_id}",'
        f'"maker_order_id":"{trade.maker_order_id}","taker_side":"{trade.taker_side}",'
        f'"price":{instrument.price_text(trade.price)},'
        f'"quantity":{instrument.quantity_text(trade.quantity)},"timestamp":"{time}",'
        f'"sequence":{seq}}}'
    )
