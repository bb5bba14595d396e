"""Replay an hour of real NASDAQ order flow through the API and compare with what really happened.

    python bench/lobster_replay.py --url http://127.0.0.1:8000      against a running server
    python bench/lobster_replay.py [--wal-dir DIR] [--kill]          starts a server of its own

The record (LOBSTER, AAPL, 2012-06-21, 09:30 to 10:30) holds every visible order event and the best
bid and ask after each. New orders are entered, reductions amended, deletions cancelled, and the
executions of one aggressor become one incoming limit order: the exchange must find the same makers,
prices and sizes in the same order by itself. After every row best bid and ask are asked for with
GET /orderbook. Where makers differ (hidden liquidity, feed order), the book is put back with
ordinary orders and the replay goes on.

`Replay` knows the record and no transport: it yields requests and is sent what came back.
"""

import argparse
import gzip
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias
from urllib.parse import quote, urlsplit

import msgspec
import trio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from tradeclear.testing.server import Connection, Reply, Server, running_server

CHECKOUT: Final = Path(__file__).resolve().parent.parent
AGGRESSORS_EXACT_MIN: Final = 3_315
"""3,310 is what was asked for; an exchange that loses priority on a reduction has that too."""
BEST_EQUAL_MIN: Final = 91_162
ROWS: Final = 91_997
DIFFERENCES_SHOWN_MAX: Final = 20
PAGE: Final = 1_000

Side = Literal["buy", "sell"]


# The record


class Message(NamedTuple):
    """A row of the record. `kind`: 1 new, 2 reduced, 3 deleted, 4 executed, 5 hidden execution."""

    time: str
    kind: int
    order_id: str
    size: int
    price: int
    side: Side


class Best(NamedTuple):
    """Best ask and bid, prices in cents."""

    ask_price: int
    ask_size: int
    bid_price: int
    bid_size: int


class Hour(NamedTuple):
    """The record: every message, the best prices after each, and the book after the first."""

    messages: list[Message]
    best: list[Best]
    opening: list[tuple[Side, int, int]]


def read_hour(folder: Path) -> Hour:
    """Read the recording from `folder` or its sub-folder lobster/. Prices become cents."""
    if (folder / "lobster").is_dir():
        folder = folder / "lobster"
    messages = [
        Message(at, int(kind), order_id, int(size), cents(price), side_of(direction))
        for at, kind, order_id, size, price, direction in _rows(folder, "*_message_50.csv.gz")
    ]
    best = [
        Best(cents(ask), int(ask_size), cents(bid), int(bid_size))
        for ask, ask_size, bid, bid_size in _rows(folder, "*_BBOonly.csv.gz")
    ]
    levels = next(_rows(folder, "*_full200cols.csv.gz"))
    opening: list[tuple[Side, int, int]] = []
    for ask, ask_size, bid, bid_size in zip(*(levels[i::4] for i in range(4)), strict=True):
        opening += [("sell", cents(ask), int(ask_size)), ("buy", cents(bid), int(bid_size))]
    return Hour(messages, best, opening)


def _rows(folder: Path, pattern: str) -> Generator[list[str]]:
    paths = sorted(folder.glob(pattern))
    if len(paths) != 1:
        raise SystemExit(f"{folder}: expected one file {pattern}, found {len(paths)}")
    with gzip.open(paths[0], "rt", encoding="ascii") as lines:
        for line in lines:
            yield line.rstrip("\n").split(",")


def cents(price: str) -> int:
    """The record's price x 10,000 as cents. Only hidden executions, ignored, lie between them."""
    return int(price) // 100


def side_of(direction: str) -> Side:
    return "buy" if direction == "1" else "sell"


def opposite(side: Side) -> Side:
    return "sell" if side == "buy" else "buy"


# What the replay asks of an exchange, and what it is told


class Place(NamedTuple):
    """Enter a limit order."""

    order_id: str
    side: Side
    price: int
    quantity: int


class Cancel(NamedTuple):
    """Cancel an order."""

    order_id: str


