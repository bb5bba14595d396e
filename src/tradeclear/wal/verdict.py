"""What it means that a segment stops being valid somewhere: a torn tail, or damage.

A frame is written only after the one before it is durable. So a crash leaves at most one frame half
written, the last of the last segment, and nothing behind it: a torn tail, which nobody was told
about and which may be cut. Everything else is damage to records that may have been acknowledged,
and no program decides on those: the log is refused, its bytes untouched.

Writer, followers, `verify` and `repair` all judge by this one function.
"""

from contextlib import closing
from typing import Final

from msgspec import Struct

from tradeclear.wal.errors import Damage
from tradeclear.wal.frame import (
    HEADER,
    HEADER_BYTES,
    MAGIC,
    RECORDS,
    SEAL,
    encode_frame,
    frame_bytes_max,
    payload_bytes_max,
)
from tradeclear.wal.names import segment_names, segment_seq
from tradeclear.wal.segment import HEAD_BYTES, SEAL_BYTES, SegmentReader
from tradeclear.wal.storage import File, Storage

_window_bytes: Final = 1024 * 1024


class TornTail(Struct, frozen=True, kw_only=True):
    """The last frame was not written whole: `length` bytes at `offset` are void.

    The records from `first_seq` on are lost with it, to `last_seq` by what its header says, which
    is None where the header is torn too.
    """

    file: str
    offset: int
    length: int
    first_seq: int
    last_seq: int | None
    reason: str


class Ending(Struct, frozen=True, kw_only=True):
    """How the log ends: torn, damaged, or cleanly (both None).

    `unborn` is a segment whose creation was cut short before its predecessor named it: it holds no
    record, and the writer removes it.
    """

    torn: TornTail | None = None
    damage: Damage | None = None
    unborn: str | None = None


def judge(storage: Storage, file: File, reader: SegmentReader) -> Ending:
    """Judge the place in `file` where `reader` stopped without a successor. Changes nothing."""
    try:
        later = [name for name in segment_names(storage.names()) if name > reader.name]
        if reader.offset == 0:
            return _judge_head(file, reader, later)
        if reader.defect is None:
            return _judge_later(storage, reader, None, later)
        if reader.successor is not None:
            return Ending(damage=_behind_seal(reader))
        why = _why_damage(file, reader)
        if why is not None:
            return Ending(damage=damage_at(reader, why))
        return _judge_later(storage, reader, _torn(file, reader), later)
    except OSError as error:
        return Ending(damage=damage_at(reader, str(error), expected="readable bytes"))


def damage_at(reader: SegmentReader, found: str, *, expected: str | None = None) -> Damage:
    """Describe damage at the place where `reader` stopped."""
    assert reader.next_seq is not None
    if expected is None:
        expected = "another frame" if reader.defect is None else reader.defect.expected
    return Damage(
        file=reader.name,
        offset=reader.offset,
        expected=expected,
        found=found,
        remedy=remedy_of_damage(reader.next_seq - 1),
        last_good_seq=reader.next_seq - 1,
    )


def missing_segment(name: str, last_good_seq: int) -> Damage:
    """Describe the lack of a segment that its predecessor's seal names."""
    return Damage(
        file=name,
        offset=0,
        expected="the segment that the seal before it names",
        found="no such file",
        remedy=remedy_of_damage(last_good_seq),
        last_good_seq=last_good_seq,
    )


def remedy_of_damage(last_good_seq: int) -> str:
    """Say what a person can do about damage behind `last_good_seq`."""
    return (
        f"The log is whole up to record {last_good_seq}; later ones may have been acknowledged. "
        "Nothing was changed. Restore the file from a copy; only to give those records up for "
        "good, repair with that number."
    )


def _behind_seal(reader: SegmentReader) -> Damage:
    """The segment is whole, but something was written behind its end."""
    assert reader.defect is not None
    assert reader.next_seq is not None
    return Damage(
        file=reader.name,
        offset=reader.offset,
        expected="the end of the file behind the seal",
        found=reader.defect.found,
        remedy=f"What is there is not part of the log: cut the file to {reader.offset} bytes. "
        "Nothing was changed.",
        last_good_seq=reader.next_seq - 1,
        records_hit=False,
    )


