"""The exchange as it is published: limits, metrics, order log and snapshots on."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from loadtest.server import LIMITS_ON

from tradeclear.testing.server import Server, running_server

INSTRUMENT = "BTC-USD"


@asynccontextmanager
async def exchange(home: Path, more: Mapping[str, str] | None = None) -> AsyncGenerator[Server]:
    """A ready server in `home`; killed afterwards. `more` are environment variables."""
    async with running_server(home, environment={**LIMITS_ON, **(more or {})}) as server:
        yield server


async def sequence(server: Server) -> int:
    """The newest durable record's."""
    async with await server.connect() as connection:
        reply = await connection.request("GET", f"/orderbook?instrument={INSTRUMENT}&levels=1")
    number: Any = reply.json()["sequence"]
    assert isinstance(number, int)
    return number


def log_bytes(server: Server) -> int:
    """The size of its log."""
    return sum(file.stat().st_size for file in segments(server))


def segments(server: Server) -> list[Path]:
    """The files of its log, oldest first."""
    return sorted(server.wal_dir.glob("wal-*.log"))


def snapshots(server: Server) -> list[Path]:
    """The files of its snapshots, oldest first."""
    return sorted(server.wal_dir.glob("snapshot-*"))
