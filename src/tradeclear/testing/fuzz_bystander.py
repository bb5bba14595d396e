"""A client with good manners while others attack: how long does *it* wait?

    python -m tradeclear.testing.fuzz_bystander HOST PORT PER_S

It connects, says so with a blank line (also when nobody takes the connection), places, reads and
cancels orders at a steady rate until its standard input ends, and then prints what it saw as JSON.
A wait counts from the moment at which the request was due, so that a server
that stalls is charged for all that it kept waiting. It is a process of its own, or the attackers'
work would count as the server's.
"""

import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from math import ceil
from typing import Final

import msgspec
import trio
from msgspec import Struct

from tradeclear.testing.server import Connection, ConnectionLost

CLIENT: Final = "bystander"
SAMPLES_MAX: Final = 1_000_000
PROBLEMS_MAX: Final = 20
START_S_MAX: Final = 30.0
STOP_S_MAX: Final = 30.0


class Waits(Struct, frozen=True, kw_only=True):
    """What a bystander saw; `problems` is empty if it was served throughout."""

    requests: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0
    problems: tuple[str, ...] = ()


class Bystander:
    """One on its own connection, until cancelled."""

    def __init__(self, host: str, port: int, *, per_s: float, address: str | None = None) -> None:
        self._host: Final = host
        self._port: Final = port
        self._address: Final = address
        self._interval_s: Final = 1 / per_s
        self._waits_s: Final[list[float]] = []
        self._problems: Final[list[str]] = []

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Trade; started once it is connected, or knows that it can't be.

        Never raises but `trio.Cancelled`.
        """
        try:
            stream = await trio.open_tcp_stream(self._host, self._port, local_address=self._address)
        except OSError as error:
            self._problems.append(f"the bystander could not connect: {error!r}")
            task_status.started()
            return
        task_status.started()
        try:
            async with Connection(stream, f"{self._host}:{self._port}") as connection:
                await self._trade(connection)
        except (ConnectionLost, OSError, ValueError) as error:
            self._problems.append(f"the bystander lost its connection: {error!r}")

    async def _trade(self, connection: Connection) -> None:
        due, number = trio.current_time(), 0
        while len(self._waits_s) < SAMPLES_MAX and len(self._problems) < PROBLEMS_MAX:
            method, path, body, wanted = self._request(number)
            await trio.sleep_until(due)
            reply = await connection.request(method, path, body)
            self._waits_s.append(trio.current_time() - due)
            if reply.status not in wanted:
                told = f"{method} {path}: {reply.status} {reply.body[:200]!r}"
                self._problems.append(f"the bystander was told {told}")
            due += self._interval_s
            number += 1

    @staticmethod
    def _request(number: int) -> tuple[str, str, bytes, tuple[int, ...]]:
        """Place, read, cancel. An attacker may have traded with the order meanwhile."""
        order_id = f"{CLIENT}-{number // 3}"
        if number % 3 == 1:
            return "GET", f"/orders/{order_id}", b"", (200,)
        if number % 3 == 2:
            return "DELETE", f"/orders/{order_id}", b"", (200, 409)
        body = (
            f'{{"client_id":"{CLIENT}","order_id":"{order_id}","side":"buy","price":0.01,'
            '"quantity":1}'
        )
        return "POST", "/orders", body.encode(), (201,)

    def waits(self) -> Waits:
        """What it saw so far."""
        sorted_s = sorted(self._waits_s)

        def ms(share: float) -> float:
            place = max(0, ceil(share * len(sorted_s)) - 1)
            return round(sorted_s[place] * 1000, 1) if sorted_s else 0.0

        return Waits(
            requests=len(sorted_s),
            p50_ms=ms(0.5),
            p99_ms=ms(0.99),
            max_ms=ms(1),
            problems=tuple(self._problems),
        )


class Watched:
    """Filled when the bystander has come back."""

    waits = Waits(problems=("the bystander did not come back",))


@asynccontextmanager
async def bystander_process(
    host: str, port: int, per_s: float, address: str = ""
) -> AsyncGenerator[Watched]:
    """A bystander in a process of its own while the block runs; `waits` is there when it ends.

    The block begins when the bystander has connected, or has failed to.
    """
    watched = Watched()
    words = [sys.executable, "-m", __name__, host, str(port), str(per_s), address]
    process = await trio.lowlevel.open_process(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with trio.fail_after(START_S_MAX):
            await process.stdout.receive_some(1)
        yield watched
        await process.stdin.aclose()
        with trio.fail_after(STOP_S_MAX):
            said = b"".join([data async for data in process.stdout])
            await process.wait()
        watched.waits = msgspec.json.decode(said, type=Waits)
    finally:
        if process.poll() is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def _until_told(bystander: Bystander) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(bystander.run)
        sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.flush()
        await trio.to_thread.run_sync(sys.stdin.buffer.read)
        nursery.cancel_scope.cancel()


def main() -> None:
    """The process."""
    host, port, per_s, address = sys.argv[1:]
    bystander = Bystander(host, int(port), per_s=float(per_s), address=address or None)
    trio.run(_until_told, bystander)
    sys.stdout.buffer.write(msgspec.json.encode(bystander.waits()))


if __name__ == "__main__":
    main()
