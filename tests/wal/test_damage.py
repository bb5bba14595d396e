"""Every way in which one bit or one length can be wrong is classified, and by all alike."""

from itertools import accumulate

import pytest

from tradeclear.wal import Cursor, Damage, LogDamaged, TornTail, VerifyReport, segments, verify
from tradeclear.wal.frame import HEADER_BYTES, RECORDS, encode_frame, encode_records
from tradeclear.wal.segment import HEAD_BYTES, SEAL_BYTES, encode_head, encode_seal

from .logs import append, open_log, read_all, record, records, write_log
from .memory_storage import MemoryFile, MemoryStorage

COUNTS = (2, 1, 3, 1, 4, 1, 1, 2, 1, 3)


@pytest.fixture(scope="module")
def whole() -> MemoryStorage:
    """A log of three segments, a few frames each."""
    storage = MemoryStorage()
    write_log(storage, *COUNTS)
    assert len(segments(storage)) == 3
    return storage


def frame_offsets(content: bytes | bytearray) -> list[int]:
    """Return where the frames of a file begin, and where the last ends, from the lengths alone."""
    offsets = [0]
    while offsets[-1] < len(content):
        length = int.from_bytes(content[offsets[-1] + 8 : offsets[-1] + 12], "little")
        offsets.append(offsets[-1] + HEADER_BYTES + length)
    assert offsets[-1] == len(content)
    return offsets


def last_seqs(content: bytes, first_seq: int) -> list[int]:
    """Return the seq that has been reached at each of those offsets."""
    offsets = frame_offsets(content)
    counts = [int.from_bytes(content[at + 12 : at + 16], "little") for at in offsets[:-1]]
    kinds = [content[at + 4] for at in offsets[:-1]]
    held = [count if kind == 2 else 0 for kind, count in zip(kinds, counts, strict=True)]
    return list(accumulate(held, initial=first_seq - 1))


def changed(whole: MemoryStorage, name: str, content: bytes | None) -> MemoryStorage:
    storage = whole.copy()
    storage.put(name, content)
    return storage


def opened(storage: MemoryStorage) -> Damage | int:
    """Open the log and read it all: what it is refused for, or its last seq."""
    try:
        log = open_log(storage)
        assert read_all(log) == records(1, log.last_seq)
    except LogDamaged as error:
        return error.damage
    return log.last_seq


def agree(storage: MemoryStorage) -> VerifyReport:
    """Verify, open and read, follow: all three say the same."""
    report = verify(storage)
    damage, torn, last_seq = follow(storage)
    assert (damage, torn, last_seq) == (report.damage, report.torn, report.last_seq)
    return judged(storage)


def follow(storage: MemoryStorage) -> tuple[Damage | None, TornTail | None, int]:
    """Read with a cursor: what it is refused for, what it calls torn, its last seq."""
    cursor = Cursor(storage)
    last_seq = 0
    try:
        for frame in cursor.frames():
            last_seq = frame.last_seq
    except LogDamaged as error:
        return error.damage, None, last_seq
    return None, cursor.torn, last_seq


def judged(storage: MemoryStorage) -> VerifyReport:
    """Verify, open and read: both say the same; damage leaves every byte alone."""
    before = storage.files()
    report = verify(storage)
    assert storage.files() == before
    outcome = opened(storage)
    if report.damage is not None:
        assert outcome == report.damage
        assert {name: storage.files()[name] for name in before} == before
    else:
        assert outcome == report.last_seq
    return report


def test_whole_log(whole: MemoryStorage) -> None:
    report = agree(whole.copy())
    assert (report.verdict, report.last_seq, report.ok) == ("clean", sum(COUNTS), True)


def test_every_truncation_of_the_last_segment(whole: MemoryStorage) -> None:
    last = segments(whole)[-1]
    content = whole.content(last.name)
    offsets = frame_offsets(content)
    reached = last_seqs(content, last.first_seq)
    for length in range(len(content)):
        report = agree(changed(whole, last.name, content[:length]))
        whole_frames = max(i for i, offset in enumerate(offsets) if offset <= length)
        if whole_frames == 0:
            assert report.verdict == "damaged"
            assert report.damage is not None
            assert (report.damage.file, report.damage.offset) == (last.name, 0)
            continue
        assert report.last_seq == reached[whole_frames]
        if length in offsets:
            assert report.verdict == "clean"
        else:
            assert report.torn is not None
            assert (report.torn.file, report.torn.offset) == (last.name, offsets[whole_frames])
            assert report.torn.length == length - offsets[whole_frames]


