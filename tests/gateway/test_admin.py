"""The rule: what runs says how it is, and a snapshot is told whole or with its problem."""

from typing import Any

import trio


async def test_alive_and_ready(client: Any, body: Any) -> None:
    assert await body(await client.get("/healthz?from=probe")) == {"status": "alive"}
    told = await body(await client.get("/readyz"))
    assert (told["ready"], told["parts"]["log"]) == (True, "writable")


async def test_not_ready_while_stopping(house: Any, client: Any, problem: Any) -> None:
    house.exchange.stopping = True
    reply = await client.get("/readyz")
    told = await problem(reply, 503, "not_ready")
    assert (told["ready"], told["parts"]["exchange"]) == (False, "stopping")
    assert (await client.get("/healthz")).status_code == 200


async def test_snapshots(client: Any, order: Any, body: Any) -> None:
    await client.post("/orders", json=order())
    reply = await client.post("/admin/snapshots")
    told = await body(reply)
    assert (reply.status_code, told["seq"], told["file"]) == (201, 2, "snapshot-2")
    assert set(told) == {"seq", "file", "bytes", "duration_s", "state_hash", "created_at"}
    assert await body(await client.get("/admin/snapshots")) == {"snapshots": [told]}


async def test_a_failed_snapshot_is_503(house: Any, client: Any, problem: Any) -> None:
    house.store.failing = True
    told = await problem(await client.post("/admin/snapshots"), 503, "snapshot_failed")
    assert told["detail"] == "the disk is full"
    await trio.lowlevel.checkpoint()
    house.store.failing = False
    assert (await client.post("/admin/snapshots")).status_code == 201


async def test_metrics_count_every_request_by_route_and_status(
    house: Any, client: Any, order: Any
) -> None:
    await client.post("/orders", json=order())
    await client.post("/orders", json=order(quantity=0))
    await client.get("/orders/x")
    await client.get("/nowhere")
    await client.get("/orders/x/y/z")
    reply = await client.get("/metrics?x=1")
    assert reply.content_type == "text/plain; version=0.0.4; charset=utf-8"
    text = (await reply.get_data()).decode()
    for line in (
        'http_requests_total{route="POST /orders",status="201"} 1.0',
        'http_requests_total{route="POST /orders",status="400"} 1.0',
        'http_requests_total{route="GET /orders/{order_id}",status="404"} 1.0',
        'http_requests_total{route="unmatched",status="404"} 2.0',
        "orders_received_total 1.0",
    ):
        assert line in text.splitlines()
    assert house.metrics.requests["GET /metrics", 200] == 1
