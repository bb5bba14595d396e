"""A client of the exchange, for programs that run on Trio (docs/client.md).

`open_client` is the way in. Numbers are Decimals, both ways; what is told comes as frozen structs;
what went wrong says what to do. It stands on `model` alone.
"""

from tradeclear.client.backoff import Patience
from tradeclear.client.book import Book
from tradeclear.client.client import Client, open_client
from tradeclear.client.depth import Depth
from tradeclear.client.errors import (
    ClientError,
    NotUnderstood,
    OutcomeUnknown,
    Refused,
    Unreachable,
)
from tradeclear.client.instrument import Instrument
from tradeclear.client.level import Level
from tradeclear.client.market import CumulativeLevel, OrderBook
from tradeclear.client.messages import (
    DepthSnapshot,
    DepthUpdate,
    Live,
    Message,
    OrderEvent,
    OrdersSnapshot,
    OrdersUpdate,
    Subscribed,
    TradesUpdate,
)
from tradeclear.client.order import Order
from tradeclear.client.order_entry import OrderEntry
from tradeclear.client.orders import Orders
from tradeclear.client.problem import Problem
from tradeclear.client.replies import CancelAllReply, OrderReply, OrdersPage
from tradeclear.client.stream import Stream, StreamStatistics
from tradeclear.client.topic import Topic
from tradeclear.client.trade import Trade
from tradeclear.model.errors import InvalidField, TradeclearError

__all__ = [
    "Book",
    "CancelAllReply",
    "Client",
    "ClientError",
    "CumulativeLevel",
    "Depth",
    "DepthSnapshot",
    "DepthUpdate",
    "Instrument",
    "InvalidField",
    "Level",
    "Live",
    "Message",
    "NotUnderstood",
    "Order",
    "OrderBook",
    "OrderEntry",
    "OrderEvent",
    "OrderReply",
    "Orders",
    "OrdersPage",
    "OrdersSnapshot",
    "OrdersUpdate",
    "OutcomeUnknown",
    "Patience",
    "Problem",
    "Refused",
    "Stream",
    "StreamStatistics",
    "Subscribed",
    "Topic",
    "Trade",
    "TradeclearError",
    "TradesUpdate",
    "Unreachable",
    "open_client",
]
