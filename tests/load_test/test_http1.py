"""The rule: requests are whole and numbered, replies are taken whole however they are cut."""

import json

import pytest
from loadtest.http1 import NotHttp, Replied, RequestWriter, take_replies

REPLY = b"HTTP/1.1 201 \r\ncontent-type: application/json\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
LATER = b"HTTP/1.1 503 \r\nRetry-After: 1\r\ncontent-length: 0\r\n\r\n"
NEVER = b"HTTP/1.1 503 \r\ncontent-length: 0\r\n\r\n"


def body_of(request: bytes) -> bytes:
    head, _, body = request.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}\r\n".encode() in head + b"\r\n"
    return body


def test_bodies_go_round() -> None:
    writer = RequestWriter("h:1", ['{"a":1}', '{"a":2}'])
    assert [body_of(writer.request(n)) for n in (0, 1, 2)] == [b'{"a":1}', b'{"a":2}', b'{"a":1}']


def test_every_request_has_a_key_of_its_own() -> None:
    writer = RequestWriter("h:1", ['{"a":1}', '{"b":"ü"}'], key_prefix="run")
    bodies = [json.loads(body_of(writer.request(n))) for n in range(1_000)]
    assert bodies[0] == {"idempotency_key": "run-000000000000", "a": 1}
    assert bodies[3]["b"] == "ü"
    assert len({body["idempotency_key"] for body in bodies}) == 1_000


def test_replies_that_come_in_two_parts() -> None:
    data = REPLY + LATER
    for cut in range(len(data)):
        first, rest = take_replies(data[:cut])
        second, rest = take_replies(rest + data[cut:])
        assert first + second == [Replied(201, False), Replied(503, True)]
        assert rest == b""


def test_a_503_without_retry_after_is_seen() -> None:
    assert take_replies(NEVER + LATER)[0] == [Replied(503, False), Replied(503, True)]


def test_a_reply_of_unknown_length_is_no_reply() -> None:
    with pytest.raises(NotHttp):
        take_replies(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
