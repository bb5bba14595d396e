"""The rule: without memory a connection ends, or the process; what was acknowledged stays true."""

import resource
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from tradeclear.testing.server import ConnectionLost, Server, encode_request, running_server

from .trader import Trader

HUNGRY = 30
BODY = b" " * 1_000_000
ROUNDS = 5
REQUESTS_A_ROUND = 30


async def test_no_memory_left(tmp_path: Path) -> None:
    async with running_server(tmp_path / "home") as server:
        trader = Trader(server)
        await trader.trade(50)
        limit = address_space(server)
        resource.prlimit(server.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
        async with AsyncExitStack() as crowd:
            lost = 0
            for _ in range(HUNGRY):
                try:
                    connection = await crowd.enter_async_context(await server.connect())
                    request = encode_request("POST", "/orders/batch", server.host, BODY)
                    await connection.send(request[:-1])  # all but the end: it has to be kept
                except ConnectionLost:
                    lost += 1
            for _ in range(ROUNDS):
                with suppress(ConnectionLost):
                    await trader.trade(REQUESTS_A_ROUND)
        assert lost or b"MemoryError" in server.said(), "there was memory enough"
        assert server.process is not None
        assert server.process.poll() != 0, "it ended as if all were well"
        await server.restart()
        await trader.compare()


def address_space(server: Server) -> int:
    """Bytes that the process has mapped."""
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[0])
    return pages * resource.getpagesize()
