"""The rule: RFC 6455, sections 5 and 7, to the letter; however the bytes are cut."""

import os
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto import Connection, ConnectionType
from wsproto.events import (
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    TextMessage,
)

from tradeclear.gateway.door.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    FrameReader,
    Message,
    Violation,
    close_frame,
    close_reply,
    frame,
)

MOST = 65_536
EXAMPLES = int(os.environ.get("TRADECLEAR_TEST_EXAMPLES", "300"))


def messages(reader: FrameReader, data: bytes) -> list[Message]:
    reader.feed(data)
    found = []
    while (message := reader.next()) is not None:
        found.append(message)
    return found


def read(data: bytes) -> list[Message]:
    return messages(FrameReader(MOST), data)


def violation(data: bytes) -> tuple[list[Message], int]:
    """The messages before the violation, and the code of it."""
    reader = FrameReader(MOST)
    reader.feed(data)
    found = []
    while True:
        try:
            message = reader.next()
        except Violation as error:
            return found, error.code
        assert message is not None, f"no violation after {found}"
        found.append(message)


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 124, 125, 126, 127, 128, 65_535, 65_536])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_every_length(client_frame: Any, opcode: int, size: int) -> None:
    payload = bytes(number * 7 % 256 for number in range(size))
    assert read(client_frame(opcode, payload)) == [Message(opcode, payload)]


