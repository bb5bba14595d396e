#!/usr/bin/env python
"""Make a market: a bid and an ask around the last price, moved as it moves, cancelled at Ctrl-C.

    python examples/market_maker.py --url http://127.0.0.1:8000 --price 70000 --spread 10

The more it has bought, the lower it quotes, and the other way round. No strategy to earn with.
"""

import argparse
import sys
from decimal import Decimal

import trio

from tradeclear.client import (
    Order,
    OrderEntry,
    OrdersUpdate,
    Patience,
    Refused,
    Topic,
    TradeclearError,
    TradesUpdate,
    open_client,
)
from tradeclear.model.order import Side

CLIENT_ID = "market-maker"
SKEW = Decimal(5)  # so much lower for each unit bought
CANCEL_S_MAX = 5
PATIENCE = Patience(give_up_s=5)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Quote a bid and an ask around the last price.")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="the exchange")
    parser.add_argument("--instrument", help="default: the exchange's first")
    parser.add_argument("--price", type=Decimal, default=Decimal(70_000), help="the first price")
    parser.add_argument("--spread", type=Decimal, default=Decimal(10), help="from bid to ask")
    parser.add_argument("--quantity", type=Decimal, default=Decimal("0.1"), help="of each quote")
    return parser.parse_args()


class MarketMaker:
    """Two quotes, the price they stand around, and what was bought in all (sold: below 0)."""

    def __init__(
        self, orders: OrderEntry, instrument: str, tick: Decimal, options: argparse.Namespace
    ) -> None:
        self.orders, self.instrument, self.tick = orders, instrument, tick
        self.price, self.spread, self.size = options.price, options.spread, options.quantity
        self.position = Decimal(0)
        self.quotes: dict[Side, Order] = {}

    async def quote(self) -> None:
        """Have both quotes stand where they should."""
        middle = self.price - self.position * SKEW
        await self.quote_side("buy", middle - self.spread / 2)
        await self.quote_side("sell", middle + self.spread / 2)

    async def quote_side(self, side: Side, wanted: Decimal) -> None:
        price = max(wanted // self.tick, Decimal(1)) * self.tick
        quote = self.quotes.get(side)
        if quote is not None and quote.price == price:
            return
        try:
            if quote is not None:
                order = (await self.orders.amend(quote.order_id, price=price)).order
            else:
                placed = await self.orders.place(
                    side, self.size, price, instrument=self.instrument, post_only=True
                )
                order = placed.order
        except Refused as refused:
            print(f"{side} at {price}: {refused}", flush=True)
            if refused.name == "order_closed":  # it was met meanwhile: the next round places anew
                self.quotes.pop(side, None)
            return
        if not order.closed:
            self.quotes[side] = order
            print(f"{side} {order.remaining_quantity} at {price}", flush=True)

    def take(self, update: OrdersUpdate) -> None:
        """Account for what was met."""
        for event in update.events:
            if event.trade is not None and event.side is not None:
                bought = event.trade.quantity if event.side == "buy" else -event.trade.quantity
                self.position += bought
                quote = self.quotes.get(event.side)
                if event.closed and quote is not None and quote.order_id == event.order_id:
                    del self.quotes[event.side]
                print(f"filled {bought:+} at {event.trade.price}, have {self.position}", flush=True)


async def make(options: argparse.Namespace) -> None:
    async with open_client(options.url, patience=PATIENCE) as client:
        known = {one.instrument: one for one in await client.market.instruments()}
        instrument = known[options.instrument or next(iter(known))]
        mine = Topic.orders(instrument.instrument, CLIENT_ID)
        trades = Topic.trades(instrument.instrument)
        try:
            async with (
                client.order_socket(CLIENT_ID) as orders,
                client.stream(mine, trades) as stream,
            ):
                maker = MarketMaker(orders, instrument.instrument, instrument.tick_size, options)
                async for message in stream:
                    if isinstance(message, OrdersUpdate):
                        maker.take(message)
                    elif isinstance(message, TradesUpdate):
                        maker.price = message.trades[-1].price
                    if stream.state == "live" and not stream.statistics().waiting:
                        await maker.quote()
        finally:
            with trio.move_on_after(CANCEL_S_MAX, shield=True):
                done = await client.orders(CLIENT_ID).cancel_all(instrument.instrument)
                print(f"cancelled {done.cancelled}", flush=True)


def main() -> None:
    try:
        trio.run(make, arguments())
    except* KeyboardInterrupt:
        pass


if __name__ == "__main__":
    try:
        main()
    except TradeclearError as error:
        sys.exit(str(error))
