"""`tradeclear depth-reader`: show the books that an exchange mirrors in Redis."""

from functools import partial
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from tradeclear.config import redis
from tradeclear.config.load import SettingsError, load_settings
from tradeclear.supervisor.exit_codes import ExitCode

NO_REDIS: Final = (
    "no Redis is named: set REDIS_URL or REDIS_HOST, or give --redis-url. "
    "An exchange tells the URL of its own Redis in /readyz"
)


def depth_reader(
    redis_url: Annotated[
        str | None,
        typer.Option(help="redis://, rediss:// or unix:// URL; better in REDIS_URL."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8001,
    stale_after_s: Annotated[
        float | None, typer.Option(help="Older books are not shown: 503 [5].")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file with settings, as `serve` takes it.")
    ] = None,
) -> None:
    """Serve GET /orderbook and WS /ws/depth from Redis alone, beside the exchange or far from it.

    Run as many as you like. Each says how old its books are, and answers 503 when they are too old
    or Redis is gone.
    """
    try:
        settings = load_settings(config, redis_url=redis_url, mirror_stale_after_s=stale_after_s)
        url = redis.redis_url(settings)
    except SettingsError as error:
        _fail(str(error))
    if url is None:
        _fail(NO_REDIS)
    # Imported here: the other commands need not wait for it to load.
    from tradeclear.cli.serving import run_until_stopped
    from tradeclear.supervisor.depth_reader import read_depth

    def ready(address: str) -> None:
        typer.echo(f"tradeclear depth-reader is ready on {address}")

    run_until_stopped(
        settings, partial(read_depth, settings, url, host=host, port=port, ready=ready)
    )


def _fail(problem: str) -> NoReturn:
    typer.echo(f"tradeclear: {problem}", err=True)
    raise typer.Exit(ExitCode.CONFIGURATION)
