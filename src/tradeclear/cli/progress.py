"""How far a long piece of work has come: a bar on standard error, only when that is a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

SHOWN_EVERY_S: Final = 0.1


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that takes what is done and the whole; the bar goes when the block ends."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bars:
        task = bars.add_task(label, total=None)
        shown = monotonic()

        def show(done: int, total: int) -> None:
            nonlocal shown
            now = monotonic()
            if now - shown >= SHOWN_EVERY_S:
                shown = now
                bars.update(task, completed=done, total=max(total, done))

        yield show
