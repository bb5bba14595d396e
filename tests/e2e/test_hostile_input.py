"""The rule: what can't be an order is refused with 4xx and its field's name, and is not logged."""

import json
from pathlib import Path
from typing import Any

from tradeclear.testing.crash_comparison import last_sequence
from tradeclear.testing.server import Connection, Server

GOOD: dict[str, str] = {
    "order_id": '"order-1"',
    "client_id": '"client-A"',
    "instrument": '"BTC-USD"',
    "side": '"buy"',
    "type": '"limit"',
    "price": "100.5",
    "quantity": "1",
    "time_in_force": '"gtc"',
    "post_only": "false",
    "self_trade_prevention": '"none"',
    "idempotency_key": '"key-1"',
}
"""A valid order, each value as JSON text."""

LONG = "9" * 5_000
NOT_STRINGS = ["1", "1.5", "-1", "true", "[]", "{}", '["a"]', '{"a":1}', "1e400"]
BAD_TEXTS = ['""', '" "', '"a b"', r'"a\u0000b"', r'"a\nb"', '"é"', '"\\u202e"', '"💥"']
QUOTE = '"a\\"b"'
"""Not in an id, but in an idempotency key, which is any printable ASCII."""
WRONG_CHOICES = ['"BUY"', '"x"', '""', '"buy "', '"\\u0000"', *NOT_STRINGS]
BAD_NUMBERS = [
    *[
        "0",
        "-1",
        "-0",
        "0.0",
        '"0"',
        '"-1"',
        '""',
        '" 1"',
        '"1 "',
        '"+1"',
        '"1,5"',
        '"0x10"',
        '"1_0"',
    ],
    *[
        '"NaN"',
        '"Infinity"',
        '"-Infinity"',
        '"nan"',
        '"inf"',
        '"one"',
        '"\u0661"',
        '"1.5.5"',
        '".5"',
        '"5."',
    ],
    *["1e999999999", "1e-999999999", "-1e999999999", '"1e999999999"', "1e400", "1e41", "1e-400"],
    *[
        "0.000000000000000000001",
        "1e30",
        LONG,
        f'"{LONG}"',
        f"0.{LONG}",
        "true",
        "false",
        "[]",
        "{}",
    ],
    *["[1]", '{"a":1}', r'"\u0000"', r'"1\u0000"'],
]
WRONG: dict[str, list[str]] = {
    "order_id": [*NOT_STRINGS, *BAD_TEXTS, QUOTE, f'"{"a" * 65}"', f'"{"a" * 100_000}"'],
    "client_id": ["null", *NOT_STRINGS, *BAD_TEXTS, QUOTE, f'"{"a" * 65}"', f'"{"a" * 100_000}"'],
    "instrument": [
        *NOT_STRINGS,
        *BAD_TEXTS,
        QUOTE,
        '"btc-usd"',
        '"BTC-USDT"',
        f'"{"A" * 100_000}"',
    ],
    "side": ["null", *WRONG_CHOICES],
    "type": ["null", '"stop"', *WRONG_CHOICES],
    "price": ["null", "100.505", "1e-3", '"100.005"', "10000000.01", "99999999999", *BAD_NUMBERS],
    "quantity": ["null", "0.000001", "1e-6", '"0.000009"', "10000.00001", "1e12", *BAD_NUMBERS],
    "time_in_force": ["null", '"day"', *WRONG_CHOICES],
    "post_only": ["null", "0", "1", '"true"', '""', "[]", "{}", "1e400"],
    "self_trade_prevention": ["null", *WRONG_CHOICES],
    "idempotency_key": [*NOT_STRINGS, *BAD_TEXTS, f'"{"a" * 129}"', f'"{"a" * 100_000}"'],
    "surprise": ["1", "null", '"x"'],
}
REQUIRED = ["client_id", "side", "quantity", "price"]

