"""The rule: frames are told apart however they come, whatever their length."""

import pytest

from measurements.websocket_load import BINARY, PING, TEXT, frame, take_frames


def unmasked(data: bytes) -> bytes:
    """The frame as a server sends it: without the mask bit and the mask (of zeros)."""
    length = data[1] & 0x7F
    if length == 126:
        return data[:1] + bytes([126]) + data[2:4] + data[8:]
    return data[:1] + bytes([length]) + data[6:]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 500, 65_535])
def test_a_client_s_frame_is_masked_with_zeros(size: int) -> None:
    data = frame(TEXT, b"x" * size)
    assert data[1] & 0x80
    assert take_frames(unmasked(data)) == ([(TEXT, b"x" * size)], b"")


def test_frames_that_come_in_two_parts() -> None:
    sent = [(TEXT, b"a"), (BINARY, b"b" * 300), (PING, b""), (TEXT, b"c" * 126)]
    data = b"".join(unmasked(frame(opcode, payload)) for opcode, payload in sent)
    for cut in range(len(data) + 1):
        first, rest = take_frames(data[:cut])
        second, rest = take_frames(rest + data[cut:])
        assert first + second == sent
        assert rest == b""


def test_a_frame_of_more_than_64_kib() -> None:
    payload = b"z" * 70_000
    data = bytes([TEXT, 127]) + len(payload).to_bytes(8, "big") + payload
    assert take_frames(data + b"\x81") == ([(TEXT, payload)], b"\x81")
