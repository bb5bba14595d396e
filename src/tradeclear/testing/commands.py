"""Seeded streams of commands, realistic and nasty: `random.Random(seed)` is their only source.

Few prices, so that everything crosses; few clients, so that they meet themselves; small limits, so
that every window and cap is reached; ids, keys and closed orders used again on purpose. Every few
hundred commands the crowd has another mood: thin books or deep ones, sweeps, storms of cancels.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from msgspec.structs import replace

from tradeclear.model.commands import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    Command,
    Configure,
    Idempotency,
    Limits,
    PlaceOrder,
    Quote,
)
from tradeclear.model.instrument import Instrument
from tradeclear.model.order import SelfTradePrevention, TimeInForce
from tradeclear.model.units import TICK_LOTS_MAX, Lots, Micros, Ticks

FILLS_MAX: Final = 12
CANCELS_MAX: Final = 7
QUOTED_ORDERS_MAX: Final = 3
EMPTY_LEVELS_MAX: Final = 4
"""Caps of one command and of a ladder that these streams reach (see `differential.py`)."""

START: Final[Micros] = 1_700_000_000_000_000
CLIENTS: Final = (
    "ann",
    "bob",
    "cyd",
    "dee",
    "eve",
    "fay",
    "gus",
    "hal",
    "ida",
    "joe",
    "kim",
    "lee",
)
NAMES: Final = ("BTC-USD", "ETH-USD", "SOL-EUR")
UNKNOWN: Final = "XXX-USD"
MIDDLE: Final[Ticks] = 100
PRICE_MAX: Final[Ticks] = 200
QUANTITY_MAX: Final[Lots] = 5_000
SWEEPS: Final[tuple[Lots, ...]] = (15, 60, 300)
"""Enough to clear several levels of small orders."""
PATIENT_MAX: Final = 40
"""Orders that may still be open, as far as the stream knows: it hears no answers."""
RECENT_MAX: Final = 300
MOOD_COMMANDS: Final = 300

TIFS: Final[tuple[TimeInForce, ...]] = ("gtc", "ioc", "fok")
PREVENTIONS: Final[tuple[SelfTradePrevention, ...]] = (
    "none",
    "cancel_incoming",
    "cancel_resting",
    "cancel_both",
    "decrement",
)


@dataclass(frozen=True, kw_only=True)
class Mood:
    """How the crowd behaves for a while. Shares are of 100."""

    clients: int
    instruments: int
    spread: Ticks
    """Prices lie within the middle ± this."""
    apart: Ticks
    """Buyers bid so much lower and sellers ask so much higher: at 0, every second order crosses."""
    lots: tuple[Lots, ...]
    place: int
    cancel: int
    market: int
    patient: int
    prevention: int


def any_mood(random: Random) -> Mood:
    """One of some thousand moods."""
    return Mood(
        clients=random.choice((2, 3, 5, 8, len(CLIENTS))),
        instruments=random.choice((1, 1, 2, 3)),
        spread=random.choice((1, 2, 4, 8, 90)),
        apart=random.choice((0, 1, 3)),
        lots=random.choice(((1,), (1, 2, 3), (1, 2, 5, 10, 100), (1, 7, 500, QUANTITY_MAX))),
        place=random.choice((50, 60, 75)),
        cancel=random.choice((5, 15, 25)),
        market=random.choice((2, 10, 25)),
        patient=random.choice((50, 75, 95)),
        prevention=random.choice((5, 40, 90)),
    )


def commands(seed: int) -> Iterator[tuple[Micros, Command]]:
    """An endless stream of (time, command), the same for the same seed. It begins by configuring.

    It is made without hearing answers, so that a stream can be had, kept and shortened on its own.
    """
    return iter(_Crowd(Random(seed)))


class _Crowd:
    """Who makes the commands, and what they remember."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._now = START
        self._orders = 0
        self._keys = 0
        self._instruments = {name: _plain(name) for name in NAMES[:2]}
        self._mood = any_mood(random)
        self._patient: deque[PlaceOrder] = deque(maxlen=PATIENT_MAX)
        self._recent: deque[PlaceOrder] = deque(maxlen=RECENT_MAX)
        self._used: deque[Idempotency] = deque(maxlen=100)
        self._planned: deque[Command] = deque()

    def __iter__(self) -> Iterator[tuple[Micros, Command]]:
        yield self._now, Configure(tuple(self._instruments.values()), self._limits())
        while True:
            if not self._random.randrange(MOOD_COMMANDS):
                self._mood = any_mood(self._random)
                self._plan_configuration()
            self._now += self._random.choice((0, 0, 1, 7, 1_000))
            command = self._planned.popleft() if self._planned else self._any_command()
            yield self._now, self._with_key(command)

    def _any_command(self) -> Command:
        share = self._random.randrange(100)
        if share < self._mood.place or not self._recent:
            return self._place()
        if share < self._mood.place + self._mood.cancel:
            return self._cancel()
        if share < 96:
            return self._amend()
        if share < 98:
            return self._quote()
        return self._cancel_all()

    def _chance(self, percent: int) -> bool:
        return self._random.randrange(100) < percent

    # Placing

    def _place(self) -> PlaceOrder:
        random, mood = self._random, self._mood
        market = self._chance(mood.market)
        side = random.choice(("buy", "sell"))
        order = PlaceOrder(
            order_id=self._order_id(),
            client_id=self._client(),
            instrument=self._name(),
            side="buy" if side == "buy" else "sell",
            type="market" if market else "limit",
            price=self._price(side) if not market or self._chance(2) else 0,
            quantity=self._quantity(),
            time_in_force="gtc" if self._chance(mood.patient) else random.choice(TIFS),
            post_only=self._chance(10),
            self_trade_prevention=(
                random.choice(PREVENTIONS) if self._chance(mood.prevention) else "none"
            ),
            id_generated=self._chance(5),
        )
        self._recent.append(order)
        if not market and order.time_in_force == "gtc":
            self._patient.append(order)
        return order

    def _order_id(self) -> str:
        if self._recent and self._chance(4):
            return self._random.choice(self._recent).order_id
        self._orders += 1
        return f"order-{self._orders}"

    def _client(self) -> str:
        return self._random.choice(CLIENTS[: self._mood.clients])

    def _name(self) -> str:
        if self._chance(1):
            return UNKNOWN
        return self._random.choice(NAMES[: self._mood.instruments])

    def _price(self, side: str) -> Ticks:
        if self._chance(2):
            return self._random.choice((-1, 0, 1, PRICE_MAX, PRICE_MAX + 1))
        mood = self._mood
        away = self._random.randint(-mood.spread, mood.spread) - mood.apart
        return MIDDLE + away if side == "buy" else MIDDLE - away

    def _quantity(self) -> Lots:
        if self._chance(2):
            return self._random.choice((-1, 0, 1, QUANTITY_MAX, QUANTITY_MAX + 1))
        if self._chance(5):
            return self._random.choice(SWEEPS)
        return self._random.choice(self._mood.lots)

    # Afterwards

    def _some_order(self) -> PlaceOrder:
        if self._patient and self._chance(80):
            return self._random.choice(self._patient)
        return self._random.choice(self._recent)

    def _speaker(self, order: PlaceOrder) -> str | None:
        return self._client() if self._chance(10) else self._random.choice((None, order.client_id))

    def _cancel(self) -> CancelOrder:
        order = self._some_order()
        order_id = order.order_id if self._chance(98) else "never-placed"
        return CancelOrder(order_id, client_id=self._speaker(order))

    def _amend(self) -> AmendOrder:
        random, order = self._random, self._some_order()
        less = random.randint(1, max(1, order.quantity))
        more = order.quantity + random.choice((1, 10, QUANTITY_MAX))
        quantity = random.choice((0, 0, less, less, order.quantity, more, self._quantity()))
        price = random.choice((0, 0, order.price, self._price(order.side), self._price(order.side)))
        order_id = order.order_id if self._chance(99) else "never-placed"
        return AmendOrder(order_id, price, quantity, client_id=self._speaker(order))

    def _cancel_all(self) -> CancelAll:
        name = self._name() if self._chance(50) else None
        return CancelAll(self._client(), instrument=name)

    def _quote(self) -> Quote:
        """A ladder around the middle by somebody who may have other orders there too."""
        random, mood = self._random, self._mood
        apart = random.choice((0, 1, 1, 1, 2))
        middle = MIDDLE + random.randint(-mood.spread, mood.spread)
        levels = random.choice((0, 1, 3, 8))
        bids = [(middle - apart - away, self._quoted()) for away in range(levels)]
        asks = [
            (middle + apart + away, self._quoted()) for away in range(random.choice((0, levels)))
        ]
        if self._chance(2):
            bids += bids[:1]
        return Quote(self._client(), self._name(), tuple(bids), tuple(asks))

    def _quoted(self) -> Lots:
        return (
            self._random.choice((0, 1, *self._mood.lots, *self._mood.lots))
            if self._chance(98)
            else -1
        )

    def _with_key(self, command: Command) -> Command:
        """Now and then with an idempotency key: new, sent again, or used for something else."""
        if isinstance(command, Configure) or not self._chance(10):
            return command
        if self._used and self._chance(25):
            used = self._random.choice(self._used)
            if self._chance(30):
                used = replace(used, request=self._random.randbytes(16))
        else:
            used = Idempotency(self._random.randbytes(16), self._random.randbytes(16))
            self._used.append(used)
        return replace(command, idempotency=used)

    # Configuring

    def _plan_configuration(self) -> None:
        """Choose what is configured next. A change of grid comes after the cancels that it needs,
        or is hopeless, as leaving out an instrument is.
        """
        random = self._random
        instruments = dict(self._instruments)
        hopeless = False
        match random.randrange(10):
            case 0:
                del instruments[random.choice(list(instruments))]
                hopeless = True
            case 1 | 2:
                name = random.choice(NAMES)
                instruments[name] = _with_grid_of(instruments.get(name), _narrow(name, random))
            case 3:
                name = random.choice(list(instruments))
                instruments[name] = _regridded(instruments[name])
                hopeless = self._chance(20)
                if not hopeless:
                    self._planned += [CancelAll(who, name) for who in CLIENTS for _ in range(12)]
            case 4 | 5 | 6:
                for name, known in instruments.items():
                    instruments[name] = _with_grid_of(known, _plain(name))
        if not hopeless:
            self._instruments = instruments
        named = list(instruments.values())
        random.shuffle(named)
        self._planned.append(Configure(tuple(named), self._limits(), partition=random.randrange(3)))

    def _limits(self) -> Limits:
        random = self._random
        return Limits(
            open_orders_max=random.choice((10, 60, 100, 150, 150)),
            closed_orders_max=random.choice((0, 1, 30, 60, 60)),
            trades_max=random.choice((0, 1, 10, 60)),
            idempotency_keys_max=random.choice((0, 1, 10, 50)),
            idempotency_age_us=random.choice((0, 1_000, 50_000, 1_000_000)),
        )


