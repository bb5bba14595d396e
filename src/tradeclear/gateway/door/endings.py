"""How a connection goes on when the reactor is done with it. None stands for: close it."""

from typing import TypeAlias

from msgspec import Struct

from tradeclear.gateway.door.head import Hot


class HandOver(Struct, frozen=True):
    """It goes on at the door behind, with these bytes first."""

    rest: bytes


class Upgrade(Struct, frozen=True):
    """It goes on as a WebSocket. `route`: which; `key`: the handshake's."""

    route: Hot
    key: bytes


class Goodbye(Struct, frozen=True):
    """All was said: close it, but so that the client can read it all before."""


Next: TypeAlias = HandOver | Upgrade | Goodbye
