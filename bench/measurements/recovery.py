"""How fast the log is replayed at start, every event compared with what the log holds."""

import secrets
import signal
from functools import partial
from statistics import median
from typing import NamedTuple

import msgspec

from measurements import wrk
from measurements.bench import Bench
from measurements.exchange import exchange, log_bytes, sequence, snapshots
from measurements.processes import Meter, resident_bytes
from measurements.results import Result, Table, Target
from measurements.tools import require
from measurements.wrk import write_bodies
from tradeclear.testing.server import Server

NAME = "recovery"
TITLE = "Recovery"

RECORDS_PER_S_MIN = 300_000
FILL_S = 5.0
NO_SNAPSHOTS = {"TRADECLEAR_SNAPSHOT_INTERVAL_S": "86400"}

METHOD = """\
A log made by wrk (orders with idempotency keys, one a request, so that a commit holds some
dozens), no snapshot, the server killed; then started and killed again and again. What counts are
the server's own words: records replayed, each checked byte for byte, and the seconds that
opening and replaying the log took."""


class Replay(NamedTuple):
    """What a start said of itself."""

    records: int
    seconds: float
    open_orders: int
    resident_bytes: int

    @property
    def per_s(self) -> float:
        return self.records / self.seconds

    def __str__(self) -> str:
        return f"{self.records:,} records in {self.seconds:.2f} s: {self.per_s:,.0f}/s"


class Said(msgspec.Struct):
    """A line of the server's log, as far as it matters here."""

    event: str = ""
    replayed: int = 0
    seconds: float = 0.0
    open_orders: int = 0


async def measure(bench: Bench) -> Result:
    require("wrk")
    with bench.home("recovery") as home:
        async with exchange(home, NO_SNAPSHOTS) as server:
            await _fill(bench, server)
            await server.kill()
            assert not snapshots(server), "there must be a whole log to replay"
            size = log_bytes(server)
            with Meter() as meter:
                runs = await bench.interleaved({"start": partial(one_start, server)})
    # Each server was reaped before the meter stopped, so its time is not taken for that of others.
    return _result(runs["start"], size, meter)


async def _fill(bench: Bench, server: Server) -> None:
    singles, _ = write_bodies(server.home)
    while (records := await sequence(server)) < bench.effort.replayed_records:
        bench.say(f"{records:,} of {bench.effort.replayed_records:,} records written")
        key = secrets.token_hex(4)
        url = f"{server.url}/orders"
        await wrk.load(url, server.pid, singles, seconds=FILL_S, key_prefix=key)


async def one_start(server: Server) -> Replay:
    """Start it on its log, read what it says, kill it."""
    await server.start()
    lines = [line for line in server.said().splitlines() if b'"recovered"' in line]
    said = msgspec.json.decode(lines[0], type=Said)
    replay = Replay(said.replayed, said.seconds, said.open_orders, resident_bytes(server.pid))
    await server.end(signal.SIGKILL)
    return replay


def _result(runs: list[Replay], size: int, meter: Meter) -> Result:
    per_s = [run.per_s for run in runs]
    last = runs[-1]
    return Result(
        name=NAME,
        title=TITLE,
        targets=[
            Target(
                what="Recovery: records replayed and checked",
                target=f"≥ {RECORDS_PER_S_MIN:,}/s",
                measured=f"{median(per_s):,.0f}/s",
                holds=median(per_s) >= RECORDS_PER_S_MIN,
            )
        ],
        method=METHOD,
        tables=[
            Table(
                ("records", "log", "records/s", "least", "greatest", "start to ready, all"),
                [
                    (
                        f"{last.records:,}",
                        f"{size / 1e6:,.0f} MB",
                        *(f"{x:,.0f}" for x in (median(per_s), min(per_s), max(per_s))),
                        f"{meter.wall_s / len(runs):.1f} s",
                    )
                ],
            )
        ],
        others_cores=meter.others_s / meter.wall_s,
    )
