"""The shadow: keeps one of our books as the outside market is, less what users took of it.

Two tasks and a callback. `_follow` reads the durable records: what rests, what users took.
`_quote` compares that with the venue's book, and has at most one quote under way: what changes
meanwhile comes with the next, which is made of the newest state. Trades are sent on as they come.
"""

from collections.abc import Callable
from math import inf
from typing import Final

import trio

from tradeclear.core.quoting import LEVELS_MAX
from tradeclear.model.commands import Quote
from tradeclear.model.events import CommandRefused, Quoted, Record
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
from tradeclear.venues.shadow.withdrawal import submit, withdraw

RECORDS_MAX: Final = 65_536
"""With more records not looked at, the house begins again from nothing."""

TURN_RECORDS: Final = 512
"""So many records are looked at before others get their turn: well under a millisecond."""

PAUSE_S: Final = 0.1
"""After a quote that was carried out in part."""


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
        self._due = True
        self._woken = trio.Event()
        market.on_change(self._note_due)

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
            self._due = True
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
                self._due = True
        self._seen = max(self._seen, records[-1].seq)
        self._woken.set()

    async def _quote(self) -> None:
        """Bring the house to where it should be, one quote at a time.

        That is looked at when the venue's book changed, when users took something, and when some of
        that is to be refilled: trades of the venue in between bring the house there by themselves.
        What rests is only known from the records, so a quote is over when its own has been seen.
        """
        while True:
            if not self._due:
                await self._wait_due()
            self._due = False
            quote = self._next_quote()
            if quote is None:
                continue
            record = await submit(self._exchange, quote)
            self._metrics.shadow_quotes += 1
            while self._seen < record.seq:
                self._woken = trio.Event()
                await self._woken.wait()
            if not _carried_out(record):
                self._due = True
                await trio.sleep(PAUSE_S)
            elif LEVELS_MAX in (len(quote.bids), len(quote.asks)):
                self._due = True

    async def _wait_due(self) -> None:
        """Return when there may be something to quote."""
        with trio.move_on_after(self.impact.step_s if len(self.impact) else inf):
            while not self._due:
                self._woken = trio.Event()
                await self._woken.wait()

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

    def _note_due(self) -> None:
        self._due = True
        self._woken.set()


def _carried_out(record: Record) -> bool:
    """Whether a quote did all that it was to do. If not, it may be tried again after a pause."""
    told = record.events[0]
    if isinstance(told, CommandRefused):
        log.error(SHADOW_REFUSED, seq=record.seq, reason=told.reason)
        return False
    return isinstance(told, Quoted) and not told.left
