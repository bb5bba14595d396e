"""The rule: what docs/client.md shows runs as it stands."""

import re
from pathlib import Path
from typing import Any

import pytest
import trio

from tradeclear.client import Client, open_client
from tradeclear.testing.server import running_server

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "client.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SECONDS_MAX = 60


async def trade_on(client: Client) -> None:
    """Something happens."""
    orders = client.orders("client-A")
    await orders.place("buy", 1, 70_000)
    while True:
        await orders.place("sell", 1, 80_000)
        await orders.place("buy", 1)


async def test_every_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running_server(tmp_path / "server") as server, open_client(server.url) as client:
        for number, program in enumerate(PROGRAMS):
            names = read_program(program, server.url, f"program {number} of client.md")
            with trio.fail_after(SECONDS_MAX):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(trade_on, client)
                    await names["main"]()
                    nursery.cancel_scope.cancel()
            assert capsys.readouterr().out.strip()
            await client.orders("client-A").cancel_all()
    assert len(PROGRAMS) == 4


def read_program(text: str, url: str, name: str) -> dict[str, Any]:
    """What a program defines, without running it."""
    names: dict[str, Any] = {}
    text = text.replace("\ntrio.run(main)\n", "").replace('"http://127.0.0.1:8000"', "")
    text = text.replace("open_client()", f'open_client("{url}")')
    exec(compile(text, name, "exec"), names)
    return names
