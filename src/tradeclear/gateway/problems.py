"""Everything that a request can be refused for: numbered, named, stable (RFC 9457).

The numbers 201 to 208 are the matcher's own (`model/reasons.py`), those from 1001 on the front
door's. A number or a name is never reused; clients may rely on both.
"""

from collections.abc import Iterable
from math import ceil
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from tradeclear.gateway.views import OrderView
from tradeclear.model import reasons

PROBLEM_JSON: Final = "application/problem+json"
JSON: Final = "application/json"


class Reply(Struct, frozen=True, gc=False):
    """An answer as it goes out: status, body, further headers, content type."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = JSON


class Kind(NamedTuple):
    """One kind of problem. `name` is the last part of its URN."""

    code: int
    name: str
    status: int
    title: str

    @property
    def type(self) -> str:
        return f"urn:tradeclear:problem:{self.name}"


KINDS: Final[dict[int, Kind]] = {
    kind.code: kind
    for kind in (
        Kind(reasons.DUPLICATE_ORDER_ID, "duplicate_order_id", 409, "The order id is taken"),
        Kind(reasons.UNKNOWN_ORDER, "unknown_order", 404, "There is no such order"),
        Kind(reasons.ORDER_CLOSED, "order_closed", 409, "The order can't trade any more"),
        Kind(
            reasons.QUANTITY_NOT_ABOVE_FILLED,
            "quantity_not_above_filled",
            409,
            "The new quantity is at or under what is filled",
        ),
        Kind(reasons.AMEND_WOULD_CROSS, "amend_would_cross", 409, "A post-only order would trade"),
        Kind(reasons.UNKNOWN_INSTRUMENT, "unknown_instrument", 409, "The instrument isn't traded"),
        Kind(reasons.OUTSIDE_LIMITS, "outside_limits", 409, "The order is outside the limits"),
        Kind(1001, "malformed_body", 400, "The body is not what this route takes"),
        Kind(1002, "invalid_field", 400, "A field is wrong"),
        Kind(1003, "malformed_request", 400, "The request is not proper HTTP"),
        Kind(1004, "unknown_route", 404, "There is no such route"),
        Kind(1005, "method_not_allowed", 405, "The route does not take this method"),
        Kind(1006, "aged_out", 404, "The answer is older than what is remembered"),
        Kind(1007, "request_timeout", 408, "The request came too slowly"),
        Kind(1008, "body_too_large", 413, "The body is too large"),
        Kind(1009, "headers_too_large", 431, "The headers are too large"),
        Kind(1010, "key_reused", 422, "The idempotency key was used for another request"),
        Kind(1011, "quarantined", 422, "This command once stopped the exchange"),
        Kind(1012, "rate_limited", 429, "Too many requests"),
        Kind(1013, "overloaded", 503, "The exchange is busy"),
        Kind(1014, "stopping", 503, "The exchange is shutting down"),
        Kind(1015, "outcome_unknown", 503, "The command may or may not have taken effect"),
        Kind(1016, "not_ready", 503, "The exchange can't take orders now"),
        Kind(1017, "snapshot_failed", 503, "The snapshot could not be written"),
        Kind(1018, "internal_error", 503, "A fault of ours"),
        Kind(1019, "too_many_subscriptions", 409, "The connection is subscribed to too much"),
        Kind(1030, "copy_unavailable", 503, "The copy of the book is too old or out of reach"),
        Kind(1040, "no_market", 404, "No outside market is followed"),
        Kind(1041, "market_stale", 503, "What is known of the outside market is too old"),
    )
}
"""Code to kind."""

(
    MALFORMED_BODY, INVALID_FIELD, MALFORMED_REQUEST, UNKNOWN_ROUTE, METHOD_NOT_ALLOWED, AGED_OUT,
    REQUEST_TIMEOUT, BODY_TOO_LARGE, HEADERS_TOO_LARGE, KEY_REUSED, QUARANTINED, RATE_LIMITED,
    OVERLOADED, STOPPING, OUTCOME_UNKNOWN, NOT_READY, SNAPSHOT_FAILED, INTERNAL_ERROR,
    TOO_MANY_SUBSCRIPTIONS,
) = (KINDS[code] for code in range(1001, 1020))  # fmt: skip
COPY_UNAVAILABLE: Final = KINDS[1030]
NO_MARKET: Final = KINDS[1040]
MARKET_STALE: Final = KINDS[1041]
UNKNOWN_ORDER: Final = KINDS[reasons.UNKNOWN_ORDER]


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457, with `code` and `name` to program by and `detail` for people.

    `field` names the member, parameter or header to mend, `order` is the state of the order that
    stood in the way, `parts` the state of each part when the exchange is not ready.
    """

    type: str
    title: str
    status: int
    detail: str
    code: int
    name: str
    field: str | None = None
    order: OrderView | None = None
    retry_after_s: int | None = None
    ready: bool | None = None
    parts: dict[str, str] | None = None


_encode = msgspec.json.Encoder().encode


def problem(
    kind: Kind,
    detail: str,
    *,
    field: str | None = None,
    order: OrderView | None = None,
    retry_after_s: float | None = None,
    parts: dict[str, str] | None = None,
    headers: Iterable[tuple[str, str]] = (),
) -> Reply:
    """A refusal as a reply. `retry_after_s` is rounded up to whole seconds, at least one."""
    seconds = None if retry_after_s is None else max(1, ceil(retry_after_s))
    told = Problem(
        type=kind.type,
        title=kind.title,
        status=kind.status,
        detail=detail,
        code=kind.code,
        name=kind.name,
        field=field,
        order=order,
        retry_after_s=seconds,
        ready=None if parts is None else False,
        parts=parts,
    )
    if seconds is not None:
        headers = (*headers, ("Retry-After", str(seconds)))
    return Reply(kind.status, _encode(told), tuple(headers), PROBLEM_JSON)
