"""`tradeclear wal …`: what there is to see and to do in a log directory."""

import inspect
from collections.abc import Callable
from typing import Any, Final

import typer

from tradeclear.cli.wal_cat import cat
from tradeclear.cli.wal_list import ls
from tradeclear.cli.wal_repair import repair
from tradeclear.cli.wal_replay import replay
from tradeclear.cli.wal_snapshot import snapshot
from tradeclear.cli.wal_stat import stat
from tradeclear.cli.wal_verify import verify

app = typer.Typer(
    name="wal",
    help="Look into the log, check it, replay it. Only `repair` writes; the rest may run beside a "
    "live server, and on a damaged directory without changing it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

COMMANDS: Final = (ls, stat, cat, verify, repair, replay, snapshot)


def _help(command: Callable[..., Any]) -> str:
    """The docstring, a paragraph a line: typer would keep its line breaks."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


for command in COMMANDS:
    app.command(help=_help(command))(command)
