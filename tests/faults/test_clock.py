"""The rule: the clock may jump an hour either way; log time never goes back, nothing is lost."""

from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from tradeclear.testing.server import NO_RATE_LIMITS, Server, running_server
from tradeclear.testing.shim_clock import WallClock
from tradeclear.testing.shim_library import ShimUnavailable
from tradeclear.wal import Cursor, PosixStorage
from tradeclear.wal.codec import decode_frame

from .trader import Trader

HOUR_S = 3600
HOUR_US = HOUR_S * 1_000_000
ORDERS = 20


async def test_clock_an_hour_forth_and_back(tmp_path: Path) -> None:
    try:
        clock = WallClock(tmp_path / "offset")
    except ShimUnavailable as error:
        pytest.skip(str(error))
    environment = {**NO_RATE_LIMITS, **clock.environment}
    async with running_server(tmp_path / "home", environment=environment) as server:
        trader = Trader(server)
        await trader.trade(ORDERS)
        clock.jump_to(HOUR_S)
        await trader.trade(ORDERS)
        clock.jump_to(-HOUR_S)
        await trader.trade(ORDERS)
        await server.restart()  # into the past, as far as the log can tell
        await trader.trade(ORDERS)
        await trader.compare()
        clock.jump_to(0)
        await trader.trade(ORDERS)
        await trader.compare()
        times = log_times(server)
    steps = [after - before for before, after in pairwise(times)]
    assert min(steps) == 0, "the clock went back, and nobody noticed"
    assert max(steps) > 0.9 * HOUR_US, "the clock went forth, and nobody noticed"
    assert times == sorted(times)


def log_times(server: Server) -> list[int]:
    """The time of every record, in microseconds."""
    with closing(Cursor(PosixStorage(server.wal_dir))) as cursor:
        return [each.time for frame in cursor.frames() for each in decode_frame(frame.payload)]
