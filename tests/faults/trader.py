"""A trader who remembers everything, and holds a server to it."""

from random import Random

import pytest

from tradeclear.testing.crash_comparison import Comparison, ask, last_sequence
from tradeclear.testing.crash_report import Report
from tradeclear.testing.ledger import Client, Json, Ledger, answers_of
from tradeclear.testing.server import Connection, ConnectionLost, Server

SEED = 20_251_120


class Trader:
    """Sends seeded commands one after another and holds the server to its answers."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.report = Report()
        self.ledger = Ledger(1)  # the configuration is the first record
        self._names = ["one", "two", "three"]
        draw = Random(SEED)
        self._clients = [Client(name, Random(draw.random()), self.ledger) for name in self._names]
        self._draw = draw
        self._shown: dict[str, Json] = {}

    @property
    def acknowledged(self) -> int:
        return self.ledger.acknowledged()

    async def trade(self, requests: int) -> None:
        """So many requests; raises `ConnectionLost` when the server goes."""
        async with await self.server.connect() as connection:
            for _ in range(requests):
                await self.request(connection)

    async def trade_until_lost(self, requests_max: int) -> None:
        """Until the server goes; fails if it is still there after so many."""
        with pytest.raises(ConnectionLost):
            await self.trade(requests_max)

    async def request(self, connection: Connection) -> int:
        """One request; the status, 503 when nobody knows the outcome."""
        client = self._draw.choice(self._clients)
        sends, batch = client.next_request()
        if batch is None:
            answers = [(await ask(connection, sends[0]))[0]]
        else:
            reply = await connection.request("POST", "/orders/batch", batch)
            if reply.status == 503:
                return 503
            answers = answers_of(reply.body)
        for sent, answer in zip(sends, answers, strict=True):
            if answer.status != 503:
                self.report.findings += self.ledger.acknowledge(sent, answer)
                client.learn(sent)
        return answers[0].status

    async def compare(self) -> None:
        """Everything that was acknowledged must be there, once, as it was told."""
        comparison = Comparison(
            self.server,
            self.ledger,
            self.report,
            names=self._names,
            first=0,
            shown=self._shown,
            draw=self._draw,
            connections=2,
        )
        async with comparison.open_connections() as connections:
            await comparison.compare(connections)
            assert await last_sequence(connections[0]) > 1
        assert self.report.findings == []
