"""A bar on a terminal while the load runs; on anything else, nothing."""

import sys
from typing import TextIO

from loadtest.plan import Plan
from loadtest.workers import Progress

WIDTH = 30


class ProgressBar:
    """Call it with every `Progress`; `finish` when it is over."""

    def __init__(self, plan: Plan, out: TextIO = sys.stderr) -> None:
        self._total_s = plan.warm_up_s + plan.seconds
        self._out = out
        self._shown = out.isatty()

    def __call__(self, progress: Progress) -> None:
        if self._shown:
            self._out.write(f"\r{bar_text(progress, self._total_s)}\x1b[K")
            self._out.flush()

    def finish(self) -> None:
        """Clear the line."""
        if self._shown:
            self._out.write("\r\x1b[K")
            self._out.flush()


def bar_text(progress: Progress, total_s: float) -> str:
    """The line: how much of the time is over, and what has come of it."""
    share = min(1.0, max(0.0, progress.elapsed_s / total_s))
    filled = round(WIDTH * share)
    open_orders = progress.sent - progress.answered
    return (
        f"{'█' * filled}{'░' * (WIDTH - filled)} {progress.elapsed_s:4.0f} s of {total_s:.0f}  "
        f"{progress.answered:,} answered, {open_orders:,} under way, "
        f"{progress.turned_away:,} turned away"
    )
