"""What a client knows: everything it sent, everything that was acknowledged, and what follows.

The replies of all commands together determine every order: an order is as the last command on it
said, and then as the trades say that it made as a maker. So the ledger predicts what the exchange
must answer, to the last field, and finds what was lost, doubled or changed. It does no I/O.
"""

import json
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal
from random import Random
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote, unquote

import msgspec

Json = dict[str, Any]
Kind = Literal["lost", "doubled", "differing"]

NOT_LOGGED: Final = frozenset({400, 405, 413, 415, 422, 429, 503})
"""Statuses of requests that were refused before the matcher, and of those that may have been."""

INSTRUMENT: Final = "BTC-USD"
MID_CENTS: Final = 7_000_000
BATCH_SHARE: Final = 0.05
BATCH_MAX: Final = 8
CANCEL_ALL_SHARE: Final = 0.01
OWN_ORDERS_MAX: Final = 50

DERIVED_STEP: Final = Decimal("0.00000001")
_exact = Context(prec=60, rounding=ROUND_HALF_EVEN)


class Answer(NamedTuple):
    """An acknowledgement as it came."""

    status: int
    body: bytes

    def json(self) -> Json:
        """The body with exact numbers."""
        parsed = json.loads(self.body, parse_float=Decimal)
        assert isinstance(parsed, dict), f"not an object: {self.body!r}"
        return parsed


@dataclass(slots=True)
class Sent:
    """A command that was sent under an idempotency key. `answer` None: not acknowledged (yet)."""

    key: str
    client_id: str
    method: str
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    answer: Answer | None = None


class Finding(NamedTuple):
    """Something that must not be."""

    kind: Kind
    text: str