def _plain(name: str) -> Instrument:
    """An instrument of small numbers."""
    return Instrument(
        name=name,
        price_scale=2,
        price_step=1,
        quantity_scale=5,
        quantity_step=1,
        price_ticks_max=PRICE_MAX,
        quantity_lots_min=1,
        quantity_lots_max=QUANTITY_MAX,
    )


def _narrow(name: str, random: Random) -> Instrument:
    """The same with limits that turn some orders away, or not trading at all."""
    return replace(
        _plain(name),
        price_ticks_max=random.choice((MIDDLE, PRICE_MAX)),
        quantity_lots_min=random.choice((1, 1, 1, 2)),
        quantity_lots_max=random.choice((100, QUANTITY_MAX, QUANTITY_MAX)),
        notional_min=random.choice((0, 0, 0, 2 * MIDDLE)),
        notional_max=random.choice((50 * MIDDLE, TICK_LOTS_MAX, TICK_LOTS_MAX)),
        trading=random.randrange(5) > 0,
    )


def _with_grid_of(known: Instrument | None, wanted: Instrument) -> Instrument:
    if known is None:
        return wanted
    return replace(wanted, price_step=known.price_step, price_scale=known.price_scale)


def _regridded(instrument: Instrument) -> Instrument:
    """The same with a changed tick, or with the same tick and lot written in another way."""
    match instrument.price_step:
        case 1:
            return replace(instrument, price_step=5)
        case 5:
            return replace(instrument, price_step=50, price_scale=instrument.price_scale + 1)
        case _:
            return replace(instrument, price_step=1, price_scale=2)
