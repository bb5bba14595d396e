import json
async def test_smoke(house, client):
    r = await client.post("/orders", json={"client_id":"a","side":"buy","price":"1.5","quantity":2})
    print(r.status_code, await r.get_data(), r.headers)
    r = await client.get("/orderbook"); print(await r.get_data())
    for p in ("/openapi.json","/docs","/instruments","/healthz","/readyz","/metrics","/trades","/orders","/nope","/admin/snapshots"):
        r = await client.get(p); print(p, r.status_code, (await r.get_data())[:300])
async def test_sock(house, server):
    async with server.http() as http:
        r = await http.post("/orders", json={"client_id":"a","side":"buy","price":"1.5","quantity":2}, headers={"Idempotency-Key":"k"})
        print(r, r.text)
        r = await http.post("/orders", json={"client_id":"a","side":"buy","price":"1.5","quantity":2}, headers={"Idempotency-Key":"k"})
        print(r.headers)
    await server.assert_serving()
