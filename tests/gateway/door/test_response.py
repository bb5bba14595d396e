"""The rule: a reply's bytes are its status, its headers once each, its length and its body."""

from typing import Any

from tradeclear.gateway.door import response as module
from tradeclear.gateway.door.response import Dates, response
from tradeclear.gateway.problems import OVERLOADED, Reply, problem


def test_a_reply() -> None:
    data = response(Reply(201, b"{}"), b"ratelimit-limit: 5\r\n")
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    assert first == b"HTTP/1.1 201 Created"
    assert [line.partition(b":")[0] for line in lines] == [
        b"content-type",
        b"content-length",
        b"date",
        b"ratelimit-limit",
    ]
    assert b"content-length: 2" in lines
    assert b"content-type: application/json" in lines
    assert body == b"{}"


def test_a_problem_with_headers_of_its_own() -> None:
    reply = problem(OVERLOADED, "busy", retry_after_s=1.2, headers=[("Allow", "GET")])
    data = response(reply)
    assert data.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\ncontent-type: application/problem+json\r\n" in data
    assert b"\r\nallow: GET\r\nretry-after: 2\r\n" in data


def test_the_date_is_made_once_a_second(monkeypatch: Any) -> None:
    now = [784_111_777.2]
    made: list[int] = []
    formatdate = module.formatdate
    monkeypatch.setattr(module, "time", lambda: now[0])
    monkeypatch.setattr(
        module, "formatdate", lambda second, **how: made.append(second) or formatdate(second, **how)
    )
    dates = Dates()
    assert dates.now() == b"Sun, 06 Nov 1994 08:49:37 GMT"
    now[0] += 0.7
    assert dates.now() == b"Sun, 06 Nov 1994 08:49:37 GMT"
    now[0] += 0.2
    assert dates.now() == b"Sun, 06 Nov 1994 08:49:38 GMT"
    assert made == [784_111_777, 784_111_778]
