"""The rule: a reply's bytes are its status, its headers once each, its length and its body."""

from typing import Any

from tradeclear.gateway.door import response as module
from tradeclear.gateway.door.response import Beginnings, response
from tradeclear.gateway.problems import OVERLOADED, Reply, problem


def test_a_reply() -> None:
    data = response(Reply(201, b"{}"), b"ratelimit-limit: 5\r\n")
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    assert first == b"HTTP/1.1 201 Created"
    assert [line.partition(b":")[0] for line in lines] == [
        b"content-type",
        b"date",
        b"content-length",
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


def test_the_date_is_made_once_a_second_and_kind(monkeypatch: Any) -> None:
    now = [784_111_777.2]
    made: list[int] = []
    formatdate = module.formatdate
    monkeypatch.setattr(module, "time", lambda: now[0])
    monkeypatch.setattr(
        module, "formatdate", lambda second, **how: made.append(second) or formatdate(second, **how)
    )
    beginnings = Beginnings()
    assert b"date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" in beginnings.of(201, "text/plain")
    now[0] += 0.7
    assert b"date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" in beginnings.of(201, "text/plain")
    assert beginnings.of(200, "text/plain").startswith(b"HTTP/1.1 200 OK\r\n")
    now[0] += 0.2
    assert b"date: Sun, 06 Nov 1994 08:49:38 GMT\r\n" in beginnings.of(201, "text/plain")
    now[0] -= 3600  # the clock was set back
    assert b"date: Sun, 06 Nov 1994 07:49:38 GMT\r\n" in beginnings.of(201, "text/plain")
    assert made == [784_111_777, 784_111_777, 784_111_778, 784_108_178]