class Ledger:
    """The commands of one log, from its first to its last."""

    def __init__(self, first_sequence: int) -> None:
        self.first_sequence = first_sequence
        """The log's last sequence before the first of these commands."""
        self.sent: Final[list[Sent]] = []
        self.trades: Final[dict[int, Json]] = {}
        self.told: Final[dict[str, Json]] = {}
        """The newest state of each order that a reply to a command on it told."""
        self.touched: Final[set[str]] = set()
        """Orders that were placed, changed or traded since this was last emptied."""
        self.swept: Final[set[str]] = set()
        """Orders that a cancel-all closed; its reply does not tell when."""
        self.forgotten: Final[Counter[str]] = Counter()
        """What was bought, sold and traded by orders and trades that are not kept any more."""
        self._by_order: Final[defaultdict[str, list[Json]]] = defaultdict(list)

    def send(self, sent: Sent) -> Sent:
        """Note that a command is about to be sent."""
        self.sent.append(sent)
        return sent

    def acknowledge(self, sent: Sent, answer: Answer) -> list[Finding]:
        """Note the first answer to a command. Returns what is wrong with it by itself."""
        assert sent.answer is None, f"{sent.key} was answered before"
        sent.answer = answer
        if answer.status >= 500:
            return [Finding("differing", f"{describe(sent)}: {answer.status} {answer.body!r}")]
        if answer.status >= 300:
            return []
        told = answer.json()
        if "order_ids" in told:
            self.swept.update(told["order_ids"])
            self.touched.update(told["order_ids"])
            return []
        self._learn(told["order"])
        return [finding for trade in told.get("trades", ()) for finding in self._trade(trade)]

    def _learn(self, order: Json) -> None:
        order_id = order["order_id"]
        self.touched.add(order_id)
        known = self.told.get(order_id)
        if known is None or known["updated_sequence"] <= order["updated_sequence"]:
            self.told[order_id] = order

    def _trade(self, trade: Json) -> list[Finding]:
        known = self.trades.get(trade["trade_id"])
        if known is not None:
            return [Finding("doubled", f"trade {trade} was told of before: {known}")]
        self.trades[trade["trade_id"]] = trade
        for order_id in (trade["buy_order_id"], trade["sell_order_id"]):
            self._by_order[order_id].append(trade)
            self.touched.add(order_id)
        return []

    def unacknowledged(self) -> list[Sent]:
        """Commands whose outcome is unknown."""
        return [sent for sent in self.sent if sent.answer is None]

    def acknowledged(self) -> int:
        """How many commands were answered."""
        return sum(sent.answer is not None for sent in self.sent)

    def logged(self) -> int:
        """How many records the acknowledged commands have made."""
        return sum(
            sent.answer is not None and sent.answer.status not in NOT_LOGGED for sent in self.sent
        )

    def expected(self, order_id: str) -> Json:
        """The order as it must be now, if every command was acknowledged."""
        order = self._after_trades(order_id)
        if order_id in self.swept:
            order["status"], order["closed"] = "cancelled", True
        return order

    def _after_trades(self, order_id: str) -> Json:
        order = dict(self.told[order_id])
        trades = self._by_order.get(order_id, [])
        later = [trade for trade in trades if trade["sequence"] > order["updated_sequence"]]
        if not later:
            return order
        last = max(later, key=lambda trade: int(trade["sequence"]))
        order["filled_quantity"] += sum(trade["quantity"] for trade in later)
        order["remaining_quantity"] = order["quantity"] - order["filled_quantity"]
        done = not order["remaining_quantity"]
        order["status"] = "filled" if done else "partially_filled"
        order["closed"] = done
        order["average_price"] = average_price(trades)
        order["updated_sequence"], order["updated_at"] = last["sequence"], last["timestamp"]
        return order

    # What must not be

    def check_repeat(self, sent: Sent, answer: Answer, replayed: bool) -> list[Finding]:
        """The answer to an acknowledged command that was sent again with its key."""
        assert sent.answer is not None
        if not replayed:
            return [Finding("lost", f"{describe(sent)}: the key is not known any more: {answer}")]
        if answer != sent.answer:
            return [
                Finding("differing", f"{describe(sent)}: first {sent.answer}, repeated {answer}")
            ]
        return []

    def check_order(self, order_id: str, shown: Json | None) -> list[Finding]:
        """What the exchange shows of an order that it has acknowledged (None: it has none)."""
        expected = self.expected(order_id)
        if shown is None:
            return [Finding("lost", f"order {order_id} is gone; it should be {expected}")]
        names = expected.keys() | shown.keys()
        if order_id in self.swept and shown["updated_sequence"] > expected["updated_sequence"]:
            names -= {"updated_sequence", "updated_at"}
        wrong = sorted(name for name in names if expected.get(name) != shown.get(name))
        if wrong:
            return [Finding("differing", f"{wrong} of order {shown}; it should be {expected}")]
        return []

    def check_listing(self, clients: Iterable[str], shown: Iterable[Json]) -> list[Finding]:
        """All orders of some clients: those that were acknowledged, each once, and no others."""
        clients = set(clients)
        counted = Counter(order["order_id"] for order in shown)
        mine = {name for name, order in self.told.items() if order["client_id"] in clients}
        lost = [Finding("lost", f"order {name} is not listed") for name in mine - counted.keys()]
        return lost + [
            Finding("doubled", f"order {name} is listed {times} x")
            for name, times in counted.items()
            if times > 1 or name not in mine
        ]

    def check_trades(self, shown: Iterable[Json]) -> list[Finding]:
        """All trades that the exchange tells of."""
        found: list[Finding] = []
        listed: set[int] = set()
        for trade in shown:
            trade_id = trade["trade_id"]
            if trade_id in listed or trade_id not in self.trades:
                found.append(Finding("doubled", f"nobody was told of trade {trade}"))
            elif self.trades[trade_id] != trade:
                told = self.trades[trade_id]
                found.append(Finding("differing", f"trade {trade}; the reply said {told}"))
            listed.add(trade_id)
        gone = self.trades.keys() - listed
        return found + [Finding("lost", f"trade {self.trades[name]}") for name in gone]

    def check_sequence(self, last_sequence: int) -> list[Finding]:
        """The log has one record for each command: fewer were lost, more were doubled."""
        surplus = last_sequence - self.first_sequence - self.logged()
        if not surplus:
            return []
        kind: Kind = "doubled" if surplus > 0 else "lost"
        return [Finding(kind, f"the log has {surplus:+} records than were acknowledged")]

    def check_sums(self, orders: Mapping[str, Json]) -> list[Finding]:
        """What was bought, what was sold and what was traded: three equal numbers."""
        sums = Counter(self.forgotten)
        for order in orders.values():
            sums[order["side"]] += order["filled_quantity"]
            if order["remaining_quantity"] < 0:
                return [Finding("differing", f"filled beyond its quantity: {order}")]
        traded = sums["traded"] + sum(trade["quantity"] for trade in self.trades.values())
        if sums["buy"] == sums["sell"] == traded:
            return []
        text = f"bought {sums['buy']}, sold {sums['sell']}, traded {traded}"
        return [Finding("differing", text)]


def average_price(trades: Iterable[Json]) -> Decimal:
    """What a unit cost on average in `trades`, rounded half-even to 8 decimals."""
    pairs = [(Decimal(trade["price"]), Decimal(trade["quantity"])) for trade in trades]
    notional = Decimal(0)
    quantity = Decimal(0)
    for price, amount in pairs:
        notional = _exact.add(notional, _exact.multiply(price, amount))
        quantity = _exact.add(quantity, amount)
    return _exact.quantize(_exact.divide(notional, quantity), DERIVED_STEP)


def describe(sent: Sent) -> str:
    """A command in one line."""
    return f"{sent.method} {sent.path} {sent.body.decode()} (key {sent.key})"


# Something to enter into it


