"""The idempotency window: which keys were used, for what, and where the outcome stands in the log.

Kept per key are two digests and two numbers, in bytes: about 200 bytes of memory. The reply itself
is rebuilt from the log record of `seq`.
"""

from collections.abc import Iterator
from hashlib import blake2b
from struct import Struct as Layout
from typing import Final

import msgspec

from tradeclear.model.commands import Command, Idempotency, PlaceOrder
from tradeclear.model.errors import KeyReused
from tradeclear.model.units import Micros, Seq

DIGEST_BYTES: Final = 16

_ENTRY: Final = Layout(">16sQQ")  # request digest, seq, time
ENTRY_BYTES: Final = _ENTRY.size

SLACK_BYTES: Final = 65_536
"""So many bytes of keys that have left may stand at the front of the queue."""

_encode = msgspec.msgpack.Encoder().encode


def idempotency(client_id: str, key: str, command: Command) -> Idempotency:
    """A request's digests: its key, per client, and its content, by its scaled fields."""
    who = blake2b(f"{len(client_id)}:{client_id}{key}".encode(), digest_size=DIGEST_BYTES)
    return Idempotency(who.digest(), request_digest(command))


def request_digest(command: Command) -> bytes:
    """Digest of what the command asks for. The same for every retry of the same request."""
    plain = msgspec.structs.replace(command, idempotency=None)
    if isinstance(plain, PlaceOrder) and plain.id_generated:
        plain = msgspec.structs.replace(plain, order_id="")
    return blake2b(_encode(plain), digest_size=DIGEST_BYTES).digest()


class IdempotencyWindow:
    """The newest keys, bounded by count and by age of the log's time."""

    __slots__ = ("_age_max", "_entries", "_first", "_keys_max", "_oldest", "_queue")

    def __init__(self, keys_max: int, age_max: Micros) -> None:
        self._keys_max = keys_max
        self._age_max = age_max
        self._entries: dict[bytes, bytes] = {}
        self._queue = bytearray()  # the keys, oldest first, end to end; what is before
        self._first = 0  # this place has left
        self._oldest: Micros = 0  # a bound below the time of the oldest key

    def find(self, used: Idempotency) -> Seq | None:
        """Seq of the record that answered this very request, None if the key is new.

        Raises `KeyReused` if the key was used for another request.
        """
        entry = self._entries.get(used.key)
        if entry is None:
            return None
        request, seq, _time = _ENTRY.unpack(entry)
        if request != used.request:
            raise KeyReused(seq)
        return int(seq)

    def remember(self, used: Idempotency, seq: Seq, now: Micros) -> None:
        """Note a key's outcome, if it is its first, and forget what the bounds no longer hold."""
        key = used.key
        if key in self._entries:
            return
        assert len(key) == DIGEST_BYTES, f"a key's digest has {len(key)} bytes"
        self._entries[key] = _ENTRY.pack(used.request, seq, now)
        self._queue += key
        self._forget(now)

    def resize(self, keys_max: int, age_max: Micros, now: Micros) -> None:
        """Change the bounds; what no longer fits is forgotten at once."""
        self._keys_max, self._age_max = keys_max, age_max
        self._forget(now)

    def _forget(self, now: Micros) -> None:
        entries = self._entries
        while len(entries) > self._keys_max:
            self._drop_oldest()
        while entries and self._oldest < now - self._age_max:
            _request, _seq, self._oldest = _ENTRY.unpack(entries[self._oldest_key()])
            if self._oldest >= now - self._age_max:
                return
            self._drop_oldest()

    def _oldest_key(self) -> bytes:
        return bytes(self._queue[self._first : self._first + DIGEST_BYTES])

    def _drop_oldest(self) -> None:
        del self._entries[self._oldest_key()]
        self._first += DIGEST_BYTES
        if self._first >= SLACK_BYTES and 2 * self._first >= len(self._queue):
            del self._queue[: self._first]
            self._first = 0

    def oldest_seq(self) -> Seq | None:
        """The oldest record that a reply may have to be rebuilt from."""
        if not self._entries:
            return None
        return int(_ENTRY.unpack(self._entries[self._oldest_key()])[1])

    def __len__(self) -> int:
        return len(self._entries)

    def dump(self) -> Iterator[tuple[bytes, bytes]]:
        """Every (key, entry), oldest first."""
        for place in range(self._first, len(self._queue), DIGEST_BYTES):
            key = bytes(self._queue[place : place + DIGEST_BYTES])
            yield key, self._entries[key]

    def load(self, key: bytes, entry: bytes) -> None:
        """Put one dumped pair back, oldest first."""
        self._entries[key] = entry
        self._queue += key
