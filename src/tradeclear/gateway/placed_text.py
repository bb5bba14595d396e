"""The reply to a new order, written out straight: what every order costs.

The text is that of `OrderReply` in `replies.py`, field by field, which a test holds; going through
the structs would take twice as long. Nothing needs escaping: ids, names and words are all made of
characters that JSON takes as they are (`fields.ID_PATTERN`, `instrument.NAME_PATTERN`).
"""

from tradeclear.gateway.views import time_text
from tradeclear.model import reasons
from tradeclear.model.commands import PlaceOrder
from tradeclear.model.events import OrderPlaced, Record, TradeExecuted
from tradeclear.model.instrument import Instrument
from tradeclear.model.order import is_closed


def placed_text(
    record: Record, command: PlaceOrder, placed: OrderPlaced, instrument: Instrument
) -> bytes:
    """The body for `record`, whose command is `command` and whose first event is `placed`."""
    seq, time = record.seq, time_text(record.time)
    status, whole, left = placed.status, placed.quantity, placed.remaining_quantity
    quantity = instrument.quantity_text(whole)
    filled, remaining, average = "0", quantity, "null"
    if left != whole:
        filled = instrument.quantity_text(whole - left)
        remaining = instrument.quantity_text(left)
        average = instrument.average_price_text(placed.notional, whole - left)
    price = instrument.price_text(command.price) if command.price else "null"
    reason = f'"{reasons.NAMES[placed.reason]}"' if placed.reason else "null"
    trades = ""
    if len(record.events) > 2:
        trades = ",".join(
            _trade_text(event, seq, time, instrument)
            for event in record.events
            if type(event) is TradeExecuted
        )
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


def _trade_text(trade: TradeExecuted, seq: int, time: str, instrument: Instrument) -> str:
    return (
        f'{{"trade_id":{trade.trade_id},"instrument":"{trade.instrument}",'
        f'"buy_order_id":"{trade.buy_order_id}","sell_order_id":"{trade.sell_order_id}",'
        f'"maker_order_id":"{trade.maker_order_id}","price":{instrument.price_text(trade.price)},'
        f'"quantity":{instrument.quantity_text(trade.quantity)},"timestamp":"{time}",'
        f'"sequence":{seq}}}'
    )