class Amend(NamedTuple):
    """Change an order's total quantity."""

    order_id: str
    quantity: int


class Look(NamedTuple):
    """Ask for best ask and bid; `row` of the record was the last one carried out."""

    row: int


class Fill(NamedTuple):
    """What an incoming order traded with one maker."""

    maker_id: str
    price: int
    quantity: int


Request: TypeAlias = Place | Cancel | Amend | Look
Answer: TypeAlias = list[Fill] | Best
Steps: TypeAlias = Generator[Request, Answer]


# The replay


@dataclass(slots=True)
class Figures:
    """What came of it. `rows` and `aggressors` are the denominators."""

    rows: int = 0
    best_equal: int = 0
    aggressors: int = 0
    exact: int = 0
    same_price_and_size: int = 0
    commands: int = 0
    put_back: int = 0
    anonymous: int = 0
    skipped: int = 0
    differences: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Entered:
    """An order that was entered, under the name that the record gives it."""

    record_id: str
    side: Side
    price: int
    quantity: int
    filled: int = 0

    @property
    def remaining(self) -> int:
        return self.quantity - self.filled


class Replay:
    """The hour as requests to one exchange, whose book must be empty at the start."""

    def __init__(self, hour: Hour, rows_max: int = ROWS) -> None:
        self.hour = hour
        self.rows_max = min(rows_max, len(hour.messages))
        self.figures = Figures()
        self.entered: dict[str, Entered] = {}
        self._current: dict[str, str] = {}

    def steps(self) -> Steps:
        """Every request in order; send each one's answer in."""
        yield from self._open()
        row = 1
        while row < self.rows_max:
            message = self.hour.messages[row]
            match message.kind:
                case 1:
                    yield from self._enter(message.order_id, message)
                case 2 | 3:
                    yield from self._reduce_or_delete(message)
                case 4:
                    group = self._group(row)
                    yield from self._aggress(row, group)
                    row += len(group) - 1
            yield from self._compare(row)
            row += 1

    def levels(self, side: Side) -> list[tuple[int, int]]:
        """What should rest now: price and quantity, best first."""
        totals: Counter[int] = Counter()
        for order in self.entered.values():
            if order.side == side:
                totals[order.price] += order.remaining
        return sorted(((p, q) for p, q in totals.items() if q), reverse=side == "buy")

    def _open(self) -> Steps:
        """One anonymous order a level, and message 1, which is an order of its level."""
        first = self.hour.messages[0]
        for side, price, quantity in self.hour.opening:
            if (side, price) == (first.side, first.price):
                quantity -= first.size
            if quantity:
                name = anonymous_id(side, price)
                yield from self._enter(name, Message("", 1, name, quantity, price, side))
        yield from self._enter(first.order_id, first)

    def _enter(self, order_id: str, message: Message) -> Steps:
        fills = yield from self._place(order_id, message.order_id, message)
        assert not fills, f"{message} should rest, but traded: {fills}"
        self._current[message.order_id] = order_id

    def _reduce_or_delete(self, message: Message) -> Steps:
        known = message.order_id in self._current
        order_id = self._find(message)
        if order_id is None:
            self.figures.skipped += 1
            return
        self.figures.anonymous += not known
        whole = message.kind == 3 and known
        remaining = self.entered[order_id].remaining
        yield from self._lower(order_id, remaining if whole else message.size)

    def _group(self, row: int) -> list[Message]:
        """The executions from `row` on that one aggressor caused: one time, one side."""
        messages, first = self.hour.messages, self.hour.messages[row]
        end = row
        while end < len(messages) and (
            (messages[end].kind, messages[end].time, messages[end].side)
            == (4, first.time, first.side)
        ):
            end += 1
        return messages[row:end]

    def _aggress(self, row: int, group: list[Message]) -> Steps:
        """One incoming order for the group, compared with the record, the book put back."""
        wanted: list[Fill] = []
        for message in group:
            order_id = self._find(message)
            assert order_id is not None, f"row {row}: nothing rests that {message} could fill"
            record_id = self.entered[order_id].record_id
            if wanted and wanted[-1].maker_id == record_id:
                wanted[-1] = wanted[-1]._replace(quantity=wanted[-1].quantity + message.size)
            else:
                wanted.append(Fill(record_id, message.price, message.size))
        side = opposite(group[0].side)
        worst = (max if side == "buy" else min)(message.price for message in group)
        size = sum(message.size for message in group)
        name = f"aggressor-{row}"
        order = Message(group[0].time, 4, name, size, worst, side)
        fills = yield from self._place(name, name, order)
        got = [fill._replace(maker_id=self.entered[fill.maker_id].record_id) for fill in fills]
        self._judge(row, wanted, got)
        if got != wanted:
            before = self.figures.commands
            yield from self._lower(name, self.entered[name].remaining)
            yield from self._put_back(wanted, got)
            self.figures.put_back += self.figures.commands - before

    def _judge(self, row: int, wanted: list[Fill], got: list[Fill]) -> None:
        figures = self.figures
        figures.aggressors += 1
        if got == wanted:
            figures.exact += 1
        else:
            figures.same_price_and_size += by_price(got) == by_price(wanted)
            figures.differences.append(f"row {row + 1}: record {wanted}, exchange {got}")

    def _put_back(self, wanted: list[Fill], got: list[Fill]) -> Steps:
        """Fill what should have been filled, then enter again what should still rest."""
        short = by_maker(wanted) - by_maker(got)
        surplus = by_maker(got) - by_maker(wanted)
        for record_id, quantity in short.items():
            yield from self._lower(self._current[record_id], quantity)
        for record_id, quantity in surplus.items():
            order_id = self._current[record_id]
            order = self.entered[order_id]
            if order.remaining:
                yield from self._amend(order_id, order.quantity + quantity)
            else:
                again = f"{order_id}-again"
                rest = Message("", 1, record_id, quantity, order.price, order.side)
                yield from self._enter(again, rest)

    def _find(self, message: Message) -> str | None:
        """The id of the order that `message` speaks of: its own, else its price's anonymous one."""
        names = (message.order_id, anonymous_id(message.side, message.price))
        order_id = next((self._current[name] for name in names if name in self._current), None)
        if order_id is None or not self.entered[order_id].remaining:
            return None
        return order_id

    # Requests, each noted as carried out

    def _place(
        self, order_id: str, record_id: str, message: Message
    ) -> Generator[Request, Answer, list[Fill]]:
        fills = yield from self._command(Place(order_id, message.side, message.price, message.size))
        order = Entered(record_id, message.side, message.price, message.size)
        self.entered[order_id] = order
        for fill in fills:
            self.entered[fill.maker_id].filled += fill.quantity
            order.filled += fill.quantity
        return fills

    def _lower(self, order_id: str, quantity: int) -> Steps:
        """Take `quantity` off an order; cancel it if that is all (an order without any is left)."""
        order = self.entered[order_id]
        if quantity < order.remaining:
            yield from self._amend(order_id, order.quantity - quantity)
        elif order.remaining:
            yield from self._command(Cancel(order_id))
            order.quantity = order.filled

    def _amend(self, order_id: str, quantity: int) -> Steps:
        fills = yield from self._command(Amend(order_id, quantity))
        assert not fills, f"amending {order_id} traded: {fills}"
        self.entered[order_id].quantity = quantity

    def _command(self, request: Request) -> Generator[Request, Answer, list[Fill]]:
        self.figures.commands += 1
        answer = yield request
        assert isinstance(answer, list)
        return answer

    def _compare(self, row: int) -> Steps:
        best = yield Look(row)
        self.figures.rows += 1
        self.figures.best_equal += best == self.hour.best[row]


