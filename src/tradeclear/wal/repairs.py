"""`repair`: what the writer's open does with a torn tail, done by hand; and, only if told so in
exactly the right words, giving up the records behind damage.

Nothing is ever deleted: what is cut or set aside is kept beside the log as `.broken`.
"""

from msgspec import Struct

from tradeclear.wal.errors import Damage, LogDamaged, RepairRefused
from tradeclear.wal.names import (
    broken_name,
    segment_names,
    snapshot_name,
    snapshot_seqs,
)
from tradeclear.wal.recovery import RecoveryReport, cut, recover
from tradeclear.wal.segment import SEAL_BYTES
from tradeclear.wal.storage import Storage
from tradeclear.wal.survey import Survey, survey
from tradeclear.wal.verification import segments


class RepairReport(Struct, frozen=True, kw_only=True):
    """What was done. `broken` are the files that keep what was cut or set aside.

    `lost_last_seq` is the newest record known to be lost when `gave_up` is set, at least.
    """

    recovery: RecoveryReport
    last_seq: int
    gave_up: Damage | None = None
    lost_last_seq: int | None = None
    broken: tuple[str, ...] = ()


def repair(storage: Storage, *, lose_records_after: int | None = None) -> RepairReport:
    """Mend a torn tail, keeping what is cut; with damage, refuse, every byte untouched.

    `lose_records_after` gives up every record behind damage: acknowledged orders and trades are
    lost, and so is the state of newer snapshots. It must be exactly the last good seq that `verify`
    reports, so that nobody gives up anything but what he has just read about.
    `DirectoryLocked`; `RepairRefused`; `OSError` from a disk that fails: repeat it, each step is
    safe to repeat.
    """
    storage.lock()
    try:
        found = survey(storage, deep=True)
        if found.damage is None:
            if lose_records_after is not None:
                raise RepairRefused("The log is not damaged: there is nothing to give up.")
            return _mend(storage, found)
        _check_consent(found.damage, lose_records_after)
        return _give_up(storage, found, found.damage)
    finally:
        storage.unlock()


def _check_consent(damage: Damage, lose_records_after: int | None) -> None:
    if lose_records_after is None or not damage.records_hit:
        raise RepairRefused(str(damage))
    if lose_records_after != damage.last_good_seq:
        raise RepairRefused(
            f"{damage} The number given is {lose_records_after}, not {damage.last_good_seq}."
        )


def _mend(storage: Storage, found: Survey) -> RepairReport:
    recovery = recover(storage, found)
    broken = () if recovery.broken is None else (recovery.broken,)
    return RepairReport(recovery=recovery, last_seq=found.last_seq, broken=broken)


def _give_up(storage: Storage, found: Survey, damage: Damage) -> RepairReport:
    """Set aside what is newer, newest first, and cut last of all.

    Until the cut the directory is as damaged as before, at the same place and with the same last
    good seq: after a crash the same command goes on.
    """
    good = damage.last_good_seq
    kept = [info for info in found.segments if info.first_seq <= good + 1]
    last = kept[-1] if kept else None
    if last is not None and damage.file == last.name and damage.offset == 0:
        last = kept[-2] if len(kept) > 1 else None
    if last is None:
        raise RepairRefused(f"{damage} No record before it is left to keep.")
    lost_last_seq = max(info.last_seq for info in segments(storage))
    later = [name for name in segment_names(storage.names()) if name > last.name]
    newer = [snapshot_name(seq) for seq in snapshot_seqs(storage.names()) if seq > good]
    broken = [_set_aside(storage, name) for name in (*reversed(newer), *reversed(later))]
    storage.fsync_directory()
    if damage.file == last.name and damage.offset < last.bytes:
        broken.append(cut(storage, last.name, damage.offset))
    elif last.sealed:
        broken.append(cut(storage, last.name, last.bytes - SEAL_BYTES))
    again = survey(storage, deep=True)
    if again.damage is not None:
        raise LogDamaged(again.damage)
    mended = _mend(storage, again)
    return RepairReport(
        recovery=mended.recovery,
        last_seq=mended.last_seq,
        gave_up=damage,
        lost_last_seq=max(lost_last_seq, good),
        broken=(*broken, *mended.broken),
    )


def _set_aside(storage: Storage, name: str) -> str:
    names = storage.names()
    attempt = 0
    while (broken := broken_name(name, 0, attempt)) in names:
        attempt += 1
    storage.rename(name, broken)
    return broken
