"""Who listens to the simulated venue, and what reaches them: everything, but for the faults."""

from collections import deque
from typing import Final

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from tradeclear.testing.venue_sim.faults import Faults
from tradeclear.testing.venue_sim.published import Published

SEND_S_MAX: Final = 5.0
DELAYED_MAX: Final = 100_000
GARBAGE: Final[tuple[str | bytes, ...]] = (
    "",
    "not json",
    '{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","U":1,',
    '{"stream":"btcusdt@depth@100ms","data":{"U":"one","u":null,"b":7,"a":[]}}',
    '{"stream":"btcusdt@depth@100ms","data":{"U":9,"u":3,"b":[],"a":[]}}',
    '{"stream":"btcusdt@depth@100ms","data":{"U":1,"u":2,"b":[["-1","1e999999999"]],"a":[]}}',
    '{"stream":"btcusdt@bookTicker","data":{"u":1,"b":"NaN","B":"1","a":"0","A":"1_000"}}',
    '{"stream":7,"data":[]}',
    "[" * 5_000,
    b"\x00\xff\xfe binary",
)
"""Frames that are no messages."""


class Subscriber:
    """One WebSocket and the streams that it listens to. `combined`: in their wrapper."""

    def __init__(self, socket: WebSocketConnection, streams: list[str], *, combined: bool) -> None:
        self.streams: Final = dict.fromkeys(streams)
        self.silent = False
        self._socket: Final = socket
        self._combined: Final = combined

    async def send(self, message: Published) -> bool:
        """Send `message` if it is listened to. False if that could not be done."""
        if message.stream not in self.streams:
            return True
        text = message.data.decode()
        if self._combined:
            text = f'{{"stream":"{message.stream}","data":{text}}}'
        return await self.send_frame(text)

    async def send_frame(self, frame: str | bytes) -> bool:
        """Send a frame as it is. False if that could not be done."""
        if self.silent:
            return True
        with trio.move_on_after(SEND_S_MAX):
            try:
                await self._socket.send_message(frame)
            except ConnectionClosed:
                return False
            return True
        return False

    async def ping(self) -> None:
        """As Binance does now and then."""
        if not self.silent:
            await self._socket.ping()

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye, and wait a moment for the other side to do the same."""
        with trio.move_on_after(SEND_S_MAX):
            await self._socket.aclose(code, reason)


class Hub:
    """Hands messages to subscribers. `run` delivers those that are held back."""

    def __init__(self, faults: Faults) -> None:
        self.subscribers: Final[set[Subscriber]] = set()
        self.sent = 0
        self._somebody = trio.Event()
        self._faults: Final = faults
        self._held: Published | None = None
        self._delayed: Final[deque[tuple[float, Published | str | bytes]]] = deque()
        self._some_delayed = trio.Event()
        self._none_delayed = trio.Event()
        self._garbage = 0

    def add(self, subscriber: Subscriber) -> None:
        """It hears everything from now on."""
        self.subscribers.add(subscriber)
        self._somebody.set()

    async def wait_somebody(self) -> None:
        """Return once anybody listens."""
        while not self.subscribers:
            self._somebody = trio.Event()
            await self._somebody.wait()

    def silence(self) -> None:
        """Who listens now will never hear anything again, and not be told."""
        for subscriber in self.subscribers:
            subscriber.silent = True

    async def publish(self, message: Published) -> None:
        """Send `message` to everybody, through the faults that are ordered."""
        now = trio.current_time()
        for _ in range(len(GARBAGE)):
            if self._faults.take("garbage", now) is None:
                break
            self._garbage += 1
            await self._pass_on(GARBAGE[self._garbage % len(GARBAGE)])
        for one in self._tampered(message, now):
            await self._pass_on(one)

    def _tampered(self, message: Published, now: float) -> list[Published]:
        """What is sent in place of `message`."""
        if self._faults.take("drop", now):
            return []
        if message.diff is None:
            return [message]
        if self._faults.take("gap", now):
            return []
        if self._held is not None:
            held, self._held = self._held, None
            return [message, held]
        if self._faults.take("duplicate", now):
            return [message, message]
        if self._faults.take("reorder", now):
            self._held = message
            return []
        return [message]

    async def _pass_on(self, message: Published | str | bytes) -> None:
        """Deliver now, or later and in order while there is a delay."""
        now = trio.current_time()
        delay = self._faults.lasting("delay", now)
        if delay is not None and len(self._delayed) < DELAYED_MAX:
            self._delayed.append((now + delay.delay_s, message))
            self._some_delayed.set()
            await trio.lowlevel.checkpoint()
            return
        while self._delayed:
            self._none_delayed = trio.Event()
            await self._none_delayed.wait()
        await self._deliver(message)

    async def _deliver(self, message: Published | str | bytes) -> None:
        self.sent += 1
        for subscriber in tuple(self.subscribers):
            if isinstance(message, Published):
                went = await subscriber.send(message)
            else:
                went = await subscriber.send_frame(message)
            if not went:
                self.subscribers.discard(subscriber)

    async def run(self) -> None:
        """Deliver what is held back, when it is due."""
        while True:
            self._some_delayed = trio.Event()
            if not self._delayed:
                self._none_delayed.set()
                await self._some_delayed.wait()
            due, message = self._delayed[0]
            await trio.sleep_until(due)
            await self._deliver(message)
            self._delayed.popleft()
