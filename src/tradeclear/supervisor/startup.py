"""From a log directory to an engine that stands where the last process stopped."""

from collections.abc import Callable, Iterable
from contextlib import closing
from time import perf_counter
from typing import Final

import msgspec
from msgspec import Struct

from tradeclear.config.load import define_instruments
from tradeclear.config.settings import Settings
from tradeclear.core.engine import ENGINE_VERSION, Engine
from tradeclear.core.state import StateDamaged
from tradeclear.model.commands import Configure, Limits
from tradeclear.model.errors import TradeclearError
from tradeclear.model.units import Seq
from tradeclear.pipeline.recovery import Diverged, Recovered, from_snapshot, replay
from tradeclear.telemetry.events import RECOVERED, SNAPSHOT_REFUSED, TAIL_CUT
from tradeclear.telemetry.logs import log as logger
from tradeclear.wal import snapshots
from tradeclear.wal.codec import CODEC_VERSION
from tradeclear.wal.errors import SnapshotDamaged
from tradeclear.wal.frame import Frame
from tradeclear.wal.log import Log
from tradeclear.wal.names import segment_names, segment_seq
from tradeclear.wal.storage import Storage

MICROS_PER_S: Final = 1_000_000


class Opened(Struct, frozen=True):
    """A locked, recovered directory."""

    log: Log
    recovered: Recovered


def open_and_recover(
    storage: Storage, *, segment_bytes_max: int, progress: Callable[[Seq, Seq], None]
) -> Opened:
    """Open the log, mend its tail, and bring an engine to its end. Blocking; run it in a thread.

    `progress` is told now and then up to which record the state is, and the last record there is.

    Raises `DirectoryLocked`, `LogDamaged` (also of a snapshot that a pruned log needs),
    `LogFailed`, `Diverged`, `OtherVersion`.
    """
    started = perf_counter()
    log = Log.open(storage, segment_bytes_max=segment_bytes_max)
    if log.recovery.torn is not None:
        logger.warning(TAIL_CUT, kept_as=log.recovery.broken, torn=str(log.recovery.torn))
    try:
        last_seq = log.last_seq
        recovered = recover(
            storage, log.frames, last_seq=last_seq, progress=lambda seq: progress(seq, last_seq)
        )
    except BaseException:
        log.close()
        raise
    seconds = perf_counter() - started
    logger.info(
        RECOVERED,
        seq=recovered.engine.seq,
        snapshot_seq=recovered.snapshot_seq,
        replayed=recovered.replayed,
        open_orders=recovered.engine.orders.open_count,
        seconds=round(seconds, 3),
    )
    return Opened(log=log, recovered=recovered)


def recover(
    storage: Storage,
    frames: Callable[[Seq], Iterable[Frame]],
    *,
    last_seq: Seq,
    progress: Callable[[Seq], None],
) -> Recovered:
    """The newest good snapshot that the log reaches back to, then the records after it."""
    engine = newest_snapshot(storage, until=last_seq)
    snapshot_seq = engine.seq
    replayed = replay(engine, frames(snapshot_seq + 1), until=last_seq, progress=progress)
    return Recovered(engine=engine, snapshot_seq=snapshot_seq, replayed=replayed)


def newest_snapshot(storage: Storage, *, until: Seq) -> Engine:
    """The engine of the newest good snapshot at or before `until`, else a new one.

    Raises what is wrong with the newest one if the log does not reach back to any that is good.
    """
    begins = min(map(segment_seq, segment_names(storage.names())), default=1)
    refusal: TradeclearError | StateDamaged | None = None
    for seq in reversed(snapshots.seqs(storage)):
        if seq > until or seq + 1 < begins:
            continue
        try:
            with closing(snapshots.read(storage, seq)) as reader:
                return from_snapshot(reader.chunks(), str(reader.info.meta["state_hash"]))
        except (SnapshotDamaged, StateDamaged, Diverged) as error:
            logger.error(SNAPSHOT_REFUSED, seq=seq, problem=str(error))
            refusal = refusal or error
    if refusal is not None and begins > 1:
        raise refusal
    return Engine()


def wanted_configuration(settings: Settings, engine: Engine) -> Configure:
    """The configuration that the settings ask for, given what the state already knows.

    An instrument that is in the state and not in the settings stays known and stops trading.
    """
    instruments = {instrument.name: instrument for instrument in define_instruments(settings)}
    for name, known in engine.instruments.items():
        if name not in instruments:
            instruments[name] = msgspec.structs.replace(known, trading=False)
    return Configure(
        instruments=tuple(instruments.values()),
        limits=Limits(
            open_orders_max=settings.open_orders_max,
            closed_orders_max=settings.closed_orders_max,
            trades_max=settings.trades_max,
            idempotency_keys_max=settings.idempotency_keys_max,
            idempotency_age_us=round(settings.idempotency_age_s * MICROS_PER_S),
        ),
        engine_version=ENGINE_VERSION,
        codec_version=CODEC_VERSION,
    )


def configuration_changes(wanted: Configure, engine: Engine) -> dict[str, str]:
    """What `wanted` would change, as "was -> will be" by name; empty if nothing."""
    changes: dict[str, str] = {}
    for instrument in wanted.instruments:
        known = engine.instruments.get(instrument.name)
        if known is None:
            changes[instrument.name] = "new"
            continue
        changes |= _differences(instrument.name, known, instrument)
    changes |= _differences("limits", engine.limits, wanted.limits)
    versions = (wanted.engine_version, wanted.codec_version)
    if engine.versions != versions:
        changes["versions"] = f"{engine.versions} -> {versions}"
    return changes


def _differences(name: str, was: Struct, will_be: Struct) -> dict[str, str]:
    before, after = msgspec.structs.asdict(was), msgspec.structs.asdict(will_be)
    return {
        f"{name}.{field}": f"{before[field]} -> {after[field]}"
        for field in after
        if before[field] != after[field]
    }