NOT_JSON: list[bytes] = [
    *[
        b"",
        b" ",
        b"{",
        b"}",
        b"null",
        b"1",
        b'"order"',
        b"[]",
        b"[{}]",
        b"{}{}",
        b"{'a':1}",
        b"\x00",
    ],
    *[
        b"\xff\xfe",
        b'{"a":1,}',
        b'{"a"}',
        b"{a:1}",
        b"\xef\xbb\xbf{}",
        b'{"a":01}',
        b'{"\\ud800":1}',
    ],
    *[b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000],
    b'{"price":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
]
NOT_JSON_VALUES = [
    "NaN",
    "Infinity",
    "-Infinity",
    "nan",
    "+1",
    ".5",
    "5.",
    "0x10",
    "01",
    "1e",
    "--1",
]
NOT_TEXT_VALUES = [
    rb'"\ud800"',
    rb'"\udc00\ud800"',
    b'"\xff"',
    b'"\xc0\x80"',
    b'"\xed\xa0\x80"',
    b'"\x01"',
]


def body(**changed: str) -> bytes:
    fields = {**GOOD, **changed}
    return ("{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}").encode()


async def refused(connection: Connection, data: bytes, field: str | None) -> str | None:
    """None if the order was refused as it should be; else what was wrong with that."""
    reply = await connection.request("POST", "/orders", data)
    what = f"{data[:200]!r}: {reply.status} {reply.body[:300]!r}"
    if not 400 <= reply.status < 500:
        return f"status of {what}"
    if reply.headers["content-type"] != "application/problem+json":
        return f"content type of {what}"
    told: dict[str, Any] = json.loads(reply.body)
    if not told["detail"] or told["status"] != reply.status or not isinstance(told["code"], int):
        return f"problem in {what}"
    if field is not None and told.get("field") != field:
        return f"field of {what}"
    return None


def log_bytes(wal_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(wal_dir.iterdir())}


async def refuse_all(server: Server, cases: list[tuple[bytes, str | None]]) -> None:
    async with await server.connect() as connection:
        sequence, log = await last_sequence(connection), log_bytes(server.wal_dir)
        wrong = [await refused(connection, data, field) for data, field in cases]
        assert [problem for problem in wrong if problem] == []
        assert (await last_sequence(connection), log_bytes(server.wal_dir)) == (sequence, log)
        accepted = await connection.request("POST", "/orders", body())
        assert (accepted.status, await last_sequence(connection)) == (201, sequence + 1)
    assert "Traceback" not in server.said().decode()


async def test_every_field_with_every_wrong_value(server: Server) -> None:
    cases: list[tuple[bytes, str | None]] = [
        (body(**{field: value}), field) for field, values in WRONG.items() for value in values
    ]
    for field in REQUIRED:
        without = {name: value for name, value in GOOD.items() if name != field}
        data = "{" + ",".join(f'"{name}":{value}' for name, value in without.items()) + "}"
        cases.append((data.encode(), field))
    cases.append((body(type='"market"'), "price"))
    await refuse_all(server, cases)


async def test_bodies_that_are_no_json(server: Server) -> None:
    cases: list[tuple[bytes, str | None]] = [(data, None) for data in NOT_JSON]
    for field in GOOD:
        cases += [(body(**{field: value}), None) for value in NOT_JSON_VALUES]
        cases += [(body(**{field: "@@"}).replace(b"@@", value), None) for value in NOT_TEXT_VALUES]
    await refuse_all(server, cases)


async def test_amends_and_cancels_with_wrong_values(server: Server) -> None:
    async with await server.connect() as connection:
        assert (await connection.request("POST", "/orders", body())).status == 201
        sequence = await last_sequence(connection)
        wrong: list[str] = []
        for field in ("price", "quantity"):
            for value in BAD_NUMBERS:
                data = f'{{"{field}":{value}}}'.encode()
                reply = await connection.request("PATCH", "/orders/order-1", data)
                if reply.status != 400 or reply.json().get("field") != field:
                    wrong.append(f"PATCH {data[:100]!r}: {reply.status} {reply.body!r}")
        for data in (b'{"client_id":1}', b"[]", b"{", b'{"surprise":1}'):
            reply = await connection.request("POST", "/orders/order-1/cancel", data)
            if reply.status != 400:
                wrong.append(f"cancel {data!r}: {reply.status} {reply.body!r}")
        assert wrong == []
        assert await last_sequence(connection) == sequence
        order = (await connection.request("GET", "/orders/order-1")).json()
    assert (order["status"], order["sequence"]) == ("open", order["updated_sequence"])
