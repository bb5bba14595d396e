"""`tradeclear serve`: run the exchange until it is told to stop."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from tradeclear.config.load import SettingsError, load_settings
from tradeclear.supervisor.exit_codes import ExitCode


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one [8000].")
    ] = None,
    wal_dir: Annotated[
        Path | None, typer.Option(help="Directory of the log; made if it is not there [wal].")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="TOML file with settings; TRADECLEAR_… variables win over it."),
    ] = None,
    feed: Annotated[
        Literal["off", "binance", "shadow"] | None,
        typer.Option(help="Follow Binance's market; shadow: let it live in our book, too [off]."),
    ] = None,
    redis: Annotated[
        bool | None,
        typer.Option("--redis/--no-redis", help="Mirror the books in Redis [on, if there is one]."),
    ] = None,
) -> None:
    """Run the exchange. It is ready when it prints its address.

    SIGINT (Ctrl-C) and SIGTERM stop it in order: it takes nothing more, finishes what it took,
    writes a snapshot and exits with 0.
    """
    try:
        settings = load_settings(
            config,
            host=host,
            port=port,
            wal_dir=None if wal_dir is None else str(wal_dir),
            feed=feed,
            redis=redis,
        )
    except SettingsError as error:
        typer.echo(f"tradeclear: {error}", err=True)
        raise typer.Exit(ExitCode.CONFIGURATION) from None
    # Imported here: the other commands need not wait for all of the exchange to load.
    from tradeclear.cli.serving import serve_until_stopped

    serve_until_stopped(settings)