@pytest.mark.parametrize("number", [0, 1])
def test_every_truncation_of_a_sealed_segment(whole: MemoryStorage, number: int) -> None:
    info = segments(whole)[number]
    content = whole.content(info.name)
    offsets = frame_offsets(content)
    for length in range(len(content)):
        report = agree(changed(whole, info.name, content[:length]))
        cut_frame = max(offset for offset in offsets if offset <= length)
        assert report.verdict == "damaged"
        assert report.damage is not None
        assert (report.damage.file, report.damage.offset) == (info.name, cut_frame)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_bit_flip(whole: MemoryStorage, number: int) -> None:
    info = segments(whole)[number]
    content = whole.content(info.name)
    offsets = frame_offsets(content)
    reached = last_seqs(content, info.first_seq)
    for at in range(len(content)):
        place = max(i for i, offset in enumerate(offsets) if offset <= at)
        for bit in range(8):
            flipped = bytearray(content)
            flipped[at] ^= 1 << bit
            report = agree(changed(whole, info.name, bytes(flipped)))
            assert report.last_seq == reached[place]
            if number == 2 and place == len(offsets) - 2:
                assert report.torn is not None, (at, bit)
                found = report.torn
                assert (found.file, found.offset) == (info.name, offsets[place])
            else:
                assert report.damage is not None, (at, bit)
                damage = report.damage
                assert (damage.file, damage.offset) == (info.name, offsets[place])


def test_missing_first_segment(whole: MemoryStorage) -> None:
    report = judged(changed(whole, segments(whole)[0].name, None))
    assert report.damage is not None
    assert report.damage.file == segments(whole)[1].name


@pytest.mark.parametrize("number", [1, 2])
def test_missing_later_segment(whole: MemoryStorage, number: int) -> None:
    info = segments(whole)[number]
    report = agree(changed(whole, info.name, None))
    assert report.damage is not None
    assert report.damage.file == info.name
    assert report.damage.last_good_seq == info.first_seq - 1
    assert "repair" in report.damage.remedy


def test_missing_all_segments_but_a_snapshot(whole: MemoryStorage) -> None:
    storage = MemoryStorage()
    storage.put("snapshot-00000000000000000007.snap", b"whatever")
    report = verify(storage)
    assert report.verdict == "damaged"
    with pytest.raises(LogDamaged):
        open_log(storage)


def test_zeros_at_the_tail(whole: MemoryStorage) -> None:
    last = segments(whole)[-1].name
    content = whole.content(last)
    for length in (1, HEADER_BYTES, 5000):
        report = agree(changed(whole, last, content + bytes(length)))
        assert report.torn is not None
        assert (report.torn.offset, report.torn.length) == (len(content), length)
        assert report.last_seq == sum(COUNTS)


def test_more_zeros_than_a_frame_has(whole: MemoryStorage) -> None:
    last = segments(whole)[-1].name
    storage = changed(whole, last, whole.content(last) + bytes(16 * 1024 * 1024 + 1))
    assert agree(storage).verdict == "damaged"


def test_zeros_behind_a_seal(whole: MemoryStorage) -> None:
    first = segments(whole)[0].name
    assert agree(changed(whole, first, whole.content(first) + bytes(50))).verdict == "damaged"


def test_damaged_length_reads_nothing_for_it(whole: MemoryStorage) -> None:
    last = segments(whole)[-1].name
    content = bytearray(whole.content(last))
    at = frame_offsets(content)[-2]
    content[at + 8 : at + 12] = b"\xff\xff\xff\xff"
    storage = changed(whole, last, bytes(content))
    report = agree(storage)
    assert report.torn is not None
    assert "4294967295" in report.torn.reason


