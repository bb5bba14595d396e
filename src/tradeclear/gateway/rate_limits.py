"""Token buckets: so many requests a second a client and an address, and bursts of so many.

A bucket is kept as one number, the time at which it will be full again ("generic cell rate
algorithm", ITU-T I.371). A full bucket need not be remembered, so forgetting the one that was idle
longest loses nothing but under attack.
"""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final

from msgspec import Struct

from tradeclear.model.errors import InvalidField, TradeclearError

BUCKETS_MAX: Final = 100_000
ADDRESSES_CACHED: Final = 4096

Clock = Callable[[], float]
"""Monotonic seconds."""


class Taken(Struct, frozen=True, gc=False):
    """Whether the tokens were there, how many of `limit` are left, how long until enough are."""

    allowed: bool
    limit: int
    remaining: int
    wait_s: float

    def headers(self) -> tuple[tuple[str, str], ...]:
        if not self.limit:
            return ()
        return (
            ("RateLimit-Limit", str(self.limit)),
            ("RateLimit-Remaining", str(self.remaining)),
        )


class RateLimited(TradeclearError):
    """Too many requests of this client or address: nothing was taken, try again later."""

    def __init__(self, whose: str, taken: Taken) -> None:
        super().__init__(f"too many requests of this {whose}: wait {taken.wait_s:.3f} s")
        self.taken = taken


class TokenBuckets:
    """A bucket for each name. `rate_per_s` 0: no limit."""

    def __init__(
        self, *, rate_per_s: float, burst: int, clock: Clock, buckets_max: int = BUCKETS_MAX
    ) -> None:
        self._interval_s: Final = 1 / rate_per_s if rate_per_s else 0.0
        self._burst: Final = burst
        self._burst_s: Final = self._interval_s * burst
        self._buckets_max: Final = buckets_max
        self._clock: Final = clock
        self._full_at: Final[dict[str, float]] = {}  # idle longest first

    def __len__(self) -> int:
        """How many buckets are remembered."""
        return len(self._full_at)

    def take(self, name: str, tokens: int = 1) -> Taken:
        """Take `tokens` out of the bucket of `name`, all or none."""
        if not self._interval_s:
            return Taken(True, 0, 0, 0.0)
        now = self._clock()
        full_at = self._full_at.pop(name, now)
        if full_at < now:
            full_at = now
        after = full_at + tokens * self._interval_s
        wait_s = after - now - self._burst_s
        allowed = wait_s <= 1e-9  # half a token of a billion a second: rounding
        if allowed:
            full_at = after
        self._full_at[name] = full_at
        if len(self._full_at) > self._buckets_max:
            del self._full_at[next(iter(self._full_at))]
        left = (self._burst_s - (full_at - now)) / self._interval_s
        return Taken(allowed, self._burst, int(left + 1e-6), 0.0 if allowed else wait_s)


class RateLimits:
    """The limits a client and an address. Raises `RateLimited` where one is reached.

    `reserved` clients are the house's own: nobody may enter orders by their names.
    """

    def __init__(
        self,
        *,
        client: TokenBuckets,
        address: TokenBuckets,
        reserved: frozenset[str] = frozenset(),
    ) -> None:
        self._client: Final = client
        self._address: Final = address
        self._reserved: Final = reserved

    def charge_address(self, address: str, tokens: int = 1) -> Taken:
        """Charge whoever sends from `address`; a /64 of IPv6 counts as one."""
        taken = self._address.take(network(address), tokens)
        if not taken.allowed:
            raise RateLimited("address", taken)
        return taken

    def charge_client(self, client_id: str) -> Taken:
        """Charge `client_id` one token. Raises `InvalidField` if it is reserved."""
        if client_id in self._reserved:
            raise InvalidField("client_id", f"{client_id} is the exchange's own: choose another")
        taken = self._client.take(client_id)
        if not taken.allowed:
            raise RateLimited("client", taken)
        return taken


@lru_cache(ADDRESSES_CACHED)
def network(address: str) -> str:
    """What one subscriber can change about his address at will is left out of it."""
    if ":" not in address:
        return address
    try:
        whole = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if whole.ipv4_mapped is not None:
        return str(whole.ipv4_mapped)
    return f"{int(whole) >> 64:x}::/64"


def unlimited() -> RateLimits:
    """No limits at all: for tests and measurements."""
    off = TokenBuckets(rate_per_s=0, burst=0, clock=lambda: 0.0)
    return RateLimits(client=off, address=off)
