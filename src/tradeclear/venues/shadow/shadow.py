"""The shadow: keeps one of our books as the outside market is, less what users took of it.

Two tasks and a callback. `_follow` reads the durable records: what rests, what users took.
`_quote` compares that with the venue's book whenever something changed, and has at most one quote
under way: what changes meanwhile comes with the next, which is made of the newest state. Trades are
sent on as they come.
"""

from collections.abc import Callable
from typing import Final

import trio

from tradeclear.model.commands import CancelAll, Command, Quote
from tradeclear.model.errors import Overloaded
from tradeclear.model.events import CommandRefused, OrdersCancelled, Quoted, Record
from tradeclear.model.units import Seq
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.publisher import SlowConsumer, Subscription
from tradeclear.telemetry.events import SHADOW_BEGUN, SHADOW_BEHIND, SHADOW_REFUSED
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics
from tradeclear.venues.market import Market
from tradeclear.venues.messages import Diff, Message, Trade
from tradeclear.venues.shadow.difference import difference
from tradeclear.venues.shadow.flow import Flow
from tradeclear.venues.shadow.grid import Grid, Quantities
from tradeclear.venues.shadow.house import House
from tradeclear.venues.shadow.impact import Impact

RECORDS_MAX: Final = 65_536
"""With more records not looked at, the house begins again from nothing."""

TURN_RECORDS: Final = 512
"""So many records are looked at before others get their turn: well under a millisecond."""

PAUSE_S: Final = 0.1
"""After a command that the exchange did not take, or took in part."""


class Shadow:
    """The tasks and what they share. `levels_max` a side; `withdraw_stale`: see `_wanted`."""

    def __init__(
        self,
        exchange: Exchange,
        market: Market,
        grid: Grid,
        metrics: Metrics,
        tell_state: Callable[[str], None],
        *,
        quotes_client: str,
        trades_client: str,
        levels_max: int,
        refill_s: float,
        withdraw_stale: bool,
    ) -> None:
        self.flow: Final = Flow(exchange, grid, trades_client, metrics)
        self.impact: Final = Impact(refill_s)
        self._exchange: Final = exchange
        self._market: Final = market
        self._grid: Final = grid
        self._metrics: Final = metrics
        self._tell_state: Final = tell_state
        self._quotes_client: Final = quotes_client
        self._trades_client: Final = trades_client
        self._levels_max: Final = levels_max
        self._withdraw_stale: Final = withdraw_stale
        self.begun: Seq = 0
        """The record at which the house was last empty and began."""
        self._house = self._empty_house()
        self._seen: Seq = 0
        self._changed = trio.Event()
        market.on_change(self._wake)

    @property
    def levels(self) -> int:
        """At how many prices the house rests."""
        return len(self._house.quantities)

    def take(self, message: Message) -> None:
        """What the venue's stream says, in its order."""
        if isinstance(message, Trade):
            self.flow.take_trade(message)
        elif isinstance(message, Diff):
            self.flow.take_diff()

    async def run(self) -> None:
        """Shadow the market until the log ends. Cancelled, the house's orders stay in the book."""
        try:
            while await self._session():
                pass
        finally:
            self.flow.close()
            self._tell_state("off")

    async def _session(self) -> bool:
        """From an empty house on. False when the log has ended, true if it has to be done again."""
        with self._exchange.follow(RECORDS_MAX) as subscription:
            begun = await withdraw(self._exchange, self._trades_client, self._quotes_client)
            self.begun = self._seen = begun
            self._house = self._empty_house()
            self.flow.open(begun)
            log.info(SHADOW_BEGUN, seq=begun, instrument=self._grid.instrument.name)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._quote)
                behind = await self._follow(subscription)
                nursery.cancel_scope.cancel()
        return behind

    async def _follow(self, subscription: Subscription) -> bool:
        """Take in the records after `_seen`. True if there were too many of them."""
        try:
            while records := await subscription.take():
                for begin in range(0, len(records), TURN_RECORDS):
                    self._take_records(records[begin : begin + TURN_RECORDS])
                    await trio.lowlevel.checkpoint()
        except SlowConsumer:
            log.warning(SHADOW_BEHIND, after_seq=self._seen)
            return True
        return False

    def _take_records(self, records: list[Record]) -> None:
        now_s = trio.current_time()
        for record in records:
            if record.seq <= self._seen:
                continue
            for place, lots in self._house.take(record):
                self.impact.take(place, lots, now_s)
        self._seen = max(self._seen, records[-1].seq)
        self._wake()

    async def _quote(self) -> None:
        """Whenever something changed, bring the house to where it should be, one quote at a time.

        What rests is only known from the records, so a quote is over when its own has been seen.
        """
        while True:
            self._changed = trio.Event()
            quote = self._next_quote()
            if quote is None:
                with trio.move_on_after(self.impact.step_s if len(self.impact) else float("inf")):
                    await self._changed.wait()
                continue
            record = await submit(self._exchange, quote)
            self._metrics.shadow_quotes += 1
            while self._seen < record.seq:
                await self._changed.wait()
                self._changed = trio.Event()
            if not _carried_out(record):
                await trio.sleep(PAUSE_S)

    def _next_quote(self) -> Quote | None:
        wanted = self._wanted()
        if wanted is None:
            return None
        instrument = self._grid.instrument.name
        return difference(self._quotes_client, instrument, wanted, self._house.quantities)

    def _wanted(self) -> Quantities | None:
        """What the house should have; None if that is what it has.

        The venue's levels, less what it traded since it told them, less what users took. While they
        are stale: nothing, or what there is (`withdraw_stale` false).
        """
        reading = self._market.reading()
        if reading is None or reading.stale:
            stale = "waiting" if reading is None else "stale"
            self._tell_state(f"{stale}: {'withdrawn' if self._withdraw_stale else 'kept'}")
            return {} if self._withdraw_stale else None
        self._tell_state("quoting")
        now_s = trio.current_time()
        self.impact.forget_refilled(now_s)
        wanted = self._grid.shown(reading, self._levels_max)
        for place, shown in wanted.items():
            missing = self.flow.traded.get(place, 0) + self.impact.missing(place, now_s)
            wanted[place] = max(0, shown - missing)
        return wanted

    def _empty_house(self) -> House:
        return House(self._grid.instrument.name, self._quotes_client, self._trades_client)

    def _wake(self) -> None:
        self._changed.set()


def _carried_out(record: Record) -> bool:
    """Whether a quote did all that it was to do. If not, it may be tried again after a pause."""
    told = record.events[0]
    if isinstance(told, CommandRefused):
        log.error(SHADOW_REFUSED, seq=record.seq, reason=told.reason)
        return False
    return isinstance(told, Quoted) and not told.left


async def withdraw(exchange: Exchange, *clients: str) -> Seq:
    """Cancel all orders of `clients`; returns a record at which they had none.

    Raises `Stopping` or `OutcomeUnknown`.
    """
    seq: Seq = 0
    for client_id in clients:
        remaining = 1
        while remaining:
            record = await submit(exchange, CancelAll(client_id))
            told = record.events[0]
            assert isinstance(told, OrdersCancelled), "a cancel-all is never refused"
            seq, remaining = record.seq, told.remaining
    return seq


async def submit(exchange: Exchange, command: Command) -> Record:
    """Have `command` carried out, as soon as there is room for it.

    Raises `Stopping` or `OutcomeUnknown`.
    """
    while True:
        try:
            return (await exchange.submit(command)).record
        except Overloaded:
            await trio.sleep(PAUSE_S)
