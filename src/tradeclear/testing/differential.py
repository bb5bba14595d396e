"""The engine against the oracle: the same commands to both, and every answer compared.

    python -m tradeclear.testing.differential --commands 1000000 --seed 7

Exits 1 with the seed and the last commands where they differ; seed and commit reproduce it.
"""

import argparse
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final
from unittest import mock

from rich.console import Console
from rich.progress import track

from tradeclear.core import engine as core
from tradeclear.core import ladder, quoting
from tradeclear.core.engine import Engine, Events
from tradeclear.model.commands import Command, Idempotency, PlaceOrder
from tradeclear.model.errors import KeyReused
from tradeclear.model.events import (
    CommandRefused,
    Configured,
    LevelChanged,
    OrderAmended,
    OrderCancelled,
    OrderEntered,
    OrderPlaced,
    OrdersCancelled,
    Quoted,
    TradeExecuted,
)
from tradeclear.model.order import OrderState, Side
from tradeclear.model.units import Micros, Seq
from tradeclear.testing.commands import (
    CANCELS_MAX,
    EMPTY_LEVELS_MAX,
    FILLS_MAX,
    QUOTED_ORDERS_MAX,
    commands,
)
from tradeclear.testing.invariants import Watch
from tradeclear.testing.reference import Outcome, ReferenceExchange, ReferenceTrade

STATES_EVERY: Final = 20
"""Commands between two comparisons of all that both sides hold."""
TRACE_COMMANDS: Final = 12
SIDES: Final[tuple[Side, Side]] = ("buy", "sell")

Stream = Iterable[tuple[Micros, Command]]


class Difference(AssertionError):
    """Engine and oracle disagree, or an invariant is broken. The text has the last commands."""


@contextmanager
def small_caps() -> Iterator[None]:
    """Let every engine's caps be small enough for small books to reach."""
    with (
        mock.patch.multiple(core, FILLS_MAX=FILLS_MAX, CANCELS_MAX=CANCELS_MAX),
        mock.patch.object(quoting, "ORDERS_MAX", QUOTED_ORDERS_MAX),
        mock.patch.object(ladder, "EMPTY_LEVELS_MAX", EMPTY_LEVELS_MAX),
    ):
        yield


