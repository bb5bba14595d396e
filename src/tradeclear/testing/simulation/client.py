"""A client: it trades in a small space of ids and prices, and asks again until it knows."""

from collections.abc import Iterator
from random import Random
from typing import Final, Protocol

import trio
from msgspec.structs import replace

from tradeclear.core.idempotency import idempotency
from tradeclear.model.commands import AmendOrder, CancelAll, CancelOrder, Command, PlaceOrder
from tradeclear.model.errors import AgedOut, KeyReused, TradeclearError
from tradeclear.model.events import Record
from tradeclear.pipeline.outcome import Answer, Outcome
from tradeclear.testing.simulation.scenario import INSTRUMENT, OTHER_INSTRUMENT, Scenario
from tradeclear.testing.simulation.schedule import JumpingClock
from tradeclear.testing.simulation.trace import Trace
from tradeclear.testing.simulation.witness import Violation, Witness
from tradeclear.wal.codec import encode_record

PRICE_MIDDLE: Final = 100
PREVENTIONS: Final = ("none", "cancel_incoming", "cancel_resting", "cancel_both", "decrement")
GIVES_UP_S: Final = (0.002, 0.1, 1.0)
ASKS_AGAIN_S: Final = 0.01


class Lost(Exception):
    """There is no answer: the exchange is down, or ended, or the client hung up."""


class Ask(Protocol):
    """Asks the exchange, wherever it runs now."""

    async def __call__(self, command: Command, patience_s: float) -> Answer:
        """The answer. Raises `Lost`, also after `patience_s`: the command may have been taken."""


class Client:
    """Sends `commands` commands one after the other, each until it is answered."""

    def __init__(
        self,
        name: str,
        *,
        commands: int,
        scenario: Scenario,
        ask: Ask,
        witness: Witness,
        trace: Trace,
        clock: JumpingClock,
    ) -> None:
        self.answered = 0
        self._name: Final = name
        self._commands: Final = commands
        self._scenario: Final = scenario
        self._random: Final = Random(f"{scenario.seed}/{name}")
        self._ask: Final = ask
        self._witness: Final = witness
        self._trace: Final = trace
        self._clock: Final = clock
        self._told: Final[list[tuple[Command, Record]]] = []
        self._keys = 0

    async def run(self) -> None:
        """Trade to the end. Raises `Violation` when an answer is not what it must be."""
        for number, command in enumerate(self._any_commands()):
            await self._clock.sleep(self._random.expovariate(1 / self._scenario.think_s))
            self._trace.add(self._name, command)
            if command.idempotency is None:
                await self._once(command)
            else:
                await self._until_told(command)
            if self._told and not self._random.randrange(6):
                await self._repeat(*self._random.choice(self._told[-8:]))
            if number % 16 == 15:
                self._told.clear()

    async def _once(self, command: Command, patience: int = 1) -> Answer:
        """Ask; an answer that comes is checked, one that does not is given up. None: unknown."""
        try:
            answer = await self._ask(command, self._random.choice(GIVES_UP_S) * patience)
        except Lost:
            return None
        if isinstance(answer, Outcome):
            self.answered += 1
            self._check(command, answer)
        return answer

    async def _until_told(self, command: Command) -> None:
        """Ask again with the same key until the outcome is known, now and then twice at once."""
        patience = 1
        while True:
            if self._random.randrange(12):
                answer = await self._once(command, patience)
            else:
                answer = await self._twice(command, patience)
            if isinstance(answer, Outcome):
                self._told.append((command, answer.record))
                return
            if isinstance(answer, AgedOut | KeyReused):
                self._check_refusal(command, answer)
                return
            await self._clock.sleep(self._random.expovariate(1 / (ASKS_AGAIN_S * patience)))
            patience *= 2

    async def _twice(self, command: Command, patience: int) -> Answer:
        """Ask twice at the same time: both answers, if both come, are of one record."""
        answers: list[Answer] = []

        async def ask() -> None:
            answers.append(await self._once(command, patience))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(ask)
        records = [each.record for each in answers if isinstance(each, Outcome)]
        if len(records) == 2:
            self._check_same(command, records[0], records[1])
        return next((each for each in answers if isinstance(each, Outcome)), answers[0])

    async def _repeat(self, command: Command, record: Record) -> None:
        """Ask for what is known already: the same reply, or the key is forgotten."""
        self._trace.add(self._name, f"asks again for record {record.seq}")
        answer = await self._once(command)
        if isinstance(answer, Outcome) and command.idempotency is not None and answer.replayed:
            self._check_same(command, record, answer.record)
        elif isinstance(answer, AgedOut | KeyReused):
            self._check_refusal(command, answer)

    def _check(self, command: Command, outcome: Outcome) -> None:
        if outcome.record.command != command:
            raise Violation(f"{self._name} asked {command} and was told {outcome.record}")

    def _check_same(self, command: Command, first: Record, second: Record) -> None:
        """Both have one key; a window that is too small for both is the witness's to judge."""
        if first.seq == second.seq and encode_record(first) != encode_record(second):
            raise Violation(f"{self._name} asked {command}: told {first}, then {second}")
        settings = self._scenario.settings
        wide = settings.idempotency_keys_max > 100 and settings.idempotency_age_s > 3600
        if first.seq != second.seq and wide:
            raise Violation(f"{self._name} asked {command} once: told {first} and {second}")

    def _check_refusal(self, command: Command, error: TradeclearError) -> None:
        """Only what the exchange need not remember any more is refused."""
        used = command.idempotency
        if (
            isinstance(error, AgedOut)
            and used is not None
            and not self._witness.remembers(used.key)
        ):
            return
        raise Violation(f"{self._name} asked {command} and was refused: {error!r}")

    # What it asks

    def _any_commands(self) -> Iterator[Command]:
        for _ in range(self._commands):
            command = self._any_command()
            if self._random.random() < self._scenario.keyed_share:
                self._keys += 1
                used = idempotency(self._name, f"key-{self._keys}", command)
                command = replace(command, idempotency=used)
            yield command

    def _any_command(self) -> Command:
        random = self._random
        share = random.randrange(100)
        if share < 70:
            return self._place()
        if share < 82:
            return CancelOrder(self._order_id(), random.choice((None, self._name)))
        if share < 96:
            price, quantity = random.choice((0, self._price())), random.randint(0, 6)
            return AmendOrder(self._order_id(), price, quantity, random.choice((None, self._name)))
        return CancelAll(self._name, random.choice((None, INSTRUMENT)))

    def _place(self) -> PlaceOrder:
        random = self._random
        market = not random.randrange(8)
        return PlaceOrder(
            order_id=self._order_id(),
            client_id=self._name,
            instrument=INSTRUMENT if random.randrange(5) else OTHER_INSTRUMENT,
            side=random.choice(("buy", "sell")),
            type="market" if market else "limit",
            price=0 if market else self._price(),
            quantity=random.randint(1, 6),
            time_in_force=random.choice(("gtc", "gtc", "gtc", "ioc", "fok")),
            post_only=not market and not random.randrange(8),
            self_trade_prevention=random.choice(PREVENTIONS),
        )

    def _order_id(self) -> str:
        return f"order-{self._random.randrange(self._scenario.order_ids)}"

    def _price(self) -> int:
        return PRICE_MIDDLE + self._random.randint(-3, 3)