class Client:
    """A trader of one cycle: invents commands, and remembers which orders it could change."""

    def __init__(
        self,
        name: str,
        draw: Random,
        ledger: Ledger,
        *,
        own_orders_max: int = OWN_ORDERS_MAX,
        batch_max: int = BATCH_MAX,
    ) -> None:
        self.name: Final = name
        self._batch_max: Final = batch_max
        self._draw: Final = draw
        self._ledger: Final = ledger
        self._own: Final[deque[str]] = deque(maxlen=own_orders_max)
        self._count = 0

    def next_request(self) -> tuple[list[Sent], bytes | None]:
        """Invent some commands; with a body, that body sends them together as a batch."""
        chance = self._draw.random()
        if chance < BATCH_SHARE:
            return self._batch()
        if chance > 1 - CANCEL_ALL_SHARE:
            return [self._cancel_all()], None
        return [self._command()], None

    def _command(self) -> Sent:
        chance = self._draw.random()
        if self._own and chance < 0.15:
            return self._cancel(self._draw.choice(self._own))
        if self._own and chance < 0.25:
            return self._amend(self._draw.choice(self._own))
        return self._place()

    def _batch(self) -> tuple[list[Sent], bytes]:
        sends = [self._command() for _ in range(self._draw.randint(1, self._batch_max))]
        return sends, msgspec.json.encode({"orders": [element_of(sent) for sent in sends]})

    def learn(self, sent: Sent) -> None:
        """An order that rests can be changed later; now and then a closed one is asked to."""
        assert sent.answer is not None
        if sent.path == "/orders" and sent.answer.status == 201:
            order = sent.answer.json()["order"]
            if not order["closed"] or self._draw.random() < 0.1:
                self._own.append(order["order_id"])

    def _place(self) -> Sent:
        draw = self._draw
        side = draw.choice(["buy", "sell"])
        away = draw.randint(-60, 100)
        cents = MID_CENTS - away if side == "buy" else MID_CENTS + away
        lots = draw.randint(1, 300_000)
        body: Json = {
            "client_id": self.name,
            "instrument": INSTRUMENT,
            "side": side,
            "type": "limit",
            "price": f"{cents // 100}.{cents % 100:02}",
            "quantity": f"{lots // 100_000}.{lots % 100_000:05}",
        }
        kind = draw.random()
        if kind < 0.06:
            body["type"] = "market"
            del body["price"]
        elif kind < 0.12:
            body["time_in_force"] = draw.choice(["ioc", "fok"])
        elif kind < 0.16:
            body["post_only"] = True
        if self._own and kind > 0.98:
            body["order_id"] = draw.choice(self._own)  # taken: refused by the matcher, and logged
        elif draw.random() < 0.8:
            body["order_id"] = f"{self.name}-{self._count}"
        return self._send("POST", "/orders", body)

    def _cancel(self, order_id: str) -> Sent:
        body = {"client_id": self.name}
        return self._send("POST", f"/orders/{quote(order_id, safe='')}/cancel", body)

    def _amend(self, order_id: str) -> Sent:
        lots = self._draw.randint(1, 300_000)
        body = {"client_id": self.name, "quantity": f"{lots // 100_000}.{lots % 100_000:05}"}
        if self._draw.random() < 0.5:
            cents = MID_CENTS + self._draw.randint(-50, 50)
            body["price"] = f"{cents // 100}.{cents % 100:02}"
        return self._send("PATCH", f"/orders/{quote(order_id, safe='')}", body)

    def _cancel_all(self) -> Sent:
        return self._send("DELETE", f"/orders?client_id={self.name}", None)

    def _send(self, method: str, path: str, body: Json | None) -> Sent:
        """The key goes into the body or into its header."""
        self._count += 1
        key = f"{self.name}-key-{self._count}"
        headers = {}
        if body is None or self._draw.random() < 0.3:
            headers["Idempotency-Key"] = key
        else:
            body = {**body, "idempotency_key": key}
        encoded = b"" if body is None else msgspec.json.encode(body)
        return self._ledger.send(Sent(key, self.name, method, path, encoded, headers))


def element_of(sent: Sent) -> Json:
    """A command as an element of a batch."""
    body: Json = {**msgspec.json.decode(sent.body), "idempotency_key": sent.key}
    if sent.path == "/orders":
        return body
    op = "amend" if sent.method == "PATCH" else "cancel"
    return {**body, "op": op, "order_id": unquote(sent.path.split("/")[2])}


def answers_of(body: bytes) -> list[Answer]:
    """The answers that a batch's reply holds, each as its own route would have given it."""
    answers = []
    for result in msgspec.json.decode(body, type=Results).results:
        status = msgspec.json.decode(result, type=Status).status
        answers.append(Answer(status, bytes(result).replace(b'{"status":%d,' % status, b"{", 1)))
    return answers


class Results(msgspec.Struct):
    """The reply to a batch."""

    results: list[msgspec.Raw]


class Status(msgspec.Struct):
    """What every result of a batch has."""

    status: int