def anonymous_id(side: Side, price: int) -> str:
    return f"opening-{side}-{price}"


def by_price(fills: list[Fill]) -> Counter[int]:
    total: Counter[int] = Counter()
    for fill in fills:
        total[fill.price] += fill.quantity
    return total


def by_maker(fills: list[Fill]) -> Counter[str]:
    total: Counter[str] = Counter()
    for fill in fills:
        total[fill.maker_id] += fill.quantity
    return total


# The exchange behind its API


class ShownLevel(msgspec.Struct):
    """A level of GET /orderbook."""

    price: Decimal
    quantity: Decimal


class ShownBook(msgspec.Struct):
    """GET /orderbook, as far as it matters here."""

    bids: list[ShownLevel]
    asks: list[ShownLevel]


class ShownTrade(msgspec.Struct):
    """A trade in an order's reply."""

    maker_order_id: str
    price: Decimal
    quantity: Decimal


class ShownOutcome(msgspec.Struct):
    """The reply to an order, a cancel or an amend, as far as it matters here."""

    trades: list[ShownTrade] = []


_book = msgspec.json.Decoder(ShownBook)
_outcome = msgspec.json.Decoder(ShownOutcome)


class Refused(Exception):
    """The server answered a request of the replay with an error."""


class Api:
    """Carries out the replay's requests over HTTP, one at a time, orders and reads apart.

    Reads may be answered by another part of the server than orders, which keeps the connection.
    """

    def __init__(
        self, orders: Connection, changes: Connection, reads: Connection, instrument: str
    ) -> None:
        self._orders = orders
        self._changes = changes
        self._reads = reads
        self.instrument = instrument
        self.requests = 0

    async def answer(self, request: Request) -> Answer:
        match request:
            case Look():
                return await self._best()
            case Place():
                return await self._place(request)
            case Cancel(order_id):
                path = f"/orders/{quote(order_id)}/cancel"
                return fills_of(await self._call(self._changes, "POST", path))
            case Amend(order_id, quantity):
                path, body = f"/orders/{quote(order_id)}", b'{"quantity":%d}' % quantity
                return fills_of(await self._call(self._changes, "PATCH", path, body))

    async def _place(self, order: Place) -> list[Fill]:
        body = {
            "order_id": order.order_id,
            "client_id": "lobster",
            "instrument": self.instrument,
            "side": order.side,
            "type": "limit",
            "price": price_text(order.price),
            "quantity": order.quantity,
            "idempotency_key": order.order_id,
        }
        return fills_of(
            await self._call(self._orders, "POST", "/orders", msgspec.json.encode(body))
        )

    async def _best(self) -> Best:
        reply = await self.get(f"/orderbook?instrument={quote(self.instrument)}&levels=1")
        book = _book.decode(reply.body)
        if not book.asks or not book.bids:
            raise Refused(f"a side of the book is empty: {reply.body!r}")
        ask, bid = book.asks[0], book.bids[0]
        return Best(
            shown_cents(ask.price), int(ask.quantity), shown_cents(bid.price), int(bid.quantity)
        )

    async def get(self, path: str) -> Reply:
        return await self._call(self._reads, "GET", path)

    async def post(self, path: str) -> Reply:
        return await self._call(self._reads, "POST", path)

    async def _call(
        self, connection: Connection, method: str, path: str, body: bytes = b""
    ) -> Reply:
        """One request; comes again when told that it came too fast. Raises `Refused`."""
        while True:
            self.requests += 1
            reply = await connection.request(method, path, body)
            if reply.status != 429:
                break
            await trio.sleep(float(reply.headers["retry-after"]))
        if not 200 <= reply.status < 300:
            raise Refused(f"{method} {path} {body!r}: {reply.status} {reply.body!r}")
        return reply


