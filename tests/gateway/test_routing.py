"""The rule: a query holds what the route knows, and an id is what the client meant."""

from typing import Any

import pytest

from tradeclear.gateway.problems import Reply
from tradeclear.gateway.routing import Call, Parameter, Route, one_key, read_query, unquote_id
from tradeclear.model.errors import InvalidField


async def endpoint(_call: Call) -> Reply:
    return Reply(200, b"")


def route(**more: Any) -> Route:
    return Route(
        method="GET",
        path="/x/{order_id}",
        name="x",
        summary="",
        tag="",
        endpoint=endpoint,
        replies={},
        parameters=(Parameter("a", ""), Parameter("b", "")),
        **more,
    )


@pytest.mark.parametrize(
    ("query", "given"),
    [
        ("", {}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=", {"a": ""}),
        ("a", {"a": ""}),
        ("a=1&a=2", {"a": "2"}),
        ("a=%2F+%2B", {"a": "/ +"}),
        ("a=%ff", {"a": "\ufffd"}),
        ("&&", {}),
    ],
)
def test_queries(query: str, given: dict[str, str]) -> None:
    assert read_query(route(), query) == given


def test_unknown_parameters() -> None:
    with pytest.raises(InvalidField, match="c: is no parameter here; known: a, b"):
        read_query(route(), "a=1&c=2")
    assert read_query(route(open_query=True), "a=1&c=2") == {"a": "1"}


def test_required_parameters() -> None:
    needs = Route(
        method="GET",
        path="/",
        name="x",
        summary="",
        tag="",
        endpoint=endpoint,
        replies={},
        parameters=(Parameter("a", "", required=True),),
    )
    with pytest.raises(InvalidField, match="a: is required in the query"):
        read_query(needs, "")


def test_an_endless_query() -> None:
    with pytest.raises(InvalidField, match="query: must be at most 4096"):
        read_query(route(), "a=" + "1" * 5000)


def test_keys() -> None:
    assert one_key([]) is None
    assert one_key(["k"]) == one_key(["k", "k"]) == "k"
    with pytest.raises(InvalidField, match="Idempotency-Key: is given more than once"):
        one_key(["k", "l"])


def test_ids_and_labels() -> None:
    assert unquote_id("a%2Fb") == "a/b"
    assert route().label == "GET /x/{order_id}"
