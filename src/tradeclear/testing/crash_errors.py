"""Let every call on the log directory fail: EIO, ENOSPC, EMFILE or EROFS, once or from then on.

Where a call on the log itself fails, the exchange must stop: at once, with its exit code and its
words, and without one more acknowledgement, for nobody knows what a failed sync has left. Where a
snapshot fails, the log has everything all the same, and the exchange goes on. A write that takes
half of the bytes has not failed at all. Whatever it was, the next start must find what the ledger
says.
"""

import errno
import os
import signal
import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from tradeclear.model.errors import TradeclearError
from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.testing.crash_comparison import UnexpectedReply, leaves
from tradeclear.testing.crash_log import CrashLog, Stage
from tradeclear.testing.crash_report import Report
from tradeclear.testing.ledger import Finding, Ledger
from tradeclear.testing.server import ConnectionLost, ServerFailed
from tradeclear.testing.shim import ALWAYS, Action, Call, Plan, action_name

READ_ONLY: Final = (errno.EROFS, ALWAYS)
"""The kernel has found an error of the disk, and remounted it read-only."""

FAULTS: Final[dict[str, tuple[tuple[Action | int, int], ...]]] = {
    "write": ((errno.EIO, 1), (errno.EIO, ALWAYS), (errno.ENOSPC, 1), ("short", 1), READ_ONLY),
    "sync": ((errno.EIO, 1), (errno.EIO, ALWAYS), READ_ONLY),
    "create": ((errno.EIO, 1), (errno.ENOSPC, 1), (errno.EMFILE, 1), READ_ONLY),
    "rename": ((errno.EIO, 1), READ_ONLY),
    "unlink": ((errno.EIO, 1), READ_ONLY),
    "truncate": ((errno.EIO, 1), READ_ONLY),
}
"""What a call of a kind can fail with, and for how many calls."""


class Fault(Struct, frozen=True):
    """One call and what becomes of it."""

    stage: Stage
    call: Call
    action: Action | int
    times: int

    def __str__(self) -> str:
        call, name = self.call, action_name(self.action)
        since = " from" if self.times > 1 else ""
        return (
            f"stage {self.stage.number}, {name}{since} at call {call.number} "
            f"({call.kind} {call.name})"
        )

    @property
    def fatal(self) -> bool:
        """Whether it hits the log itself."""
        return self.action != "short" and self.call.name.startswith("wal-")


def faults(stages: list[Stage]) -> list[Fault]:
    """All faults of a log's calls."""
    return [
        Fault(stage, call, action, times)
        for stage in stages
        for call in stage.calls
        for action, times in FAULTS[call.kind]
    ]


class ErrorSweep:
    """The faults of one log, one after another."""

    def __init__(self, log: CrashLog, told: Callable[[], None]) -> None:
        self._log: Final = log
        self._report: Final[Report] = log.report
        self._told: Final = told

    async def run(self, chosen: list[Fault]) -> None:
        """Try all of them; ends early when something is wrong, and leaves the log as it is then."""
        for fault in chosen:
            found_before = len(self._report.findings)
            try:
                await self._try(fault)
            except* (ServerFailed, ConnectionLost, UnexpectedReply, TradeclearError) as group:
                self._report.findings += [Finding("lost", repr(each)) for each in leaves(group)]
            await self._log.server.kill()
            if self._report.place(found_before, f"log {self._log.number}, {fault}"):
                return
            self._told()

    async def _try(self, fault: Fault) -> None:
        log, report = self._log, self._report
        ledger, shown = fault.stage.recall()
        log.restore(fault.stage.beginning)
        log.late = 0
        code = await self._play(fault, ledger)
        ended = time.monotonic()
        if not log.shim.fired:
            report.missed += 1
            return
        report.faults += 1
        report.count_point(action_name(fault.action), fault.call.kind)
        if code != ExitCode.OK or fault.fatal:
            self._judge_stop(fault, code, ended - log.shim.fired_s)
        report.acknowledged += ledger.acknowledged()
        await log.start()
        await log.compare(fault.stage, ledger, shown)
        report.trades += len(ledger.trades)

    async def _play(self, fault: Fault, ledger: Ledger) -> int:
        """Play the stage; the exit code."""
        log = self._log
        plan = Plan(at=fault.call.number, action=fault.action, times=fault.times)
        try:
            await log.play(fault.stage, ledger, plan)
        except (ConnectionLost, ServerFailed):
            await log.server.wait_exit()
        return await log.server.end(signal.SIGTERM)

    def _judge_stop(self, fault: Fault, code: int, seconds: float) -> None:
        report, log = self._report, self._log
        report.fatal_faults += 1
        report.stop_s_max = max(report.stop_s_max, seconds)
        report.acknowledged_after_fault += log.late
        if log.late:
            text = f"{log.late} commands were acknowledged after the fault"
            report.findings.append(Finding("differing", text))
        if code != ExitCode.LOG_FAILED:
            text = f"exit code {code}, not {int(ExitCode.LOG_FAILED)}:\n{log.server.log_tail()}"
            report.findings.append(Finding("differing", text))
        assert isinstance(fault.action, int), "a short write is no error"
        if os.strerror(fault.action).encode() not in log.server.said():
            text = f"it does not say why it stopped:\n{log.server.log_tail()}"
            report.findings.append(Finding("differing", text))
