"""The rule: the description says every route, parameter, body and refusal, and no other."""

import re
from typing import Any

import pytest
import trio.lowlevel

from tradeclear.gateway.problems import KINDS


@pytest.fixture
async def document(client: Any) -> Any:
    reply = await client.get("/openapi.json")
    assert reply.content_type == "application/json"
    return await reply.get_json()


def operations(document: Any) -> dict[tuple[str, str], Any]:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


async def test_every_route_of_the_app_and_no_other(house: Any, document: Any) -> None:
    """WebSockets are not HTTP: OpenAPI has no words for them."""
    mounted = {
        (method, re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for rule in house.app().url_map.iter_rules()
        if not rule.websocket
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert set(operations(document)) == mounted
    assert len(mounted) >= 17


async def test_every_reference_leads_somewhere(document: Any) -> None:
    found: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                found.append(node["$ref"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    schemas = document["components"]["schemas"]
    assert {reference.rpartition("/")[2] for reference in found} == set(schemas)
    assert all(reference.startswith("#/components/schemas/") for reference in found)


async def test_path_parameters_are_described(document: Any) -> None:
    for (_method, path), operation in operations(document).items():
        named = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))


async def test_operation_ids_are_unique(document: Any) -> None:
    ids = [operation["operationId"] for operation in operations(document).values()]
    assert len(ids) == len(set(ids))


async def test_refusals_are_described(document: Any) -> None:
    place = operations(document)["POST", "/orders"]
    assert set(place["responses"]) >= {"201", "400", "409", "413", "422", "429", "503"}
    assert "`duplicate_order_id` (201)" in place["responses"]["409"]["description"]
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operation in operations(document).values():
        for status, reply in operation["responses"].items():
            if int(status) >= 400:
                assert reply["content"] == problem
    told = {kind["code"]: kind["name"] for kind in document["x-problems"]}
    assert told == {code: kind.name for code, kind in KINDS.items()}


async def test_numbers_are_numbers(document: Any) -> None:
    schemas = document["components"]["schemas"]
    order = schemas["OrderView"]["properties"]
    assert order["quantity"]["type"] == "number"
    assert order["average_price"]["type"] == ["number", "null"]
    assert order["status"]["enum"] == [
        "cancelled",
        "filled",
        "open",
        "partially_filled",
        "rejected",
    ]
    price = schemas["PlaceRequest"]["properties"]["price"]
    assert [kind["type"] for kind in price["anyOf"]] == ["number", "string", "null"]
    quantity = schemas["PlaceRequest"]["properties"]["quantity"]
    assert [kind["type"] for kind in quantity["anyOf"]] == ["number", "string"]
    assert schemas["PlaceRequest"]["required"] == ["client_id", "side", "quantity"]


async def test_replies_have_exactly_the_described_members(
    client: Any, order: Any, document: Any
) -> None:
    schemas = document["components"]["schemas"]
    for side in ("sell", "buy"):
        reply = await client.post("/orders", json=order(order_id=side, side=side))
    told = await reply.get_json()
    assert set(told) == set(schemas["OrderReply"]["properties"])
    assert set(told["order"]) == set(schemas["OrderView"]["properties"])
    assert set(told["trades"][0]) == set(schemas["TradeView"]["properties"])
    await trio.lowlevel.checkpoint()


async def test_the_page_for_people(client: Any, document: Any) -> None:
    reply = await client.get("/docs")
    page = (await reply.get_data()).decode()
    assert reply.content_type == "text/html; charset=utf-8"
    for operation in operations(document).values():
        assert f"<details id='{operation['operationId']}'>" in page
    for name in document["components"]["schemas"]:
        assert f"id='schema-{name}'" in page
    assert not re.search(r"(src|href)=['\"]?https?:", page)
    assert "<script" not in page
