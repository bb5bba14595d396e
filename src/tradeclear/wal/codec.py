"""Records to bytes and back: msgpack arrays `[seq, time, command, events]`.

Commands and events are arrays too, their tag first; see docs/wal-format.md. Events are compared as
bytes when a log is replayed, so they are decoded only where somebody wants to read them.
"""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from tradeclear.model.commands import Command
from tradeclear.model.events import Event, Record
from tradeclear.model.units import Micros, Seq

CODEC_VERSION: Final = 1
"""Raised when the same record would be other bytes."""

_encoder = msgspec.msgpack.Encoder()
encode_record = _encoder.encode
"""A `(seq, time, command, events)` tuple or a `Record` to bytes."""
encode_events = _encoder.encode
"""A tuple of events to the bytes that stand in its record."""


class StoredRecord(Struct, frozen=True, array_like=True, gc=False):
    """A record of which the events are still the bytes that the log holds."""

    seq: Seq
    time: Micros
    command: Command
    events: Raw


_frame_decoder = msgspec.msgpack.Decoder(list[StoredRecord])
_record_decoder = msgspec.msgpack.Decoder(Record)
_events_decoder = msgspec.msgpack.Decoder(tuple[Event, ...])


class RecordUnreadable(Exception):
    """Bytes with a good checksum are no record that this version can read."""


def decode_frame(payload: bytes | memoryview) -> list[StoredRecord]:
    """The records of one frame's payload. Raises `RecordUnreadable`."""
    try:
        return _frame_decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise RecordUnreadable(f"codec version {CODEC_VERSION} can't read it: {error}") from error


def decode_record(data: bytes | memoryview) -> Record:
    """One record, events and all. Raises `RecordUnreadable`."""
    try:
        return _record_decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise RecordUnreadable(f"codec version {CODEC_VERSION} can't read it: {error}") from error


def whole(stored: StoredRecord) -> Record:
    """The same record with its events decoded. Raises `RecordUnreadable`."""
    try:
        events = _events_decoder.decode(stored.events)
    except msgspec.MsgspecError as error:
        raise RecordUnreadable(f"the events of record {stored.seq}: {error}") from error
    return Record(stored.seq, stored.time, stored.command, events)
