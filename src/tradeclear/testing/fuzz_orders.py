"""Proper requests to every route, so that state moves while others attack.

Orders are numbered by the attack that places them; cancels and amends name one of the last few
hundred, which may be there or not. Prices lie close together, so that most orders trade.
"""

from random import Random
from typing import Final

from tradeclear.testing.fuzz_bodies import json_object

CLIENTS: Final = tuple(b"fuzz-%d" % number for number in range(8))
RECENT_MAX: Final = 300
SNAPSHOT_SHARE: Final = 0.0003
CANCEL_ALL_SHARE: Final = 0.02
BATCH_MAX: Final = 5
READS: Final = (
    *(b"/orders?client_id=fuzz-1", b"/orders?status=open&limit=5", b"/orders?limit=3&cursor=9"),
    *(b"/orderbook", b"/orderbook?instrument=BTC-USD&levels=20", b"/orderbook?levels=1"),
    *(b"/trades", b"/trades?limit=50&instrument=BTC-USD", b"/trades?before=7", b"/instruments"),
    *(b"/healthz", b"/readyz", b"/metrics", b"/openapi.json", b"/docs", b"/admin/snapshots"),
)


def request(method: bytes, target: bytes, body: bytes | None = None, *more: bytes) -> bytes:
    """A proper request; `more` are header lines without their ends."""
    lines = [b"%b %b HTTP/1.1" % (method, target), b"Host: localhost", *more]
    if body is not None:
        lines += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, b"", body or b""])


def order_fields(draw: Random, number: int) -> dict[bytes, bytes]:
    """A valid order, field by field as JSON."""
    fields = {
        b"client_id": b'"%b"' % draw.choice(CLIENTS),
        b"side": draw.choice((b'"buy"', b'"sell"')),
        b"quantity": draw.choice((b"0.%05d" % draw.randint(1, 99_999), b"%d" % draw.randint(1, 3))),
        b"order_id": b'"%b"' % order_id(number),
    }
    if draw.random() < 0.1:
        fields[b"type"] = b'"market"'
    else:
        fields[b"price"] = draw.choice((b"%d.%02d", b'"%d.%02d"')) % (
            draw.randint(95, 105),
            draw.randrange(100),
        )
        fields[b"time_in_force"] = draw.choice((b'"gtc"', b'"gtc"', b'"ioc"', b'"fok"'))
    if draw.random() < 0.2:
        fields[b"self_trade_prevention"] = draw.choice((b'"cancel_both"', b'"decrement"'))
    if draw.random() < 0.3:
        fields[b"idempotency_key"] = b'"key-%d"' % (number // 2)
    return fields


def order_id(number: int) -> bytes:
    """The id of the order that attack `number` places."""
    return b"order-%d" % number


def recent(draw: Random, number: int) -> bytes:
    """The id of an order that may have been placed a little before."""
    return order_id(max(0, number - draw.randint(1, RECENT_MAX)))


def amend_fields(draw: Random) -> dict[bytes, bytes]:
    """Valid new terms."""
    fields = {b"quantity": b"0.%05d" % draw.randint(1, 99_999)}
    if draw.random() < 0.5:
        fields[b"price"] = b"%d" % draw.randint(95, 105)
    return fields


def proper_request(draw: Random, number: int) -> bytes:
    """One request that a client with good manners might send."""
    chance = draw.random()
    if chance < SNAPSHOT_SHARE:
        return request(b"POST", b"/admin/snapshots", b"")
    if chance < CANCEL_ALL_SHARE:
        return request(b"DELETE", b"/orders?client_id=" + draw.choice(CLIENTS))
    if chance < 0.55:
        return request(b"POST", b"/orders", json_object(order_fields(draw, number)))
    if chance < 0.62:
        return request(b"POST", b"/orders/batch", batch(draw, number))
    if chance < 0.70:
        return request(b"POST", b"/orders/%b/cancel" % recent(draw, number), b"{}")
    if chance < 0.75:
        return request(b"DELETE", b"/orders/" + recent(draw, number))
    if chance < 0.82:
        target = b"/orders/" + recent(draw, number)
        return request(b"PATCH", target, json_object(amend_fields(draw)))
    if chance < 0.88:
        return request(b"GET", b"/orders/" + recent(draw, number))
    return request(draw.choice((b"GET", b"GET", b"HEAD")), draw.choice(READS))


def batch(draw: Random, number: int) -> bytes:
    """A few orders and cancels in one body."""
    elements = []
    for place in range(draw.randint(1, BATCH_MAX)):
        if draw.random() < 0.7:
            fields = order_fields(draw, number)
            fields[b"order_id"] = b'"%b-%d"' % (order_id(number), place)
            fields.pop(b"idempotency_key", None)
        else:
            fields = {b"op": b'"cancel"', b"order_id": b'"%b"' % recent(draw, number)}
        elements.append(json_object(fields))
    return b"[" + b",".join(elements) + b"]"