@asynccontextmanager
async def open_api(url: str, instrument: str) -> AsyncGenerator[Api]:
    """Connections to the server at `url`."""
    address = urlsplit(url)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    async with AsyncExitStack() as stack:
        orders, changes, reads = [
            await stack.enter_async_context(await Connection.open(host, port)) for _ in range(3)
        ]
        yield Api(orders, changes, reads, instrument)


def fills_of(reply: Reply) -> list[Fill]:
    return [
        Fill(trade.maker_order_id, shown_cents(trade.price), int(trade.quantity))
        for trade in _outcome.decode(reply.body).trades
    ]


def price_text(price: int) -> str:
    return f"{price // 100}.{price % 100:02}"


def shown_cents(price: Decimal) -> int:
    return int(price * 100)


def configuration(instrument: str) -> str:
    """What a server must be configured with, as TOML."""
    return (
        f'[[instruments]]\nname = "{instrument}"\ntick_size = "0.01"\nlot_size = "1"\n'
        'price_max = "100000"\nquantity_max = "1000000"\n'
    )


async def check_instrument(api: Api) -> None:
    """End with a hint unless the instrument is there, on the grid of the record, and untouched."""
    found = (await api.get("/instruments")).json()["instruments"]
    mine = [one for one in found if one["instrument"] == api.instrument]
    if not mine or (mine[0]["tick_size"], mine[0]["lot_size"]) != (Decimal("0.01"), 1):
        raise SystemExit(
            f"the server has no {api.instrument} with tick 0.01 and lot 1; put this into its "
            f"configuration file:\n\n{configuration(api.instrument)}"
        )
    if any((await show_book(api)).values()):
        raise SystemExit(f"the book of {api.instrument} is not empty: replay on a fresh log")


