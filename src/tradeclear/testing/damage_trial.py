"""One damaged directory, given to `verify` and to the server's own start, both held to the oracle.

Nothing here is a model: `open_and_recover` is what `tradeclear serve` starts with.
"""

import signal
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

from msgspec import Struct
from structlog.testing import capture_logs

from tradeclear.core.state import state_hash
from tradeclear.model.units import Seq
from tradeclear.supervisor.startup import Opened, open_and_recover
from tradeclear.telemetry.events import SNAPSHOT_REFUSED, TAIL_CUT
from tradeclear.testing.damage_cases import Case
from tradeclear.testing.damage_log import SEGMENT_BYTES_MAX, Specimen
from tradeclear.testing.damage_oracle import Expected
from tradeclear.testing.damage_storage import DamageStorage
from tradeclear.wal import Damage, LogDamaged, VerifyReport, verify

CASE_S_MAX: Final = 10.0
"""A case that takes longer hangs. It takes about a millisecond."""


class Hangs(Exception):
    """A case does not come to an end."""


class Start(Struct, frozen=True, kw_only=True):
    """What a start came to: refused, or a state; and what it said in the log lines."""

    refusal: LogDamaged | None = None
    opened: Opened | None = None
    said: tuple[str, ...] = ()


def wrong(case: Case, specimen: Specimen) -> str | None:
    """Say what did not come out as it must, None if all did.

    For the main thread: a timer interrupts what hangs.
    """
    signal.signal(signal.SIGALRM, _hang)
    signal.setitimer(signal.ITIMER_REAL, CASE_S_MAX)
    try:
        _try(case, specimen)
    except Exception as error:
        return f"{specimen.name}: {case.label}: {type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def _hang(_signal: int, _frame: object) -> NoReturn:
    raise Hangs(f"no end after {CASE_S_MAX:g} s")


def _try(case: Case, specimen: Specimen) -> None:
    storage = DamageStorage(case.files)
    report = verify(storage)
    demand("files after verify", _names(storage.files, case.files), [])
    check_report(report, case.expected)
    start = start_on(storage)
    demand("files after the start", _names(storage.files, case.expected.files), [])
    if start.refusal is not None:
        check_refusal(start.refusal, report, case.expected)
    else:
        assert start.opened is not None
        check_state(start.opened, specimen, case.expected)
        check_told(start.said, case.expected)
        check_reading(start.opened, report, case.expected)
        if case.expected.outcome == "repaired":
            check_again(storage, specimen, case.expected)


def demand(what: str, found: object, expected: object) -> None:
    """Demand that both are the same. Raises `AssertionError`."""
    assert found == expected, f"{what}: found {found}, expected {expected}"


def start_on(storage: DamageStorage) -> Start:
    """Start as the server does."""
    with capture_logs() as said:
        try:
            opened = open_and_recover(
                storage, segment_bytes_max=SEGMENT_BYTES_MAX, progress=lambda seq, last_seq: None
            )
        except LogDamaged as error:
            return Start(refusal=error, said=_events(said))
    return Start(opened=opened, said=_events(said))


def check_report(report: VerifyReport, expected: Expected) -> None:
    """`verify` accuses the right places, and says what to do."""
    places = tuple((damage.file, damage.offset) for damage in report.snapshot_damage)
    demand("damaged snapshots", places, expected.snapshots)
    damage = report.damage
    demand("damage", damage and (damage.file, damage.offset), expected.damage)
    demand("torn", report.torn and (report.torn.file, report.torn.offset), expected.torn)
    in_log = "clean" if expected.damage is None else "damaged"
    demand("verdict", report.verdict, "torn_tail" if expected.torn else in_log)
    if damage is None:
        demand("last seq", report.last_seq, expected.last_seq)
    else:
        demand("last good seq", damage.last_good_seq, expected.last_seq)
    for each in (*report.snapshot_damage, *([damage] if damage else [])):
        check_words(each, str(each))


def check_words(damage: Damage, text: str) -> None:
    """A person learns where and what to do."""
    assert f"{damage.file} at byte {damage.offset}" in text, text
    assert damage.remedy, text
    assert damage.remedy in text, text
    assert "Nothing was changed" in text, text


def check_refusal(refusal: LogDamaged, report: VerifyReport, expected: Expected) -> None:
    """The start refuses what it must, in the same words as `verify`."""
    demand("the start", "refused", expected.outcome)
    accused = report.damage or report.snapshot_damage[-1]
    demand("the start's damage", refusal.damage, accused)
    check_words(refusal.damage, str(refusal))


def check_state(opened: Opened, specimen: Specimen, expected: Expected) -> None:
    """The state is that of the last whole record, as it was when that was written."""
    assert expected.outcome != "refused", "the start serves what it must refuse"
    last_seq = specimen.last_seq if expected.outcome == "not read" else expected.last_seq
    engine = opened.recovered.engine
    demand("the log's last seq", opened.log.last_seq, last_seq)
    demand("the state's seq", engine.seq, last_seq)
    demand("the state", state_hash(engine), specimen.hashes[last_seq])


def check_told(said: tuple[str, ...], expected: Expected) -> None:
    """What was cut or passed over is told in the log lines, and nothing else is."""
    demand("a cut tail is told", TAIL_CUT in said, expected.outcome == "repaired")
    demand("a snapshot", SNAPSHOT_REFUSED in said, expected.outcome == "passed over")


def check_reading(opened: Opened, report: VerifyReport, expected: Expected) -> None:
    """Whoever reads the whole log gets every record, or is refused where it is damaged."""
    log = opened.log
    unread = expected.outcome == "not read" and expected.damage is not None
    try:
        last_seq: Seq = log.first_seq - 1
        for frame in log.frames(log.first_seq):
            last_seq = frame.last_seq
    except LogDamaged as error:
        demand("reading", (error.damage, True), (report.damage, unread))
    else:
        demand("reading up to", (last_seq, False), (log.last_seq, unread))


def check_again(storage: DamageStorage, specimen: Specimen, expected: Expected) -> None:
    """A repaired directory is a clean one, and the next start changes nothing more."""
    storage.unlock()
    report = verify(storage)
    demand("verify after the repair", (report.ok, report.last_seq), (True, expected.last_seq))
    again = start_on(storage)
    assert again.opened is not None, again.refusal
    demand("the second start's report", TAIL_CUT in again.said, False)
    check_state(again.opened, specimen, expected)
    demand("files after the second start", _names(storage.files, expected.files), [])


def _names(found: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    """The files that differ."""
    if found == expected:
        return []
    names = found.keys() | expected.keys()
    return sorted(name for name in names if found.get(name) != expected.get(name))


def _events(said: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    return tuple(str(line["event"]) for line in said)
