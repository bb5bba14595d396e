"""Token buckets: so many requests a second a client and an address, and bursts of so many.

A bucket is kept as one number, the time at which it will be full again ("generic cell rate
algorithm", ITU-T I.371). A full bucket need not be remembered, so forgetting the one that was idle
longest loses nothing but under attack.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final

from msgspec import Struct

from tradeclear.model.errors import InvalidField, TradeclearError

BUCKETS_MAX: Final = 100_000
ADDRESSES_CACHED: Final = 4096
ROUNDING_S: Final = 1e-9
"""Half a token of a billion a second: so much may be missing."""

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
        self._begun: Final = clock()  # counted from here, or a long uptime costs digits
        self._full_at: Final[dict[str, float]] = {}  # idle longest first

    def __len__(self) -> int:
        """How many buckets are remembered."""
        return len(self._full_at)

    def take(self, name: str, tokens: int = 1) -> Taken:
        """Take `tokens` out of the bucket of `name`, all or none."""
        return self.told(self.spend(name, tokens), tokens)

    def give_back(self, name: str, tokens: int) -> None:
        """Undo a `spend` of just now; nothing if the bucket is forgotten, and so full."""
        if name in self._full_at:
            self._full_at[name] -= tokens * self._interval_s

    def told(self, left_s: float, tokens: int) -> Taken:
        """What `spend` returned, in tokens."""
        if not self._interval_s:
            return Taken(True, 0, 0, 0.0)
        allowed = left_s >= 0
        kept_s = left_s if allowed else left_s + tokens * self._interval_s
        remaining = int(kept_s / self._interval_s + 1e-6)
        return Taken(allowed, self._burst, remaining, 0.0 if allowed else -left_s)

    def spend(self, name: str, tokens: int = 1) -> float:
        """Take `tokens`, all or none; returns the seconds in which what is left would have come.

        Negative: nothing was taken, and so long it is until enough is there.
        """
        if not self._interval_s:
            return 0.0
        now = self._clock() - self._begun
        buckets = self._full_at
        full_at = buckets.pop(name, now)
        if full_at < now:
            full_at = now
        after = full_at + tokens * self._interval_s
        left_s = now + self._burst_s - after
        if left_s < -ROUNDING_S:
            buckets[name] = full_at
        else:
            buckets[name] = after
            if left_s < 0:
                left_s = 0.0
        if len(buckets) > self._buckets_max:
            del buckets[next(iter(buckets))]
        return left_s


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

    def charge_address(self, address: str, tokens: int = 1) -> None:
        """Charge whoever sends from `address`; a /64 of IPv6 counts as one."""
        left_s = self._address.spend(network(address), tokens)
        if left_s < 0:
            raise RateLimited("address", self._address.told(left_s, tokens))

    def charge_together(self, address: str, clients: Mapping[str, int], *, paid: int = 0) -> bool:
        """Charge an address and its clients for many orders, `paid` of them charged to the address.

        False if there is not enough for all, or a client is reserved: nobody was charged, and each
        order may be charged for itself.
        """
        if not self._reserved.isdisjoint(clients):
            return False
        charges = [(self._address, network(address), sum(clients.values()) - paid)]
        charges += [(self._client, name, tokens) for name, tokens in clients.items()]
        for place, (buckets, name, tokens) in enumerate(charges):
            if buckets.spend(name, tokens) < 0:
                for before, whose, spent in charges[:place]:
                    before.give_back(whose, spent)
                return False
        return True

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