async def show_book(api: Api) -> dict[Side, list[tuple[int, int]]]:
    reply = await api.get(f"/orderbook?instrument={quote(api.instrument)}&levels={PAGE}")
    book = _book.decode(reply.body)
    return {
        "buy": [(shown_cents(level.price), int(level.quantity)) for level in book.bids],
        "sell": [(shown_cents(level.price), int(level.quantity)) for level in book.asks],
    }


async def replay_through(api: Api, replay: Replay, console: Console) -> float:
    """Carry out the whole replay. Returns its seconds."""
    steps = replay.steps()
    started = time.perf_counter()
    with Progress(
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        task = progress.add_task("rows", total=replay.rows_max)
        try:
            request = next(steps)
            while True:
                if isinstance(request, Look) and request.row % 100 == 0:
                    progress.update(task, completed=request.row)
                request = steps.send(await api.answer(request))
        except StopIteration:
            progress.update(task, completed=replay.rows_max)
    return time.perf_counter() - started


# What a restart must bring back


class Portrait(NamedTuple):
    """All that the API tells, byte for byte, and the hash of the state."""

    state_hash: str
    book: bytes
    trades: list[bytes]
    orders: list[bytes]


async def portray(api: Api) -> Portrait:
    name = quote(api.instrument)
    trades: list[bytes] = []
    before = ""
    while True:
        reply = await api.get(f"/trades?instrument={name}&limit={PAGE}{before}")
        trades.append(reply.body)
        page = reply.json()["trades"]
        if len(page) < PAGE:
            break
        before = f"&before={page[-1]['trade_id']}"
    orders: list[bytes] = []
    cursor = ""
    while True:
        reply = await api.get(f"/orders?client_id=lobster&limit={PAGE}{cursor}")
        orders.append(reply.body)
        next_cursor = reply.json()["next_cursor"]
        if next_cursor is None:
            break
        cursor = f"&cursor={quote(str(next_cursor))}"
    book = await api.get(f"/orderbook?instrument={name}&levels={PAGE}")
    snapshot = (await api.post("/admin/snapshots")).json()
    return Portrait(snapshot["state_hash"], book.body, trades, orders)


def differing(before: Portrait, after: Portrait) -> list[str]:
    return [
        name for name, one, two in zip(Portrait._fields, before, after, strict=True) if one != two
    ]


# The program


async def replay_against(url: str, hour: Hour, options: argparse.Namespace) -> bool:
    """Replay against the server at `url`, print the figures; whether they are good."""
    console = Console(stderr=True)
    async with open_api(url, options.instrument) as api:
        await check_instrument(api)
        replay = Replay(hour, options.rows)
        seconds = await replay_through(api, replay, console)
        good = report(replay, api, seconds)
        shown = await show_book(api)
    for side in ("buy", "sell"):
        if shown[side] != replay.levels(side):
            print(f"the {side} side of the book is not what was entered: {shown[side]}")
            good = False
    return good


async def replay_on_own_server(hour: Hour, options: argparse.Namespace) -> bool:
    """Start a server and replay; its home stays if anything was not good."""
    home = Path(tempfile.mkdtemp(prefix="lobster-replay-"))
    config = configuration(options.instrument)
    async with running_server(home, wal_dir=options.wal_dir, config=config) as server:
        print(f"server {server.pid} at {server.url}, home {home}, log {server.wal_dir}")
        good = await replay_against(server.url, hour, options)
        if options.kill:
            good &= await kill_and_compare(server, options.instrument)
    if good:
        shutil.rmtree(home)
    return good


async def kill_and_compare(server: Server, instrument: str) -> bool:
    """`kill -9`, start again; whether everything is as it was and the log verifies."""
    async with open_api(server.url, instrument) as api:
        before = await portray(api)
    started = time.perf_counter()
    await server.restart()
    seconds = time.perf_counter() - started
    async with open_api(server.url, instrument) as api:
        after = await portray(api)
    wrong = differing(before, after)
    print(f"kill -9 and restart  {seconds:.2f} s, state hash {after.state_hash}")
    print(f"differing after it   {', '.join(wrong) or 'nothing'}")
    verified = await server.command("wal", "verify", "--replay", str(server.wal_dir))
    print(f"wal verify --replay  exit code {verified.returncode}")
    print((verified.stdout + verified.stderr).decode().rstrip())
    return not wrong and verified.returncode == 0


def report(replay: Replay, api: Api, seconds: float) -> bool:
    """Print what came of it; whether a correct exchange can't have done better."""
    figures = replay.figures
    table = Table(show_header=False, box=None, highlight=True)
    for name, value in (
        ("aggressors exact", f"{figures.exact:,} of {figures.aggressors:,}"),
        ("others equal in price and size", f"{figures.same_price_and_size:,}"),
        ("best bid and ask equal after", f"{figures.best_equal:,} of {figures.rows:,} rows"),
        ("commands", f"{figures.commands:,} ({figures.put_back} to put the book back)"),
        ("on an anonymous order, skipped", f"{figures.anonymous}, {figures.skipped}"),
        ("requests", f"{api.requests:,} in {seconds:.1f} s, {api.requests / seconds:,.0f}/s"),
    ):
        table.add_row(name, value)
    Console().print(table)
    for difference in figures.differences[:DIFFERENCES_SHOWN_MAX]:
        print(difference)
    if replay.rows_max < ROWS:
        return True
    return figures.exact >= AGGRESSORS_EXACT_MIN and figures.best_equal >= BEST_EQUAL_MIN


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    data = Path(os.environ.get("TRADECLEAR_DATA") or CHECKOUT.parent / "shared" / "data")
    parser.add_argument("--url", help="a running server; none: start one")
    parser.add_argument("--data", type=Path, default=data, help=f"recorded data ({data})")
    parser.add_argument("--instrument", default="AAPL")
    parser.add_argument("--rows", type=int, default=ROWS, help="stop after so many rows")
    parser.add_argument("--wal-dir", type=Path, help="the own server's log (a temporary folder)")
    parser.add_argument("--kill", action="store_true", help="kill -9 the own server and compare")
    options = parser.parse_args()
    if options.url and (options.kill or options.wal_dir):
        parser.error("--kill and --wal-dir are for a server of its own, without --url")
    return options


def main() -> None:
    options = parse_arguments()
    hour = read_hour(options.data)
    run = partial(replay_against, options.url) if options.url else replay_on_own_server
    sys.exit(0 if trio.run(run, hour, options) else 1)


if __name__ == "__main__":
    main()
