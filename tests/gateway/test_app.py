"""The rule: whatever is asked, the answer is a reply of ours or a problem, and never a 500."""

from typing import Any

import pytest

from tradeclear.gateway.decode import RequestRefused
from tradeclear.gateway.problems import INTERNAL_ERROR, Reply
from tradeclear.gateway.routing import Call, Route
from tradeclear.model.errors import TradeclearError


@pytest.mark.parametrize("path", ["/", "/x", "/orders/a/b", "/orders/a/cancel/x", "/%"])
async def test_unknown_routes(client: Any, problem: Any, path: str) -> None:
    await problem(await client.get(path), 404, "unknown_route")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/orders", "DELETE, GET, HEAD, OPTIONS, POST"),
        ("POST", "/orderbook", "GET, HEAD, OPTIONS"),
        ("DELETE", "/orders/batch/x", None),
        ("TRACE", "/trades", "GET, HEAD, OPTIONS"),
    ],
)
async def test_wrong_methods(
    client: Any, problem: Any, method: str, path: str, allow: str | None
) -> None:
    reply = await client.open(path, method=method)
    if allow is None:
        await problem(reply, 404, "unknown_route")
    else:
        await problem(reply, 405, "method_not_allowed")
        assert reply.headers["Allow"] == allow


async def test_a_slash_at_the_end_does_not_matter(client: Any) -> None:
    assert (await client.get("/orderbook/")).status_code == 200


async def test_head_and_options(client: Any) -> None:
    reply = await client.head("/orderbook")
    assert reply.status_code == 200
    reply = await client.open("/orders", method="OPTIONS")
    assert reply.status_code == 200
    assert set(reply.headers["Allow"].split(", ")) >= {"POST", "GET", "DELETE"}


def extra(endpoint: Any) -> Route:
    return Route(
        method="GET",
        path="/extra",
        name="extra",
        summary="",
        tag="x",
        endpoint=endpoint,
        replies={200: None},
    )


async def test_routes_from_elsewhere_are_mounted_and_described(house: Any) -> None:
    async def hello(call: Call) -> Reply:
        return Reply(200, b'"hello"')

    client = house.app(routes=[extra(hello)]).test_client()
    assert await (await client.get("/extra")).get_json() == "hello"
    assert "/extra" in (await (await client.get("/openapi.json")).get_json())["paths"]


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("secret"),
        ExceptionGroup("", [KeyError("secret")]),
        TradeclearError("of a kind that nobody thought of"),
        RequestRefused(INTERNAL_ERROR, "on purpose"),
    ],
)
async def test_faults_of_an_endpoint(house: Any, problem: Any, error: Exception) -> None:
    async def broken(call: Call) -> Reply:
        raise error

    client = house.app(routes=[extra(broken)]).test_client()
    told = await problem(await client.get("/extra"), 503, "internal_error")
    assert "secret" not in told["detail"]
    assert (await client.get("/trades")).status_code == 200


async def test_the_same_key_header_twice(client: Any, order: Any, problem: Any) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    reply = await client.post("/orders", json=order(), headers=headers)
    assert (await problem(reply, 400, "invalid_field"))["field"] == "Idempotency-Key"
