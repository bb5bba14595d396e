"""`tradeclear` and what it can do."""

from typing import Annotated

import typer

from tradeclear import __version__
from tradeclear.cli import wal
from tradeclear.cli.crash import crash
from tradeclear.cli.depth_reader import depth_reader
from tradeclear.cli.fuzz import fuzz
from tradeclear.cli.serve import serve
from tradeclear.cli.simulate import simulate
from tradeclear.cli.soak import soak
from tradeclear.cli.venue_sim import venue_sim

app = typer.Typer(
    name="tradeclear",
    help="An exchange in one process: every outcome is durable before anyone hears of it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(depth_reader)
app.command()(crash)
app.command()(fuzz)
app.command()(simulate)
app.command()(soak)
app.command()(venue_sim)
app.add_typer(wal.app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tradeclear {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
