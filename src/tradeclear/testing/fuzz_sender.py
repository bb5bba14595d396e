"""Carries out one attack on a connection of its own, and judges what came back."""

import socket
import struct
from typing import Final

import trio
from msgspec import Struct

from tradeclear.testing.fuzz_attacks import Attack
from tradeclear.testing.fuzz_replies import CONTINUE, SWITCHING, Reply, Wrong, judge, read_replies

RECEIVE_BYTES: Final = 65_536
REPLY_BYTES_MAX: Final = 64 * 1024 * 1024
PIECE_PAUSE_S: Final = 0.0005
CONNECT_TRIES: Final = 3
CONNECT_S_MAX: Final = 10.0


class Finding(Struct, frozen=True, kw_only=True):
    """What was wrong, and the attack that did it, if it was one."""

    what: str
    attack: Attack | None = None


class Heard(Struct):
    """What came back. `ended`: the server, or we, ended it in time. `broken`: by a reset."""

    data: bytearray
    ended: bool = False
    broken: bool = False


async def carry_out(
    attack: Attack, host: str, port: int, *, patience_s: float
) -> tuple[list[int], Finding | None]:
    """The statuses of the answers, and what was wrong with them.

    `patience_s` is how long the server may take to end a connection that is done with.
    """
    try:
        heard = await _exchange(attack, host, port, patience_s)
    except OSError as error:
        return [], Finding(what=f"nobody takes the connection: {error}", attack=attack)
    try:
        replies = _read(attack, heard)
    except Wrong as wrong:
        return [], Finding(what=str(wrong), attack=attack)
    return [reply.status for reply in replies], _missing(attack, heard, replies, patience_s)


async def _exchange(attack: Attack, host: str, port: int, patience_s: float) -> Heard:
    heard = Heard(bytearray())
    stream = await _connect(host, port)
    async with stream:
        if attack.ending in ("half_close", "wait"):
            with trio.move_on_after(patience_s):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_send, stream, attack)
                    await _hear(stream, heard)
                    nursery.cancel_scope.cancel()
                heard.ended = True
        else:
            with trio.move_on_after(patience_s):
                await _send(stream, attack)
            heard.ended = True
            if attack.ending == "reset":
                linger = struct.pack("ii", 1, 0)
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            await trio.aclose_forcefully(stream)
    return heard


async def _connect(host: str, port: int) -> trio.SocketStream:
    """Raises `OSError` when it can't, tried again and again."""
    for _ in range(CONNECT_TRIES - 1):
        try:
            return await _connect_once(host, port)
        except OSError:
            await trio.sleep(PIECE_PAUSE_S)
    return await _connect_once(host, port)


async def _connect_once(host: str, port: int) -> trio.SocketStream:
    try:
        with trio.fail_after(CONNECT_S_MAX):
            return await trio.open_tcp_stream(host, port)
    except trio.TooSlowError:
        raise OSError("the connection was not taken in time") from None


async def _send(stream: trio.SocketStream, attack: Attack) -> None:
    """Send it all, as far as the server takes it."""
    try:
        for place, data in enumerate(attack.sends):
            if place:
                await trio.sleep(PIECE_PAUSE_S)
            await stream.send_all(data)
        if attack.ending == "half_close":
            await stream.send_eof()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


async def _hear(stream: trio.SocketStream, heard: Heard) -> None:
    try:
        while data := await stream.receive_some(RECEIVE_BYTES):
            heard.data += data
            assert len(heard.data) <= REPLY_BYTES_MAX, "the server does not stop talking"
    except trio.BrokenResourceError:
        heard.broken = True


def _read(attack: Attack, heard: Heard) -> list[Reply]:
    """Raises `Wrong`."""
    sent = b"".join(attack.sends)
    replies, cut = read_replies(bytes(heard.data), may_be_head=b"HEAD" in sent)
    for reply in replies:
        judge(reply)
    if cut and heard.ended and not heard.broken:
        raise Wrong(f"a response is cut off: {bytes(heard.data[-200:])!r}")
    return [reply for reply in replies if reply.status not in (CONTINUE, SWITCHING)]


def _missing(
    attack: Attack, heard: Heard, replies: list[Reply], patience_s: float
) -> Finding | None:
    if not heard.ended:
        what = f"the connection is still open after {patience_s:g} s; {len(replies)} replies came"
    elif attack.replies is not None and len(replies) != attack.replies:
        statuses = [reply.status for reply in replies]
        what = f"{attack.replies} replies were due, these came: {statuses[:50]}"
    else:
        return None
    return Finding(what=what, attack=attack)
