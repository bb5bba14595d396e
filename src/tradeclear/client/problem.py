"""A refusal as the exchange tells it (RFC 9457)."""

from msgspec import Struct

from tradeclear.client.order import Order


class Problem(Struct, frozen=True, kw_only=True):
    """`code` and `name` are stable and to program by, `detail` is for people.

    `field` names what to mend, `order` is the order that stood in the way, `retry_after_s` is in
    whole seconds.
    """

    code: int
    name: str
    status: int
    title: str = ""
    detail: str = ""
    field: str | None = None
    order: Order | None = None
    retry_after_s: int | None = None
