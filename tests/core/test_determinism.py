"""The same records give the same events and the same state hash, anywhere and from any snapshot."""

import os
import subprocess
import sys
from itertools import islice

import pytest

from tradeclear.core.engine import Engine, Events
from tradeclear.core.state import dump, load, state_hash
from tradeclear.model.commands import Command
from tradeclear.model.units import Micros
from tradeclear.testing.commands import commands
from tradeclear.testing.differential import small_caps

COMMANDS = 6_000


def stream(seed: int) -> list[tuple[Micros, Command]]:
    return list(islice(commands(seed), COMMANDS))


def replay(seed: int, *, reload_every: int = COMMANDS + 1) -> tuple[list[Events], str]:
    """All events of a stream and the hash after it; the engine is dumped and loaded so often."""
    engine = Engine()
    events = []
    with small_caps():
        for seq, (now, command) in enumerate(stream(seed), start=1):
            events.append(engine.apply(seq, now, command))
            if seq % reload_every == 0:
                engine = load(dump(engine))
    return events, state_hash(engine)


@pytest.mark.parametrize("seed", [1, 2])
def test_replay_gives_the_same_events_and_hash(seed: int) -> None:
    assert replay(seed) == replay(seed)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("reload_every", [97, 1_000])
def test_loaded_engine_goes_on_identically(seed: int, reload_every: int) -> None:
    assert replay(seed, reload_every=reload_every) == replay(seed)


PROGRAM = """
from itertools import islice
from tradeclear.core.engine import Engine
from tradeclear.core.state import state_hash
from tradeclear.testing.commands import commands
engine = Engine()
for now, command in islice(commands(7), 3000):
    engine.apply(engine.seq + 1, now, command)
print(state_hash(engine))
"""


def test_hash_is_the_same_under_any_hash_seed() -> None:
    hashes = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "12345")
    }
    assert [len(text.strip()) for text in hashes] == [32]
