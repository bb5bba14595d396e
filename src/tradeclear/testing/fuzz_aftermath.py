"""What must hold of an exchange's log after the attacks, whoever sent what.

The server is stopped in order, so that its last snapshot holds the hash of its own memory. `wal
verify --replay` compares that with the log, and the log is run once more under the core's
invariants. Then it is started again, takes an order, and is stopped and compared once more.
"""

import signal
from contextlib import closing
from pathlib import Path
from typing import Final

import trio
from msgspec import Struct

from tradeclear.core.engine import Engine
from tradeclear.core.state import state_hash
from tradeclear.model.errors import TradeclearError
from tradeclear.testing.invariants import Watch
from tradeclear.testing.server import ConnectionLost, Server, ServerFailed
from tradeclear.wal import Cursor, PosixStorage
from tradeclear.wal.codec import decode_frame

LAST_ORDER: Final = (
    b'{"client_id":"aftermath","order_id":"aftermath-1","side":"buy","price":0.01,"quantity":1}'
)
FAULTS_LOGGED: Final = (b"request_failed", b"Traceback", b"Task exception", b"RuntimeWarning")


class Aftermath(Struct, frozen=True, kw_only=True):
    """`records` in the log, all of them run again; `problems` is empty if all is well."""

    records: int
    state_hash: str
    problems: tuple[str, ...]


async def check_aftermath(server: Server) -> Aftermath:
    """Look at everything that is left. The server is stopped afterwards."""
    problems: list[str] = []
    try:
        await _stop_and_verify(server, problems)
        records, told = await trio.to_thread.run_sync(watched_replay, server.wal_dir)
        await server.start()
        await _compare_snapshot(server, told, problems)
        await _stop_and_verify(server, problems)
        return Aftermath(records=records, state_hash=told, problems=tuple(problems))
    except (TradeclearError, AssertionError, ServerFailed, ConnectionLost, trio.TooSlowError) as e:
        return Aftermath(records=0, state_hash="", problems=(*problems, repr(e)))


async def _stop_and_verify(server: Server, problems: list[str]) -> None:
    code = await server.end(signal.SIGTERM)
    if code:
        problems.append(f"the server ended with exit code {code}")
    said = server.said()
    problems += [f"the server logged {mark.decode()}" for mark in FAULTS_LOGGED if mark in said]
    verified = await server.command("wal", "verify", "--replay", str(server.wal_dir))
    if verified.returncode:
        problems.append(f"wal verify: {(verified.stdout + verified.stderr).decode()}")


async def _compare_snapshot(server: Server, told: str, problems: list[str]) -> None:
    """The state that the server stopped with is the log's; and it goes on from there."""
    async with await server.connect() as connection:
        snapshots = (await connection.request("GET", "/admin/snapshots")).json()["snapshots"]
        if snapshots[0]["state_hash"] != told:
            problems.append(f"memory had the hash {snapshots[0]['state_hash']}, the log {told}")
        placed = await connection.request("POST", "/orders", LAST_ORDER)
        if placed.status != 201:
            problems.append(f"after the restart an order is told {placed.status}")


def watched_replay(wal_dir: Path) -> tuple[int, str]:
    """Run a log from its first record under the core's invariants: last sequence and state hash.

    Raises `AssertionError` where an invariant is broken.
    """
    watch = Watch(Engine())
    with closing(Cursor(PosixStorage(wal_dir))) as cursor:
        for frame in cursor.frames():
            for stored in decode_frame(frame.payload):
                watch.apply(stored.seq, stored.time, stored.command)
    watch.check_everything()
    return watch.engine.seq, state_hash(watch.engine)
