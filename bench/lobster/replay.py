"""The replay: the hour as requests to an exchange, and what came of them."""

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field

from lobster.record import ROWS, Hour, Message, Side, opposite
from lobster.requests import Amend, Answer, Cancel, Fill, Look, Place, Request, Steps


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