def test_last_two_frames_damaged(whole: MemoryStorage) -> None:
    last = segments(whole)[-1].name
    content = bytearray(whole.content(last))
    *_, before, at, _ = frame_offsets(content)
    content[before + HEADER_BYTES + 6] ^= 1
    content[at + HEADER_BYTES + 6] ^= 1
    report = agree(changed(whole, last, bytes(content)))
    assert report.damage is not None
    assert report.damage.offset == before


@pytest.mark.parametrize("torn_bytes", [1, HEADER_BYTES - 1])
def test_frame_damaged_before_a_torn_header(whole: MemoryStorage, torn_bytes: int) -> None:
    last = segments(whole)[-1].name
    content = bytearray(whole.content(last))
    *_, before, at, _ = frame_offsets(content)
    content[before + HEADER_BYTES + 6] ^= 1
    report = agree(changed(whole, last, bytes(content[: at + torn_bytes])))
    assert report.damage is not None
    assert report.damage.offset == before


@pytest.mark.parametrize(("start", "end"), [(4, 16), (5, 16), (8, 16), (9, 16), (12, 16), (8, 12)])
def test_header_with_a_hole(whole: MemoryStorage, start: int, end: int) -> None:
    """Kind, length or count never reached the disk, what is before and behind did: written twice.

    By its own length the frame would end before the file: but nobody wrote such a header.
    """
    last = segments(whole)[-1].name
    content = bytearray(whole.content(last))
    at = frame_offsets(content)[-2]
    content[at + start : at + end] = bytes(end - start)
    content[-8:] = bytes(8)
    report = agree(changed(whole, last, bytes(content)))
    assert report.torn is not None
    assert (report.torn.offset, report.torn.last_seq) == (at, None)
    assert report.last_seq == sum(COUNTS[:-1])


def test_frame_of_another_place_at_the_tail(whole: MemoryStorage) -> None:
    """A valid frame that isn't the next one was never left behind by a crash."""
    last = segments(whole)[-1].name
    content = whole.content(last)
    *_, at, _ = frame_offsets(content)
    assert agree(changed(whole, last, content + content[at:])).verdict == "damaged"


def test_older_segment_behind_the_last(whole: MemoryStorage) -> None:
    """Its seal names a segment that was read before: the open must not go round in a circle."""
    first, _, last = segments(whole)
    end = len(whole.content(last.name))
    storage = changed(whole, last.name, whole.content(last.name) + whole.content(first.name))
    report = agree(storage)
    assert report.damage is not None
    assert (report.damage.file, report.damage.offset) == (last.name, end)


def test_stray_segment(whole: MemoryStorage) -> None:
    first, second, _ = segments(whole)
    stray = f"wal-{first.last_seq:020d}.log"
    report = judged(changed(whole, stray, whole.content(second.name)))
    assert report.damage is not None
    assert (report.damage.file, report.damage.records_hit) == (stray, False)


def test_missing_seal(whole: MemoryStorage) -> None:
    first = segments(whole)[0]
    storage = changed(whole, first.name, whole.content(first.name)[:-SEAL_BYTES])
    report = agree(storage)
    assert report.damage is not None
    assert report.damage.offset == first.bytes - SEAL_BYTES
    assert segments(whole)[1].name in report.damage.expected


def test_snapshot_newer_than_the_log(whole: MemoryStorage) -> None:
    """What a snapshot covers was durable: a log that ends before it, also torn, lost records."""
    last = segments(whole)[-1].name
    snapshot = f"snapshot-{sum(COUNTS):020d}.snap"
    storage = changed(whole, last, whole.content(last)[:-1])
    storage.put(snapshot, b"")
    damage = opened(storage)
    assert isinstance(damage, Damage)
    assert damage == verify(storage).damage
    assert snapshot in damage.expected


def test_first_segment_cut_in_its_head() -> None:
    """The creation of a log is no record's loss."""
    storage = MemoryStorage()
    open_log(storage).close()
    name = segments(storage)[0].name
    for length in range(HEAD_BYTES):
        cut = changed(storage, name, storage.content(name)[:length])
        assert agree(cut).verdict == "clean"
        log = open_log(cut.restart())
        append(log, 1)
        assert log.read(1) == record(1)


