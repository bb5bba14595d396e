"""A browser's WebSocket and EventSource take the streams as they are, in a real Chromium.

Skipped where none is installed (`apt-get install chromium`).
"""

import json
import shutil
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import trio
from trio_websocket import WebSocketConnection, open_websocket_url

from tradeclear.client import open_client
from tradeclear.testing.server import running_server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
START_S_MAX = 60

LISTEN = """
new Promise((resolve, reject) => {
  const seen = { socket: [], events: [], replies: [] };
  const both = () => seen.socket.includes("update") && seen.events.length >= 3;
  const done = () => { if (both() && seen.replies.length) resolve(JSON.stringify(seen)); };
  const base = location.origin.replace("http", "ws");
  const socket = new WebSocket(base + "/stream");
  socket.onopen = () => socket.send(
    JSON.stringify({ op: "subscribe", channels: ["trades"], instrument: "BTC-USD" }));
  socket.onmessage = (e) => { seen.socket.push(JSON.parse(e.data).type); done(); };
  socket.onclose = (e) => reject(new Error("closed: " + e.code + " " + e.reason));
  const events = new EventSource("/events?channels=trades&instrument=BTC-USD");
  events.onmessage = (e) => { seen.events.push(JSON.parse(e.data).type); done(); };
  const orders = new WebSocket(base + "/ws/orders");
  orders.onopen = () => orders.send(JSON.stringify(
    { id: 1, client_id: "browser", side: "buy", price: 100, quantity: 1 }));
  orders.onmessage = (e) => { seen.replies.push(JSON.parse(e.data).status); done(); };
})
"""


class Page:
    """A page of a browser, over its DevTools protocol."""

    def __init__(self, connection: WebSocketConnection) -> None:
        self._connection = connection
        self._ids = count(1)

    async def ask(self, method: str, **params: Any) -> Any:
        """The whole answer, an error too."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        await self._connection.send_message(json.dumps(message))
        while True:
            answer = json.loads(await self._connection.get_message())
            if answer.get("id") == number:
                return answer

    async def evaluate(self, expression: str) -> Any:
        """What `expression` comes to; an error's text where the page was on its way."""
        answer = await self.ask(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "error" in answer:
            return answer["error"]["message"]
        assert "exceptionDetails" not in answer["result"], answer
        return answer["result"]["result"].get("value")

    async def wait_loaded(self) -> None:
        """Return when the page is there, and not the empty one before it."""
        loaded = "location.protocol == 'http:' && document.readyState == 'complete'"
        while await self.evaluate(loaded) is not True:
            await trio.lowlevel.checkpoint()


@asynccontextmanager
async def open_page(url: str, folder: Path) -> AsyncGenerator[Page]:
    """A page of a headless Chromium of its own."""
    assert CHROMIUM is not None
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    browser = await trio.lowlevel.open_process(
        [CHROMIUM, *arguments, f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with trio.fail_after(START_S_MAX):
            port, path = await devtools(folder / "DevToolsActivePort")
        async with open_websocket_url(f"ws://127.0.0.1:{port}{path}") as whole:
            target = await Page(whole).ask("Target.createTarget", url=url)
        page = f"ws://127.0.0.1:{port}/devtools/page/{target['result']['targetId']}"
        async with open_websocket_url(page, max_message_size=1 << 24) as connection:
            yield Page(connection)
    finally:
        browser.kill()
        with trio.CancelScope(shield=True):
            await browser.wait()


async def devtools(file: Path) -> list[str]:
    """Port and path, which the browser writes down when it is there."""
    while True:
        if file.is_file() and len(lines := file.read_text().splitlines()) == 2:
            return lines
        await trio.sleep(0.05)


async def trade_on(url: str) -> None:
    async with open_client(url) as client:
        orders = client.orders("trader")
        while True:
            await orders.place("sell", 1, 200)
            await orders.place("buy", 1, 200)
            await trio.sleep(0.05)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
async def test_a_browser_follows_and_trades(tmp_path: Path) -> None:
    async with (
        running_server(tmp_path / "server") as server,
        open_page(f"{server.url}/docs", tmp_path / "browser") as page,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(trade_on, server.url)
        with trio.fail_after(START_S_MAX):
            await page.wait_loaded()
            seen = json.loads(await page.evaluate(LISTEN))
        nursery.cancel_scope.cancel()
    assert seen["replies"] == [201]
    assert "update" in seen["socket"]
    assert "update" in seen["events"]