def test_the_rfc_s_own_example() -> None:
    assert read(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58") == [Message(TEXT, b"Hello")]


def test_a_mask_of_nothing(client_frame: Any) -> None:
    data = client_frame(TEXT, b"Hello", mask=b"\0\0\0\0")
    assert read(data) == [Message(TEXT, b"Hello")]


@pytest.mark.parametrize("size", [5, 126, 300])
def test_cut_at_every_byte(client_frame: Any, size: int) -> None:
    data = client_frame(TEXT, "é".encode() * size) + client_frame(PING, b"p")
    expected = [Message(TEXT, "é".encode() * size), Message(PING, b"p")]
    for at in range(len(data) + 1):
        reader = FrameReader(MOST)
        assert messages(reader, data[:at]) + messages(reader, data[at:]) == expected
    reader = FrameReader(MOST)
    assert [one for at in range(len(data)) for one in messages(reader, data[at : at + 1])] == (
        expected
    )


def test_fragments_with_control_frames_between(client_frame: Any) -> None:
    data = (
        client_frame(TEXT, b"a", final=False)
        + client_frame(PING, b"1")
        + client_frame(CONTINUATION, b"", final=False)
        + client_frame(CONTINUATION, b"b", final=False)
        + client_frame(PONG)
        + client_frame(CONTINUATION, b"c")
        + client_frame(TEXT, b"d")
    )
    assert read(data) == [
        Message(PING, b"1"),
        Message(PONG, b""),
        Message(TEXT, b"abc"),
        Message(TEXT, b"d"),
    ]


def test_fragments_of_nothing(client_frame: Any) -> None:
    data = client_frame(BINARY, final=False) + client_frame(CONTINUATION) + client_frame(TEXT)
    assert read(data) == [Message(BINARY, b""), Message(TEXT, b"")]


def test_the_greatest_message_in_fragments(client_frame: Any) -> None:
    """Found: an empty fragment once counted as a byte."""
    data = (
        client_frame(TEXT, b"x" * (MOST - 1), final=False)
        + client_frame(CONTINUATION, b"", final=False) * 10
        + client_frame(CONTINUATION, b"y")
    )
    assert read(data) == [Message(TEXT, b"x" * (MOST - 1) + b"y")]


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_unknown_opcodes(client_frame: Any, opcode: int) -> None:
    assert violation(client_frame(opcode, b"")) == ([], 1002)


@pytest.mark.parametrize("bit", [0x10, 0x20, 0x40])
@pytest.mark.parametrize("opcode", [TEXT, PING, CLOSE])
def test_reserved_bits(client_frame: Any, opcode: int, bit: int) -> None:
    data = client_frame(opcode, b"")
    assert violation(bytes([data[0] | bit]) + data[1:]) == ([], 1002)


@pytest.mark.parametrize("opcode", [TEXT, PING, CLOSE])
def test_frames_that_are_not_masked(client_frame: Any, opcode: int) -> None:
    data = client_frame(TEXT, b"before") + client_frame(opcode, b"", mask=None)
    assert violation(data) == ([Message(TEXT, b"before")], 1002)


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_control_frames_are_whole_and_short(client_frame: Any, opcode: int) -> None:
    assert read(client_frame(opcode, b"x" * 125)) == [Message(opcode, b"x" * 125)]
    assert violation(client_frame(opcode, b"x" * 126)) == ([], 1002)
    assert violation(client_frame(opcode, b"x", final=False)) == ([], 1002)


@pytest.mark.parametrize(
    "length",
    [b"\xfe\0\x7d", b"\xfe\0\0", b"\xff" + bytes(6) + b"\xff\xff", b"\xff\x80" + bytes(7)],
)
def test_lengths_that_are_not_written_shortest(length: bytes) -> None:
    """Found: longer forms were taken."""
    assert violation(b"\x81" + length + bytes(200)) == ([], 1002)


def test_fragments_out_of_place(client_frame: Any) -> None:
    begun = client_frame(TEXT, b"a", final=False)
    assert violation(client_frame(CONTINUATION, b"a")) == ([], 1002)
    assert violation(begun + client_frame(TEXT, b"b")) == ([], 1002)
    assert violation(begun + client_frame(TEXT, b"b", final=False)) == ([], 1002)
    ended = client_frame(TEXT, b"a") + client_frame(CONTINUATION, b"b")
    assert violation(ended) == ([Message(TEXT, b"a")], 1002)


def test_messages_that_are_too_big(client_frame: Any) -> None:
    assert violation(client_frame(TEXT, b"x" * (MOST + 1))) == ([], 1009)
    begun = client_frame(TEXT, b"x" * MOST, final=False)
    assert violation(begun + client_frame(CONTINUATION, b"y")) == ([], 1009)
    # Said as soon as the length is there, before a byte of it is kept.
    assert violation(b"\x81\xff" + (1 << 40).to_bytes(8, "big")) == ([], 1009)


def test_it_holds_no_more_than_it_must(client_frame: Any) -> None:
    reader = FrameReader(MOST)
    for _ in range(10_000):
        assert messages(reader, client_frame(TEXT, b"x" * 100)) == [Message(TEXT, b"x" * 100)]
        assert len(reader._buffer) == 106
    for piece in [client_frame(TEXT, b"x", final=False), *[client_frame(0, b"", final=False)] * 99]:
        assert messages(reader, piece) == []
    assert len(reader._fragments) == 1


# What a server sends


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_our_frames_are_read_by_others(size: int) -> None:
    payload = bytes(number * 7 % 256 for number in range(size))
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(frame(BINARY, payload))
    found = list(client.events())
    assert b"".join(one.data for one in found) == payload
    assert found[-1].message_finished


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        (b"", b"\x88\x00"),
        (b"\x03\xe8", close_frame(1000)),
        (b"\x03\xe8bye", close_frame(1000)),
        (b"\x03\xf4", close_frame(1012)),
        (b"\x0b\xb8", close_frame(3000)),
        (b"\x13\x87\xc3\xa9", close_frame(4999)),
    ],
)
def test_a_close_is_answered_in_kind(payload: bytes, answer: bytes) -> None:
    assert close_reply(payload) == answer


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535])
def test_codes_that_nobody_may_send(code: int) -> None:
    assert close_reply(code.to_bytes(2, "big"))[2:4] == b"\x03\xea"


def test_half_a_code_and_half_a_reason() -> None:
    assert close_reply(b"\x03")[2:4] == b"\x03\xea"
    assert close_reply(b"\x03\xe8\xff")[2:4] == b"\x03\xef"


def test_a_long_reason_is_cut() -> None:
    assert len(close_frame(1002, "x" * 500)) == 2 + 125