def _judge_head(file: File, reader: SegmentReader, later: list[str]) -> Ending:
    """The head is no head. In the very first segment that is what a cut-short creation leaves."""
    if segment_seq(reader.name) == 1 and file.size() <= HEAD_BYTES and not later:
        return Ending(unborn=reader.name)
    found = "the end of the file" if reader.defect is None else reader.defect.found
    return Ending(damage=damage_at(reader, found, expected="the head of a segment"))


def _judge_later(
    storage: Storage, reader: SegmentReader, torn: TornTail | None, later: list[str]
) -> Ending:
    """Without a seal this must be the last segment, or the last but one that was cut short."""
    if not later:
        return Ending(torn=torn)
    cut_short = torn is None or torn.length <= SEAL_BYTES
    if (
        cut_short
        and len(later) == 1
        and segment_seq(later[0]) == reader.next_seq
        and _size(storage, later[0]) <= HEAD_BYTES
    ):
        return Ending(torn=torn, unborn=later[0])
    found = "the end of the file" if torn is None else torn.reason
    return Ending(damage=damage_at(reader, found, expected=f"the seal that names {later[0]}"))


def _why_damage(file: File, reader: SegmentReader) -> str | None:
    """Say why the defect can't be a frame that was being written; None if it can."""
    defect = reader.defect
    assert defect is not None
    if defect.whole or defect.unreadable:
        return defect.found
    end = file.size()
    if end - reader.offset > frame_bytes_max:
        return f"{end - reader.offset} bytes that are no frame, more than one frame has"
    behind = _next_header(file, reader.offset + 1, end)
    if behind is not None:
        return f"{defect.found}, and a later frame at byte {behind}"
    if _ends_before(file, reader, end):
        return f"{defect.found}, and bytes behind that frame"
    return None


def _next_header(file: File, start: int, end: int) -> int | None:
    """Look byte by byte for the beginning of a frame.

    The magic and a sane length are enough. A torn frame can't contain them by chance or by malice:
    f7 occurs in no UTF-8 text, and a client chooses nothing else that long in a record.
    """
    while start < end:
        window = file.pread(start, _window_bytes + HEADER_BYTES)
        at = window.find(MAGIC)
        while 0 <= at < _window_bytes:
            if len(window) - at >= HEADER_BYTES:
                _, _, length, *_ = HEADER.unpack_from(window, at)
                if length <= payload_bytes_max:
                    return start + at
            at = window.find(MAGIC, at + 1)
        start += _window_bytes
    return None


def _ends_before(file: File, reader: SegmentReader, end: int) -> bool:
    """Tell whether the bad frame, by its own header, ends before the file: then another was begun.

    Unless the length is all that is wrong with it: with the right one its checksum holds.
    """
    data = file.pread(reader.offset, end - reader.offset)
    header = _own_header(data, reader)
    if header is None:
        return False
    kind, length, count, checksum = header
    if HEADER_BYTES + length >= len(data):
        return False
    rest = data[HEADER_BYTES:]
    assert reader.next_seq is not None
    assert reader.checksum is not None
    _, right = encode_frame(kind, reader.next_seq, count, reader.checksum, rest)
    return right != checksum


def _own_header(data: bytes, reader: SegmentReader) -> tuple[int, int, int, int] | None:
    """Return kind, length, count and checksum of the bad frame if its header seems intact.

    In no frame that may stand here is one of the first three 0, as bytes are that never reached
    the disk: what such a header says ends nothing.
    """
    if len(data) < HEADER_BYTES:
        return None
    magic, kind, length, count, first_seq, previous, checksum = HEADER.unpack_from(data)
    if magic != MAGIC or (first_seq, previous) != (reader.next_seq, reader.checksum):
        return None
    if not (kind and length and count):
        return None
    return kind, length, count, checksum


def _torn(file: File, reader: SegmentReader) -> TornTail:
    assert reader.defect is not None
    assert reader.next_seq is not None
    first_seq = reader.next_seq
    header = _own_header(file.pread(reader.offset, HEADER_BYTES), reader)
    last_seq = None
    if header is not None and header[0] in (RECORDS, SEAL):
        kind, _, count, _ = header
        last_seq = first_seq + count - 1 if kind == RECORDS else first_seq - 1
    return TornTail(
        file=reader.name,
        offset=reader.offset,
        length=file.size() - reader.offset,
        first_seq=first_seq,
        last_seq=last_seq,
        reason=f"expected {reader.defect.expected}, found {reader.defect.found}",
    )


def _size(storage: Storage, name: str) -> int:
    with closing(storage.open(name)) as file:
        return file.size()