def test_frame_missing_before_a_successor_without_records() -> None:
    """The head of the successor still says how far its predecessor went."""
    storage = rotated()
    first, second = segments(storage)
    offsets = frame_offsets(storage.content(first.name))
    for end in offsets[1:-2]:
        report = agree(changed(storage, first.name, storage.content(first.name)[:end]))
        assert report.damage is not None
        assert (report.damage.file, report.damage.offset) == (first.name, end)
        assert second.name in report.damage.expected


def test_two_segments_behind_a_missing_seal() -> None:
    storage = rotated()
    first, second = segments(storage)
    storage.put(first.name, storage.content(first.name)[:-SEAL_BYTES])
    assert agree(storage.copy()).verdict == "clean"
    storage.put(f"wal-{second.first_seq + 9:020d}.log", b"")
    assert agree(storage).verdict == "damaged"


def test_more_than_a_torn_seal_before_a_successor() -> None:
    storage = rotated()
    first, _ = segments(storage)
    unsealed = storage.content(first.name)[:-SEAL_BYTES]
    assert agree(changed(storage, first.name, unsealed + bytes(SEAL_BYTES))).torn is not None
    longer = changed(storage, first.name, unsealed + bytes(SEAL_BYTES + 1))
    assert agree(longer).verdict == "damaged"


def rotated() -> MemoryStorage:
    """A log that has just been rotated: its last segment is only a head."""
    storage = MemoryStorage()
    write_log(storage, 2, 1, 3, 1, 1, 2)
    last = segments(storage)[-1].name
    storage.put(last, storage.content(last)[:HEAD_BYTES])
    assert agree(storage.copy()).verdict == "clean"
    return storage


def test_segment_of_another_log(whole: MemoryStorage) -> None:
    """The same seqs in the same places: only the chain of checksums tells."""
    other = MemoryStorage()
    log = open_log(other)
    for count in COUNTS:
        first_seq = log.last_seq + 1
        texts = (record(seq).replace(b"x", b"y") for seq in range(first_seq, first_seq + count))
        log.append(first_seq, list(texts))
    for number, info in enumerate(segments(whole)):
        report = verify(changed(whole, info.name, other.content(info.name)))
        assert report.damage is not None
        accused = segments(whole)[max(number, 1)].name
        assert (report.damage.file, report.damage.offset) == (accused, 0)
        log_of_both = changed(whole, info.name, other.content(info.name))
        with pytest.raises(LogDamaged):
            open_log(log_of_both)
        assert follow(log_of_both)[0] == report.damage


def test_first_segment_that_follows_something() -> None:
    storage = MemoryStorage()
    write_log(storage, 1)
    name = storage.names()[0]
    head, checksum = encode_head(1, 12345)
    frame, _ = encode_frame(RECORDS, 1, 1, checksum, encode_records([record(1)]))
    storage.put(name, head + frame)
    assert agree(storage).verdict == "damaged"


def test_seal_that_counts_other_frames() -> None:
    head, checksum = encode_head(1, 0)
    frame, checksum = encode_frame(RECORDS, 1, 1, checksum, encode_records([record(1)]))
    seal, checksum = encode_seal(2, 2, checksum)
    storage = MemoryStorage()
    storage.put("wal-00000000000000000001.log", head + frame + seal)
    storage.put("wal-00000000000000000002.log", encode_head(2, checksum)[0])
    damage = verify(storage).damage
    assert damage is not None
    assert "counts 2" in damage.found


def test_sector_that_was_unreadable_once(
    whole: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be read is never taken for torn, let alone cut."""
    storage = whole.copy()
    name = segments(storage)[-1].name
    end = len(storage.content(name))
    failures = [OSError(5, "Input/output error")]

    def pread(file: MemoryFile, offset: int, length: int) -> bytes:
        if offset == end and failures:
            raise failures.pop()
        return real(file, offset, length)

    real = MemoryFile.pread
    monkeypatch.setattr(MemoryFile, "pread", pread)
    log = open_log(storage)
    assert failures == []
    assert log.recovery.torn is None


def test_unreadable_sector(whole: MemoryStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    storage = whole.copy()
    name = segments(storage)[-1].name
    file = storage.open(name)
    monkeypatch.setattr(file, "pread", fail, raising=False)
    monkeypatch.setattr(storage, "open", lambda name, write=False: file)
    damage = verify(storage).damage
    assert damage is not None
    assert "Input/output error" in damage.found
