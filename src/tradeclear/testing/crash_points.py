"""Kill a server before and in the middle of every call that changes its log directory.

Each point is a stage of a log played again from its beginning, up to the call. In its middle: half
of the bytes of a write have gone out; any other call has been made and has not returned. The whole
process group dies, the snapshot process too. Then the server starts again and is compared with the
ledger. From some points on, its recovery is killed as well, at every call that it makes, and must
come to the same files all the same.
"""

import pickle
from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct, structs

from tradeclear.model.errors import TradeclearError
from tradeclear.telemetry.events import CONFIGURATION_CHANGED
from tradeclear.testing.crash_comparison import UnexpectedReply, leaves
from tradeclear.testing.crash_log import CrashLog, Stage
from tradeclear.testing.crash_report import Report
from tradeclear.testing.ledger import Finding, Json, Ledger
from tradeclear.testing.server import ConnectionLost, ServerFailed
from tradeclear.testing.shim import Action, Call, Plan

ACTIONS: Final[tuple[Action, ...]] = ("before", "middle")
RECOVERY_CALLS_MAX: Final = 100
CONFIGURED: Final = CONFIGURATION_CHANGED.encode()

State = tuple[Ledger, dict[str, Json]]


class Point(Struct, frozen=True):
    """Where to kill, and whether to kill its recovery too."""

    stage: Stage
    call: Call
    action: Action
    recovery: bool = False

    def __str__(self) -> str:
        call = self.call
        return (
            f"stage {self.stage.number}, {self.action} call {call.number} ({call.kind} {call.name})"
        )


def points(stages: list[Stage]) -> list[Point]:
    """All points of a log."""
    return [
        Point(stage, call, action) for stage in stages for call in stage.calls for action in ACTIONS
    ]


def with_recoveries(chosen: list[Point], every: int) -> list[Point]:
    """The same, the recovery of every n-th point is to be killed too (0: of none)."""
    return [
        structs.replace(point, recovery=bool(every) and place % every == every // 2)
        for place, point in enumerate(chosen)
    ]


class PointSweep:
    """The points of one log, one after another."""

    def __init__(self, log: CrashLog, told: Callable[[], None]) -> None:
        self._log: Final = log
        self._report: Final[Report] = log.report
        self._told: Final = told

    async def run(self, chosen: list[Point]) -> None:
        """Try all of them; ends early when something is wrong, and leaves the log as it is then."""
        for point in chosen:
            place = f"log {self._log.number}, {point}"
            found_before = len(self._report.findings)
            try:
                await self._try(point)
            except* (ServerFailed, ConnectionLost, UnexpectedReply, TradeclearError) as group:
                self._report.findings += [Finding("lost", repr(each)) for each in leaves(group)]
            await self._log.server.kill()
            if self._report.place(found_before, place):
                return
            self._told()

    async def _try(self, point: Point) -> None:
        log = self._log
        state = point.stage.recall()
        log.restore(point.stage.beginning)
        if not await self._killed(point, state[0]):
            self._report.missed += 1
            return
        self._report.kills += 1
        self._report.count_point(point.action, point.call.kind)
        crashed = log.keep("crashed") if point.recovery else None
        await log.start()
        # A start that had to write its configuration wrote it at another time each time.
        digest = None if CONFIGURED in log.server.said() else log.digest()
        remembered = pickle.dumps(state)
        self._report.acknowledged += state[0].acknowledged()
        await log.compare(point.stage, *state)
        self._report.trades += len(state[0].trades)
        if crashed is not None:
            await log.server.kill()
            for plan in second_kills():
                log.restore(crashed)
                if not await self._killed_again(plan):
                    break
                self._report.recovery_kills += 1
                await log.start()
                if digest is not None and log.digest() != digest:
                    self._report.findings.append(
                        Finding("differing", f"killed {plan} in recovery, it left other files")
                    )
                await log.compare(point.stage, *pickle.loads(remembered))
                await log.server.kill()
                self._told()

    async def _killed(self, point: Point, ledger: Ledger) -> bool:
        """Play the stage up to the point; whether it was reached."""
        log = self._log
        plan = Plan(at=point.call.number, action=point.action, group=True)
        try:
            await log.play(point.stage, ledger, plan)
        except (ConnectionLost, ServerFailed):
            await log.server.wait_exit()
        return log.shim.fired > 0

    async def _killed_again(self, plan: Plan) -> bool:
        """Start it and have it killed; false if it came through, with nothing left to kill at."""
        try:
            await self._log.start(plan)
        except ServerFailed:
            if not self._log.shim.fired:
                raise
        await self._log.server.kill()
        return self._log.shim.fired > 0


def second_kills() -> Iterator[Plan]:
    """Before and in the middle of each call of a recovery, for as long as there is one."""
    for number in range(1, RECOVERY_CALLS_MAX + 1):
        for action in ACTIONS:
            yield Plan(at=number, action=action, group=True)
