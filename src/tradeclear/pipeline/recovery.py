"""Recovery: the last snapshot, then every record after it, run again and compared byte for byte.

It changes nothing on disk, can be interrupted anywhere, and gives the same state every time.
"""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from msgspec import Struct

from tradeclear.core.engine import ENGINE_VERSION, Engine
from tradeclear.core.state import StateHash, load
from tradeclear.model.commands import Configure
from tradeclear.model.errors import TradeclearError
from tradeclear.model.units import Seq
from tradeclear.wal.codec import CODEC_VERSION, StoredRecord, decode_frame, encode_events

Progress = Callable[[Seq], None]
"""Told now and then how far the replay has come."""

VERSIONS: Final = (ENGINE_VERSION, CODEC_VERSION)


class Payload(Protocol):
    """A frame of the log, as far as recovery cares."""

    @property
    def payload(self) -> bytes | memoryview:
        """The encoded records."""


class Diverged(TradeclearError):
    """A record does not come out as the log says. Don't serve; report it with the log."""

    def __init__(self, seq: Seq, detail: str) -> None:
        super().__init__(f"record {seq} replays differently from what the log holds: {detail}")
        self.seq = seq


class OtherVersion(TradeclearError):
    """The records are another version's: run that one and stop it cleanly, then come back."""


class Recovered(Struct, frozen=True):
    """An engine as it was at the end of the log, and where it came from."""

    engine: Engine
    snapshot_seq: Seq
    replayed: int


def from_snapshot(chunks: Iterable[bytes], state_hash: str) -> Engine:
    """The engine of a snapshot, its state hash checked. Raises `Diverged` or `StateDamaged`."""
    state = StateHash()
    engine = load(state.passing(chunks))
    if state.hexdigest() != state_hash:
        raise Diverged(engine.seq, f"the snapshot's state hash is {state.hexdigest()}")
    return engine


def replay(
    engine: Engine,
    frames: Iterable[Payload],
    *,
    until: Seq | None = None,
    until_time: int | None = None,
    progress: Progress = lambda seq: None,
) -> int:
    """Run the records of `frames` that `engine` hasn't seen, up to `until`. Returns how many.

    Raises `Diverged` at the first record that gives other events, a gap, or an exception;
    `OtherVersion` where the records were made by another engine or codec.
    """
    replayed = 0
    for frame in frames:
        for stored in decode_frame(frame.payload):
            if stored.seq <= engine.seq:
                continue
            if until is not None and stored.seq > until:
                return replayed
            if until_time is not None and stored.time > until_time:
                return replayed
            _replay_one(engine, stored)
            replayed += 1
        progress(engine.seq)
        if engine.seq == until:
            break
    return replayed


def _replay_one(engine: Engine, stored: StoredRecord) -> None:
    if engine.versions != VERSIONS or isinstance(stored.command, Configure):
        _check_version(engine, stored)
    try:
        events = engine.apply(stored.seq, stored.time, stored.command)
    except Exception as error:
        raise Diverged(stored.seq, f"apply raised {error!r}") from error
    if encode_events(events) != bytes(stored.events):
        raise Diverged(stored.seq, f"{stored.command!r} now gives {events!r}")


def _check_version(engine: Engine, stored: StoredRecord) -> None:
    """Only the record that says so may bring in this version."""
    command = stored.command
    if isinstance(command, Configure):
        versions = (command.engine_version, command.codec_version)
    else:
        versions = engine.versions
    if versions != VERSIONS:
        raise OtherVersion(
            f"record {stored.seq} was made by engine {versions[0]}, codec {versions[1]}; this is "
            f"engine {VERSIONS[0]}, codec {VERSIONS[1]}. Start the version that wrote it, stop it "
            "cleanly (it writes a snapshot), and then start this one."
        )
