"""The reply to a new order, written out straight: what every order costs.

The text is that of `OrderReply` in `replies.py`, field by field, which a test holds; going through
the structs would take twice as long. Nothing needs escaping: ids, names and words are all made of
characters that JSON takes as they are (`fields.ID_PATTERN`, `instrument.NAME_PATTERN`).
"""

from tradeclear.gateway.views import time_text
from tradeclear.model import reasons
from tradeclear.model.commands import PlaceOrder
from tradeclear.model.events import Event, OrderPlaced, Record, TradeExecuted
from tradeclear.model.instrument import DERIVED_SCALE, Instrument
from tradeclear.model.order import is_closed
from tradeclear.model.units import Seq


def placed_text(
    record: Record, command: PlaceOrder, placed: OrderPlaced, instrument: Instrument
) -> bytes:
    """The body for `record`, whose command is `command` and whose first event is `placed`."""
    seq, time = record.seq, time_text(record.time)
    status, whole, left = placed.status, placed.quantity, placed.remaining_quantity
    quantity = instrument.quantity_text(whole)
    filled, remaining, average, trades = "0", quantity, "null", ""
    if left != whole:
        if left:
            filled = instrument.quantity_text(whole - left)
            remaining = instrument.quantity_text(left)
        else:
            filled, remaining = quantity, "0"
        trades, average = _trades_text(record.events, seq, time, instrument)
        if not average:
            average = instrument.average_price_text(placed.notional, whole - left)
    price = instrument.price_text(command.price) if command.price else "null"
    reason = f'"{reasons.NAMES[placed.reason]}"' if placed.reason else "null"
    return (
        f'{{"order":{{"order_id":"{command.order_id}","client_id":"{command.client_id}",'
        f'"instrument":"{command.instrument}","side":"{command.side}","type":"{command.type}",'
        f'"price":{price},"quantity":{quantity},"filled_quantity":{filled},'
        f'"remaining_quantity":{remaining},"average_price":{average},'
        f'"time_in_force":"{command.time_in_force}",'
        f'"post_only":{"true" if command.post_only else "false"},'
        f'"self_trade_prevention":"{command.self_trade_prevention}","status":"{status}",'
        f'"closed":{"true" if is_closed(status, command.type) else "false"},'
        f'"reject_reason":{reason},"created_at":"{time}","updated_at":"{time}","sequence":{seq},'
        f'"updated_sequence":{seq}}},"trades":[{trades}]}}'
    ).encode()


def _trades_text(
    events: tuple[Event, ...], seq: Seq, time: str, instrument: Instrument
) -> tuple[str, str]:
    """The trades among `events`, by commas; and the average price where that is easily told.

    It is the price, if they all have one: "" if several, or with more decimals than an average has.
    """
    name = instrument.name
    quantity_text = instrument.quantity_text
    ticks, price, prices = 0, "", 0
    trades = []
    for event in events:
        if type(event) is not TradeExecuted:
            continue
        if event.price != ticks:
            ticks = event.price
            price = instrument.price_text(ticks)
            prices += 1
        buyer, seller = event.buy_order_id, event.sell_order_id
        trades.append(
            f'{{"trade_id":{event.trade_id},"instrument":"{name}","buy_order_id":"{buyer}",'
            f'"sell_order_id":"{seller}",'
            f'"maker_order_id":"{seller if event.taker_side == "buy" else buyer}",'
            f'"price":{price},"quantity":{quantity_text(event.quantity)},'
            f'"timestamp":"{time}","sequence":{seq}}}'
        )
    plain = prices == 1 and instrument.price_scale <= DERIVED_SCALE
    return ",".join(trades), price if plain else ""
