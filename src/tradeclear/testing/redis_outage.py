"""Redis stopped under a steady load: do orders notice, and is the mirror right afterwards?

An open loop: every order has its time, and its latency counts from then on, whatever held it up.
"""

import os
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import trio
from msgspec import Struct

from tradeclear.testing.redis_server import RedisServer, running_redis
from tradeclear.testing.server import NO_RATE_LIMITS, Connection, Server, running_server

CONNECTIONS: Final = 32
LEVELS: Final = 1000
CONNECT_S: Final = 0.5
WARM_UP_S: Final = 2.0
"""Before the first phase: connecting, and then the same load, which does not count."""

POLL_S: Final = 0.01
CATCH_UP_S_MAX: Final = 60.0

Phase = Literal["before", "stopped", "after"]
PHASES: Final[tuple[Phase, ...]] = ("before", "stopped", "after")


class Latencies(Struct, frozen=True, kw_only=True):
    """Of one phase, in milliseconds; and what processor time the exchange took for it."""

    orders: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    processor_s: float


class Outage(Struct, frozen=True, kw_only=True):
    """What came of it. `caught_up_s`: from Redis going on to a mirror that was there again."""

    latencies: dict[Phase, Latencies]
    caught_up_s: float | None
    differences: list[str]


async def run_outage(
    *, rate_per_s: int, phase_s: float, with_redis: bool = True, seed: int = 1
) -> Outage:
    """Load an exchange for three phases of `phase_s`, with Redis stopped in the second.

    Without Redis the load is the same, to compare with.
    """
    async with running_redis() as redis:
        environment = {**NO_RATE_LIMITS, "TRADECLEAR_REDIS": "false"}
        if with_redis:
            environment |= {"TRADECLEAR_REDIS": "true", "REDIS_URL": redis.url}
        async with running_server(environment=environment) as server:
            return await _Run(server, redis if with_redis else None, seed).run(rate_per_s, phase_s)


class _Run:
    def __init__(self, server: Server, redis: RedisServer | None, seed: int) -> None:
        self._server: Final = server
        self._redis: Final = redis
        self._seed: Final = seed
        self._latencies: Final[dict[Phase, list[float]]] = {phase: [] for phase in PHASES}
        self._processor_s: Final[list[float]] = []
        self._caught_up_s: float | None = None

    async def run(self, rate_per_s: int, phase_s: float) -> Outage:
        begin = trio.current_time() + WARM_UP_S
        async with trio.open_nursery() as nursery:
            for number in range(CONNECTIONS):
                nursery.start_soon(self._load, number, begin, rate_per_s, phase_s)
            nursery.start_soon(self._watch_processor, begin, phase_s)
            if self._redis is not None:
                nursery.start_soon(self._stop_redis, self._redis, begin + phase_s, phase_s)
        return Outage(
            latencies={
                phase: _latencies(self._latencies[phase], processor_s)
                for phase, processor_s in zip(PHASES, self._processor_s, strict=True)
            },
            caught_up_s=self._caught_up_s,
            differences=[] if self._redis is None else await self._differences(self._redis),
        )

    async def _load(self, number: int, begin: float, rate_per_s: int, phase_s: float) -> None:
        """Every `CONNECTIONS`th order, each at its time."""
        rng = random.Random(self._seed * CONNECTIONS + number)
        async with await self._server.connect() as connection:
            first = -round((WARM_UP_S - CONNECT_S) * rate_per_s)
            for place in range(first + number, round(3 * phase_s * rate_per_s), CONNECTIONS):
                at = place / rate_per_s
                await trio.sleep_until(begin + at)
                reply = await connection.request("POST", "/orders", _order(rng))
                assert reply.status == 201, reply
                if at >= 0:
                    phase = PHASES[int(at / phase_s)]
                    self._latencies[phase].append(trio.current_time() - begin - at)

    async def _watch_processor(self, begin: float, phase_s: float) -> None:
        used = []
        for place in range(len(PHASES) + 1):
            await trio.sleep_until(begin + place * phase_s)
            used.append(_processor_s(self._server.pid))
        self._processor_s.extend(after - before for before, after in pairwise(used))

    async def _stop_redis(self, redis: RedisServer, at: float, seconds: float) -> None:
        await trio.sleep_until(at)
        redis.pause()
        await trio.sleep(seconds)
        async with await self._server.connect() as connection:
            sequence = (await _book(connection))["sequence"]
            redis.go_on()
            since = trio.current_time()
            with trio.fail_after(CATCH_UP_S_MAX):
                while int(await redis.ask("GET", "tradeclear:BTC-USD:sequence") or 0) < sequence:  # noqa: ASYNC110 - it is another process
                    await trio.sleep(POLL_S)
            self._caught_up_s = trio.current_time() - since

    async def _differences(self, redis: RedisServer) -> list[str]:
        """What Redis shows otherwise than the exchange, at rest."""
        async with await self._server.connect() as connection:
            book = await _book(connection)
        with trio.fail_after(CATCH_UP_S_MAX):
            while await redis.ask("GET", "tradeclear:BTC-USD:sequence") != str(book["sequence"]):  # noqa: ASYNC110 - it is another process
                await trio.sleep(POLL_S)
        found = []
        for side, sign in (("bids", "-"), ("asks", "")):
            expected = [text for one in book[side] for text in _member(one, sign)]
            shown = await redis.ask("ZRANGE", f"tradeclear:BTC-USD:{side}", "0", "-1", "WITHSCORES")
            if _exact_scores(shown.split()) != expected:
                found.append(f"{side}: {shown.split()} instead of {expected}")
        return found


async def _book(connection: Connection) -> Any:
    return (await connection.request("GET", f"/orderbook?levels={LEVELS}")).json()


def _member(level: Any, sign: str) -> tuple[str, str]:
    """Member and score, as digits."""
    return f"{level['price']}:{level['quantity']}:{level['orders']}", f"{sign}{level['price']}"


def _exact_scores(shown: list[str]) -> list[str]:
    """Redis 6 writes a score with 17 digits; the shortest that is the same number is the price."""
    return [
        repr(float(text)).removesuffix(".0") if place % 2 else text
        for place, text in enumerate(shown)
    ]


def _order(rng: random.Random) -> bytes:
    order = {
        "client_id": f"c{rng.randrange(100)}",
        "side": rng.choice(["buy", "sell"]),
        "price": f"{70_000 + rng.gauss(0, 2):.2f}",
        "quantity": f"{rng.randrange(1, 100_000) / 100_000:.5f}",
    }
    return msgspec.json.encode(order)


def _processor_s(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _latencies(seconds: Sequence[float], processor_s: float) -> Latencies:
    ordered = sorted(seconds)
    count = len(ordered)

    def at(share: float) -> float:
        return round(1000 * ordered[min(count - 1, int(share * count))], 2)

    return Latencies(
        orders=count,
        p50_ms=at(0.5),
        p99_ms=at(0.99),
        max_ms=at(1),
        processor_s=round(processor_s, 2),
    )
