"""The rule: what everybody may see comes back typed and exact."""

from decimal import Decimal

from tradeclear.client.http import open_http
from tradeclear.client.market import Market

from .conftest import HASTE, HttpScript, reply

LEVEL = (
    b'{"price":0.1,"quantity":1234567890.12345678,"orders":2,'
    b'"cumulative_quantity":1,"cumulative_notional":0.10000000000000000001}'
)


async def test_a_book(http_script: HttpScript) -> None:
    http_script.replies = [
        reply(200, b'{"instrument":"X","sequence":7,"bids":[%b],"asks":[]}' % LEVEL)
    ]
    async with open_http(http_script.url, HASTE) as http:
        book = await Market(http).orderbook("X", levels=3)
    assert http_script.requests[0].path == "/orderbook?levels=3&instrument=X"
    assert (book.sequence, len(book.bids), book.asks) == (7, 1, ())
    assert book.bids[0].quantity == Decimal("1234567890.12345678")
    assert book.bids[0].cumulative_notional == Decimal("0.10000000000000000001")


async def test_trades_and_instruments(http_script: HttpScript) -> None:
    http_script.replies = [reply(200, {"trades": []}), reply(200, {"instruments": []})]
    async with open_http(http_script.url, HASTE) as http:
        assert await Market(http).trades(limit=5, before=9) == ()
        assert await Market(http).instruments() == ()
    assert http_script.requests[0].path == "/trades?limit=5&before=9"
