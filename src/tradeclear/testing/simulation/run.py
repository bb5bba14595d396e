"""One seed, run from its beginning to its end, and what came of it."""

from typing import Final

from msgspec import Struct

from tradeclear.testing.simulation.scenario import scenario
from tradeclear.testing.simulation.schedule import JumpingClock, run_deterministic
from tradeclear.testing.simulation.witness import Violation
from tradeclear.testing.simulation.world import World, leaves

TRACE_LINES_MAX: Final = 2_000
"""So many of its last steps does a failing run keep."""


class Run(Struct, frozen=True, kw_only=True):
    """What came of one seed. `problem` is None if everything held.

    `digest` is of all steps, or empty if nobody compares runs.
    """

    seed: int
    problem: str | None
    digest: str
    trace: list[str]
    counts: dict[str, int]


def run_seed(seed: int, commands: int, *, digest: bool = True) -> Run:
    """Run one seed. Never raises but for what comes from outside: see `Run.problem`.

    The digest prints every step: without it a run costs a twentieth less.
    """
    worlds: list[World] = []

    async def main(clock: JumpingClock) -> None:
        worlds.append(World(scenario(seed, commands), clock))
        await worlds[0].run()

    problem = None
    try:
        run_deterministic(seed, main)
    except BaseException as error:
        if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves(error)):
            raise KeyboardInterrupt from None
        problem = _describe(error)
    world = worlds[0]
    return Run(
        seed=seed,
        problem=problem,
        digest=world.trace.digest() if digest else "",
        trace=world.trace.last(TRACE_LINES_MAX) if problem else [],
        counts=dict(sorted(world.counts.items())),
    )


def _describe(error: BaseException) -> str:
    """The gravest of what was raised, in one line."""
    gravest = min(leaves(error), key=_mildness)
    return f"{type(gravest).__name__}: {gravest}"


def _mildness(error: BaseException) -> int:
    if isinstance(error, Violation):
        return 0
    return 1 if isinstance(error, Exception) else 2
