"""JSON values that attack: numbers, texts, shapes. Each is the bytes that stand in the body."""

from random import Random
from typing import Final

DIGITS_MANY: Final = 100_000

NUMBERS: Final = (
    *(b"1E+3000000", b"1e999999999999", b"-1e999999999999"),
    *(b"1e-999999999999", b"1e400", b"1e-400"),
    *(b"NaN", b"Infinity", b"-Infinity", b"nan", b"-", b"+1", b".5", b"5.", b"01", b"0x10", b"1e"),
    *(b'"NaN"', b'"Infinity"', b'"-Infinity"'),
    *(b'"sNaN"', b'"1_000"', b"1_000", b'"1e999999999999"'),
    *(b'"1E+3000000"', b'"1e-3000000"', b"-0", b'"-0"', b"0"),
    *(b"0.0", b"-1", b'""', b'" 1"', b'"1 "'),
    *('"\u0661\u0662"'.encode(), '"\uff11"'.encode(), '"\u00bd"'.encode(), '"\u2212 1"'.encode()),
    *(b"0.000000000000000000001", b"1.000000000000000000000", b"9" * 400, b"0." + b"9" * 400),
    *(b"9223372036854775807", b"9223372036854775808", b"18446744073709551616", b"1e18", b"1e19"),
    *(b"9007199254740993", b"10000000.00", b"10000000.01", b"0.01", b"0.010", b"0.001", b"1E0"),
    *(b'"\\u0031"', b'"1\\u0000"', b'"0b1"', b'"1,5"'),
    *(b'"1.5.5"', b'"--1"', b"1e+1", b"1e-2", b"1E2"),
)  # fmt: skip
"""Those of trap 1 among them: exponents that take minutes to write out, and what is no number."""

TEXTS: Final = (
    *(b'""', b'" "', b'"a b"', b'"\\u0000"'),
    *(b'"a\\u0000b"', b'"\\n"', b'"\\ud800"', b'"\\udc00\\ud800"'),
    *(b'"\\ud83d\\ude00"', b'"\xff"', b'"\xc0\x80"'),
    *(b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\x00"'),
    *(b'"\xef\xbb\xbf"', '"\u202e"'.encode()),
    *('"\U0001f4a5"'.encode(), b'"../../etc/passwd"', b'"%s%n"'),
    *(b'"a\\"b"', b'"\\u0041"', b'"\\x41"', b'"a'),
    *(b"'a'", b'"<script>"', b"\"' OR 1=1 --\"", b'"{{7*7}}"'),
    *(b'"CON"', b'"/"', b'"."', b'".."', b'"__proto__"', b'"BTC-USD"', b'"btc-usd"', b'"BTC-USDT"'),
)  # fmt: skip
"""Wrong encodings, lone surrogates, controls, and names that mean something elsewhere."""

SHAPES: Final = (
    *(b"null", b"true", b"false", b"[]", b"{}", b"[[]]", b'{"a":1}', b"[1,2]", b"undefined", b""),
    *(b'"buy"', b'"sell"', b'"BUY"', b'"limit"', b'"market"', b'"gtc"', b'"fok"', b'"decrement"'),
)


def hostile_value(draw: Random) -> bytes:
    """One value; now and then a huge one."""
    if draw.random() < 0.03:
        return _huge(draw)
    return draw.choice(draw.choice((NUMBERS, TEXTS, SHAPES)))


def _huge(draw: Random) -> bytes:
    size = draw.choice((65, 129, 5_000, DIGITS_MANY))
    match draw.randrange(6):
        case 0:
            return b"9" * size
        case 1:
            return b'"%b"' % (b"9" * size)
        case 2:
            return b"0." + b"1" * size
        case 3:
            return b'"%b"' % (b"a" * size)
        case 4:
            return b"1e" + b"9" * size
        case _:
            return nested(draw, size)


def nested(draw: Random, depth: int) -> bytes:
    """Arrays or objects in each other, closed or not."""
    if draw.random() < 0.5:
        return b"[" * depth + draw.choice((b"]" * depth, b""))
    return b'{"a":' * depth + b"1" + draw.choice((b"}" * depth, b""))
