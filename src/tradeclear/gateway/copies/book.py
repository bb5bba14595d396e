"""`GET /orderbook` out of a copy: the exchange's own reply, and how old it is.

Sums are not in the copy, and need not be: they follow from its levels, exactly.
"""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from tradeclear.gateway.admin import AliveReply
from tradeclear.gateway.fields import integer
from tradeclear.gateway.market_data import LEVELS, LEVELS_MAX
from tradeclear.gateway.problems import COPY_UNAVAILABLE, INVALID_FIELD, Reply, problem
from tradeclear.gateway.routing import Call, Parameter, Route
from tradeclear.gateway.views import Number
from tradeclear.model import decimals
from tradeclear.model.decimals import POWERS, divide_half_even
from tradeclear.model.errors import InvalidField
from tradeclear.model.instrument import DERIVED_SCALE, SCALE_MAX
from tradeclear.pipeline.book_image import BookLevel, CopyUnavailable
from tradeclear.pipeline.ports import BookCopies
from tradeclear.telemetry.metrics import CONTENT_TYPE, Metrics, exposition

RETRY_S: Final = 1.0


class CopiedLevel(Struct, frozen=True):
    """A price level; `orders` is null where the venue does not count them."""

    price: Number
    quantity: Number
    orders: int | None
    cumulative_quantity: Number
    cumulative_notional: Number


class CopiedBook(Struct, frozen=True):
    """Both sides of a book, best first, as they were `age_s` ago."""

    instrument: str
    sequence: int | None
    bids: list[CopiedLevel]
    asks: list[CopiedLevel]
    age_s: float


class ReadyReply(Struct, frozen=True):
    """Books can be shown; `age_s` of each."""

    ready: bool
    age_s: dict[str, float]


_encode: Final = msgspec.json.Encoder().encode


class CopiedBooks:
    """The routes that read copies."""

    def __init__(self, copies: BookCopies, metrics: Metrics) -> None:
        self._copies: Final = copies
        self._metrics: Final = metrics

    def routes(self) -> tuple[Route, ...]:
        """What is mounted."""
        return (
            Route(
                method="GET",
                path="/orderbook",
                name="orderbook",
                summary="A book's best levels",
                tag="market data",
                endpoint=self.orderbook,
                parameters=(
                    Parameter("instrument", "The exchange's first if left out."),
                    Parameter(
                        "levels",
                        "At most so many price levels a side.",
                        {"type": "integer", "minimum": 1, "maximum": LEVELS_MAX, "default": LEVELS},
                    ),
                ),
                replies={200: CopiedBook},
                problems=(INVALID_FIELD, COPY_UNAVAILABLE),
            ),
            Route(
                method="GET",
                path="/readyz",
                name="ready",
                summary="Whether books can be shown, and how old they are",
                tag="operation",
                endpoint=self.ready,
                replies={200: ReadyReply},
                problems=(COPY_UNAVAILABLE,),
                limited=False,
                open_query=True,
            ),
            Route(
                method="GET",
                path="/healthz",
                name="alive",
                summary="Whether the process answers",
                tag="operation",
                endpoint=self.alive,
                replies={200: AliveReply},
                limited=False,
                open_query=True,
            ),
            Route(
                method="GET",
                path="/metrics",
                name="metrics",
                summary="Figures in Prometheus' text format",
                tag="operation",
                endpoint=self.metrics,
                replies={200: None},
                limited=False,
                open_query=True,
            ),
        )

    async def orderbook(self, call: Call) -> Reply:
        """`GET /orderbook`."""
        levels = integer("levels", call.query.get("levels", str(LEVELS)), 1, LEVELS_MAX)
        try:
            name = find_book(self._copies, call.query.get("instrument"))
            image = await self._copies.image(name, levels)
        except CopyUnavailable as error:
            return unavailable(error)
        bids, asks = copied_levels(image.bids), copied_levels(image.asks)
        return Reply(200, _encode(CopiedBook(name, image.sequence, bids, asks, image.age_s)))

    async def ready(self, _call: Call) -> Reply:
        """`GET /readyz`."""
        try:
            ages = {
                name: (await self._copies.image(name, 1)).age_s for name in self._copies.names()
            }
        except CopyUnavailable as error:
            return unavailable(error)
        return Reply(200, _encode(ReadyReply(True, ages)))

    async def alive(self, _call: Call) -> Reply:
        """`GET /healthz`."""
        return Reply(200, _encode(AliveReply("alive")))

    async def metrics(self, _call: Call) -> Reply:
        """`GET /metrics`."""
        return Reply(200, exposition(self._metrics), content_type=CONTENT_TYPE)


def find_book(copies: BookCopies, name: str | None) -> str:
    """The book named, or the first. Raises `InvalidField`, `CopyUnavailable`."""
    names = copies.names()
    if name is None:
        return names[0]
    if name not in names:
        raise InvalidField("instrument", f"is not known here; known are: {', '.join(names[:20])}")
    return name


def unavailable(error: CopyUnavailable) -> Reply:
    """The reply that says why there is no book."""
    return problem(COPY_UNAVAILABLE, str(error), retry_after_s=RETRY_S)


def copied_levels(levels: list[BookLevel]) -> list[CopiedLevel]:
    """Levels with sums over each and all better ones."""
    rows = []
    total = notional = 0
    for one in levels:
        quantity = decimals.parse(one.quantity, SCALE_MAX)
        total += quantity
        notional += quantity * decimals.parse(one.price, SCALE_MAX)
        rows.append(
            CopiedLevel(
                Raw(one.price.encode()),
                Raw(one.quantity.encode()),
                one.orders,
                Raw(decimals.render(total, SCALE_MAX).encode()),
                Raw(_rounded(notional).encode()),
            )
        )
    return rows


def _rounded(notional: int) -> str:
    """A sum of prices times quantities, half-even to 8 decimals."""
    surplus = 2 * SCALE_MAX - DERIVED_SCALE
    return decimals.render(divide_half_even(notional, POWERS[surplus]), DERIVED_SCALE)
