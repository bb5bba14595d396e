"""The rule: without descriptors new clients are turned away, and those who are in are served."""

import resource
from contextlib import AsyncExitStack
from pathlib import Path

from tradeclear.testing.server import ConnectionLost, Server, running_server

from .trader import Trader

DESCRIPTORS = 40
CLIENTS = 60
ANSWER_S_MAX = 10.0


async def test_descriptors_used_up_and_given_back(tmp_path: Path) -> None:
    async with running_server(tmp_path / "home") as server:
        trader = Trader(server)
        async with await server.connect() as inside:
            await trader.request(inside)
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
            async with AsyncExitStack() as crowd:
                for _ in range(CLIENTS):
                    try:
                        await crowd.enter_async_context(await server.connect())
                    except ConnectionLost:
                        continue
                for _ in range(50):
                    assert await trader.request(inside) != 503
            for _ in range(50):
                await trader.request(inside)
        await served_again(server)
        await trader.compare()
        assert server.process is not None
        assert server.process.poll() is None


async def served_again(server: Server) -> None:
    """A new client gets in, if not at the first try: the crowd is only just leaving."""
    for _ in range(100):
        try:
            async with await server.connect() as connection:
                if (await connection.request("GET", "/readyz")).status == 200:
                    return
        except ConnectionLost:
            continue
    raise AssertionError("nobody gets in any more")
