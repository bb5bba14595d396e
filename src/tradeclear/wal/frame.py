"""A frame: the unit that is written in one go, and is valid whole or void whole.

Every file of a log directory is a row of frames. A frame is a header of 32 bytes, little-endian,
and a payload:

     0  magic           4 bytes, f7 54 43 01; the last is the version of the framing
     4  kind            u32
     8  payload length  u32
    12  count           u32, records in the payload (or what the kind says)
    16  first seq       u64
    24  previous        u32, checksum of the frame before: the frames are a chain
    28  checksum        u32, CRC-32 of bytes 0 to 27 and the payload
    32  payload

Zeros are no frame (the magic is not zero), and no length is believed beyond `frame_bytes_max`.
docs/wal-format.md tells the whole format.
"""

from collections.abc import Sequence
from struct import Struct as Layout
from typing import Final
from zlib import crc32

from msgspec import Raw, Struct
from msgspec.msgpack import Decoder

frame_bytes_max: Final = 16 * 1024 * 1024

MAGIC: Final = b"\xf7TC\x01"
HEADER: Final = Layout("<4sIIIQII")
HEADER_BYTES: Final = HEADER.size
COVERED_BYTES: Final = HEADER_BYTES - 4
payload_bytes_max: Final = frame_bytes_max - HEADER_BYTES

HEAD: Final = 1
RECORDS: Final = 2
SEAL: Final = 3
SNAPSHOT_HEAD: Final = 4
SNAPSHOT_CHUNK: Final = 5
SNAPSHOT_FOOTER: Final = 6

_COVERED = Layout("<4sIIIQI")
_CHECKSUM = Layout("<I")
_ARRAY32 = Layout(">BI")
_ARRAY32_CODE = 0xDD
_raw_records = Decoder(list[Raw])

records_bytes_max: Final = payload_bytes_max - _ARRAY32.size
"""Most bytes of records, joined, that one frame holds."""


class Frame(Struct, frozen=True, kw_only=True, gc=False):
    """A frame read back and verified. `file` and `offset` (bytes) say where it stands."""

    kind: int
    first_seq: int
    count: int
    payload: bytes
    previous: int
    checksum: int
    file: str
    offset: int

    @property
    def last_seq(self) -> int:
        """Seq of the last record in it."""
        return self.first_seq + self.count - 1

    @property
    def end(self) -> int:
        """Offset of the byte after it."""
        return self.offset + HEADER_BYTES + len(self.payload)

    def records(self) -> list[bytes]:
        """Split the payload into its records."""
        return [bytes(record) for record in _raw_records.decode(self.payload)]

    def record(self, seq: int) -> bytes:
        """Return the bytes of one of its records."""
        return bytes(_raw_records.decode(self.payload)[seq - self.first_seq])


def encode_records(records: Sequence[bytes]) -> bytes:
    """Join records into the payload of one frame: a msgpack array of them.

    `ValueError` when there are none, or more than `records_bytes_max`: the caller splits.
    """
    if not records:
        raise ValueError("a frame holds at least one record")
    payload = b"".join((_ARRAY32.pack(_ARRAY32_CODE, len(records)), *records))
    if len(payload) > payload_bytes_max:
        raise ValueError(
            f"{len(records)} records of {len(payload) - _ARRAY32.size} bytes do not fit in a "
            f"frame, which holds {records_bytes_max}: split the batch"
        )
    return payload


def encode_frame(
    kind: int, first_seq: int, count: int, previous: int, payload: bytes
) -> tuple[bytes, int]:
    """Return the frame's bytes and its checksum, which the next frame carries as `previous`."""
    covered = _COVERED.pack(MAGIC, kind, len(payload), count, first_seq, previous)
    checksum = crc32(payload, crc32(covered))
    return b"".join((covered, _CHECKSUM.pack(checksum), payload)), checksum