class Differential:
    """Both exchanges and what they were told lately."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.reference = ReferenceExchange(FILLS_MAX, CANCELS_MAX, QUOTED_ORDERS_MAX)
        self.applied: Seq = 0
        self._watch = Watch(self.engine)
        self._trace: deque[str] = deque(maxlen=TRACE_COMMANDS)

    def run(self, stream: Stream) -> None:
        """Give both every command of `stream`. Raises `Difference`."""
        with small_caps():
            for now, command in stream:
                self._trace.append(f"{self.applied + 1} at {now}: {command}")
                try:
                    self.feed(now, command)
                except Exception as error:
                    trace = "\n".join(self._trace)
                    raise Difference(f"{type(error).__name__}: {error}\n{trace}") from error

    def feed(self, now: Micros, command: Command) -> None:
        """Give both one command, unless its key was used before. Raises `AssertionError`."""
        if command.idempotency is not None:
            duplicate = find_duplicate(self.engine, command.idempotency)
            agree("duplicate", duplicate, self.reference.find_duplicate(command.idempotency))
            if duplicate is not None:
                return
        self.applied += 1
        events = self._watch.apply(self.applied, now, command)
        outcome = self.reference.apply(self.applied, now, command)
        agree("outcome", as_outcome(self.applied, now, command, events), outcome)
        if self.applied % STATES_EVERY == 0:
            self.compare_states()

    def compare_states(self) -> None:
        """Compare everything that both hold. Raises `AssertionError`."""
        engine, reference = self.engine, self.reference
        self._watch.check_everything()
        for instrument in reference.instruments:
            book = engine.books[instrument.name]
            for side in SIDES:
                levels = list(book.side(side).best_first())
                agree(
                    f"{instrument.name} {side} levels",
                    [(level.price, level.quantity, len(level.queue)) for level in levels],
                    reference.levels(instrument.name, side),
                )
                agree(
                    f"{instrument.name} {side} orders",
                    [order.state() for level in levels for order in level.queue.values()],
                    [order.state() for order in reference.queue(instrument.name, side)],
                )
        agree(
            "closed orders",
            [order.state() for order in engine.orders.closed()],
            [order.state() for order in reference.closed],
        )
        agree(
            "trades",
            [as_trade(t.sequence, t.timestamp, t.executed) for t in engine.trades.values()],
            [trade for _number, trade in reference.trades],
        )
        agree("keys", len(engine.keys), len(reference.keys))


def agree(what: str, engine: object, reference: object) -> None:
    """Demand that both say the same. Raises `AssertionError`."""
    assert engine == reference, f"{what}\n engine    {engine}\n reference {reference}"


def find_duplicate(engine: Engine, used: Idempotency) -> tuple[Seq, bool] | None:
    """The engine's answer in the oracle's terms."""
    try:
        seq = engine.find_duplicate(used)
    except KeyReused as reused:
        return reused.seq, False
    return None if seq is None else (seq, True)


def as_outcome(seq: Seq, now: Micros, command: Command, events: Events) -> Outcome:
    """What the events say, in the oracle's terms: no more than the log has is used."""
    first, *rest = events
    happened: list[ReferenceTrade | OrderState] = []
    for event in rest:
        match event:
            case TradeExecuted():
                happened.append(as_trade(seq, now, event))
            case OrderCancelled(order=order):
                assert order.status == "cancelled", order
                happened.append(order)
            case OrderAmended(order=order):
                assert not order.closed, order
                happened.append(order)
            case OrderEntered(order=order):
                assert order.sequence == seq, order
                happened.append(order)
            case _:
                assert isinstance(event, LevelChanged), event
    match first:
        case OrderPlaced():
            assert isinstance(command, PlaceOrder)
            order = as_state(seq, now, command, first)
            return Outcome(order=order, happened=tuple(happened))
        case CommandRefused():
            return Outcome(refused=first.reason, order=first.order)
        case OrderCancelled() | OrderAmended():
            return Outcome(order=first.order, happened=tuple(happened))
        case OrdersCancelled():
            assert first.cancelled == len(happened), first
            return Outcome(happened=tuple(happened), remaining=first.remaining)
        case Quoted():
            return Outcome(happened=tuple(happened), remaining=first.left)
        case Configured():
            return Outcome(forgotten=first.forgotten)
        case _:
            raise AssertionError(f"{first} can't come first")


def as_trade(seq: Seq, now: Micros, event: TradeExecuted) -> ReferenceTrade:
    """The trade, from the record alone."""
    return ReferenceTrade(
        instrument=event.instrument,
        buy_order_id=event.buy_order_id,
        sell_order_id=event.sell_order_id,
        maker_order_id=event.maker_order_id,
        buy_client_id=event.buy_client_id,
        sell_client_id=event.sell_client_id,
        price=event.price,
        quantity=event.quantity,
        maker_quantity=event.maker_quantity,
        maker_remaining=event.maker_remaining_quantity,
        sequence=seq,
        timestamp=now,
    )


def as_state(seq: Seq, now: Micros, command: PlaceOrder, placed: OrderPlaced) -> OrderState:
    """The whole order, from the record alone."""
    return OrderState(
        order_id=placed.order_id,
        client_id=command.client_id,
        instrument=command.instrument,
        side=command.side,
        type=command.type,
        price=command.price,
        quantity=placed.quantity,
        remaining_quantity=placed.remaining_quantity,
        notional=placed.notional,
        time_in_force=command.time_in_force,
        post_only=command.post_only,
        self_trade_prevention=command.self_trade_prevention,
        status=placed.status,
        reason=placed.reason,
        created_at=now,
        updated_at=now,
        sequence=seq,
        updated_sequence=seq,
    )


def main() -> int:
    """Run one seed; the exit code says if engine and oracle agreed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--commands", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    differential = Differential()
    begun = time.perf_counter()
    stream = islice(commands(chosen.seed), chosen.commands)
    try:
        differential.run(
            track(stream, f"seed {chosen.seed}", total=chosen.commands, console=console)
        )
    except Difference as difference:
        console.print(f"seed {chosen.seed} differs at {differential.applied}:", markup=False)
        console.print(str(difference), markup=False)
        return 1
    seconds = time.perf_counter() - begun
    console.print(f"{chosen.commands} commands, seed {chosen.seed}, {seconds:.0f} s: no difference")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
