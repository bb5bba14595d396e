"""What a restart must bring back."""

from typing import NamedTuple
from urllib.parse import quote

from lobster.api import PAGE, Api


class Portrait(NamedTuple):
    """All that the API tells, byte for byte, and the hash of the state."""

    state_hash: str
    book: bytes
    trades: list[bytes]
    orders: list[bytes]


async def portray(api: Api) -> Portrait:
    name = quote(api.instrument)
    trades: list[bytes] = []
    before = ""
    while True:
        reply = await api.get(f"/trades?instrument={name}&limit={PAGE}{before}")
        trades.append(reply.body)
        page = reply.json()["trades"]
        if len(page) < PAGE:
            break
        before = f"&before={page[-1]['trade_id']}"
    orders: list[bytes] = []
    cursor = ""
    while True:
        reply = await api.get(f"/orders?client_id=lobster&limit={PAGE}{cursor}")
        orders.append(reply.body)
        next_cursor = reply.json()["next_cursor"]
        if next_cursor is None:
            break
        cursor = f"&cursor={quote(str(next_cursor))}"
    book = await api.get(f"/orderbook?instrument={name}&levels={PAGE}")
    snapshot = (await api.post("/admin/snapshots")).json()
    return Portrait(snapshot["state_hash"], book.body, trades, orders)


def differing(before: Portrait, after: Portrait) -> list[str]:
    return [
        name for name, one, two in zip(Portrait._fields, before, after, strict=True) if one != two
    ]