# Against wsproto


@st.composite
def conversations(draw: Any) -> list[tuple[int, bytes, bool]]:
    """Frames that keep to the rules: messages in fragments, control frames between them."""
    frames: list[tuple[int, bytes, bool]] = []
    payload = st.binary(max_size=20) | st.binary(min_size=120, max_size=130)
    for _ in range(draw(st.integers(1, 4))):
        text = draw(st.booleans())
        whole = draw(st.text(max_size=60)).encode() if text else draw(payload)
        cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=3)))
        parts = [whole[a:b] for a, b in pairwise([0, *cuts, len(whole)])]
        for index, part in enumerate(parts):
            opcode = CONTINUATION if index else TEXT if text else BINARY
            frames.append((opcode, part, index == len(parts) - 1))
            if draw(st.booleans()):
                frames.append((draw(st.sampled_from([PING, PONG])), draw(payload)[:125], True))
    return frames


def by_wsproto(pieces: list[bytes]) -> tuple[list[Message], int | None]:
    """What wsproto makes of it: the messages, and the code of a violation or a close."""
    server = Connection(ConnectionType.SERVER)
    found: list[Message] = []
    parts: list[bytes] = []
    for piece in pieces:
        server.receive_data(piece)
        for event in server.events():
            match event:
                case TextMessage() | BytesMessage():
                    is_text = isinstance(event, TextMessage)
                    parts.append(event.data.encode() if is_text else bytes(event.data))
                    if event.message_finished:
                        found.append(Message(TEXT if is_text else BINARY, b"".join(parts)))
                        parts = []
                case Ping():
                    found.append(Message(PING, bytes(event.payload)))
                case Pong():
                    found.append(Message(PONG, bytes(event.payload)))
                case CloseConnection():
                    return found, event.code
    return found, None


def by_us(pieces: list[bytes]) -> tuple[list[Message], int | None]:
    reader = FrameReader(MOST)
    found: list[Message] = []
    for piece in pieces:
        reader.feed(piece)
        try:
            while (message := reader.next()) is not None:
                if message.opcode == CLOSE:
                    return found, int.from_bytes(close_reply(message.payload)[2:4] or b"\3\xed")
                if message.opcode == TEXT:
                    try:
                        message.payload.decode()
                    except UnicodeDecodeError:
                        return found, 1007
                found.append(message)
        except Violation as error:
            return found, error.code
    return found, None


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(position % (len(data) + 1) for position in at), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@settings(max_examples=EXAMPLES, deadline=None)
@given(conversations(), st.lists(st.integers(0, 10_000), max_size=8), st.binary(min_size=4))
def test_like_wsproto_however_it_is_cut(
    client_frame: Any, conversation: Any, at: list[int], masks: bytes
) -> None:
    data = b""
    for index, (opcode, payload, final) in enumerate(conversation):
        mask = bytes(masks[(index + offset) % len(masks)] for offset in range(4))
        data += client_frame(opcode, payload, final=final, mask=mask)
    pieces = cut(data, at)
    expected = by_wsproto(pieces)
    assert expected[1] is None
    assert by_us(pieces) == expected


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    conversations(),
    st.lists(st.integers(0, 10_000), max_size=4),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_like_wsproto_when_bytes_are_wrong(
    client_frame: Any, conversation: Any, at: list[int], wrong: Any
) -> None:
    """Both give the same messages before the violation that the zeros at the end are at last."""
    data = bytearray()
    for opcode, payload, final in conversation:
        data += client_frame(opcode, payload, final=final)
    for position, value in wrong:
        data[position % len(data)] = value
    pieces = [*cut(bytes(data), at), bytes(70_000)]
    theirs, their_code = by_wsproto(pieces)
    ours, our_code = by_us(pieces)
    if their_code == 1007:  # they look into half a message, we into whole ones
        assert ours[: len(theirs)] == theirs
        assert our_code is not None
    elif our_code == 1009:  # they know no greatest size
        assert theirs[: len(ours)] == ours
    else:
        assert ours == theirs
        assert our_code == their_code
