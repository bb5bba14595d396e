"""`tradeclear venue-sim`: a stand-in for Binance on loopback, with faults to order."""

import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradeclear.cli.wal_directory import stop
from tradeclear.supervisor.exit_codes import ExitCode

if TYPE_CHECKING:
    from tradeclear.testing.venue_sim.faults import Fault
    from tradeclear.testing.venue_sim.published import SimSource
    from tradeclear.testing.venue_sim.venue import Venue


def venue_sim(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8081,
    symbol: Annotated[str, typer.Option(help="Of the generated market.")] = "BTCUSDT",
    seed: Annotated[int, typer.Option(help="Decides the generated market.")] = 7,
    replay: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Play this recording instead; again for what follows it."
        ),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0, help="1 as it was, 10 ten times that, 0 as fast as it goes.")
    ] = 1.0,
    loop: Annotated[
        bool, typer.Option("--loop", help="Begin the recording anew when it is over.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Begin when somebody listens.")] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND[,NAME=VALUE…]",
            help="What is to go wrong, seconds after the start: gap,at_s=5,count=3. Repeatable.",
        ),
    ] = None,
) -> None:
    """Speak Binance's REST and WebSocket wire format: /api/v3/…, /stream?streams=…, /ws/….

    Faults: drop, gap, duplicate, reorder, garbage (messages); delay, half_open, disconnect, outage
    (connections); 429, 418, 5xx, slow (REST). With at_s, for_s or count, delay_s, retry_after_s.
    While it runs: GET, POST, DELETE /sim/faults and GET /sim/state.

    Example: tradeclear venue-sim --fault outage,at_s=30,for_s=60
    """
    import trio

    from tradeclear.testing.venue_sim.faults import FaultUnreadable, parse_fault
    from tradeclear.testing.venue_sim.recording import RecordingUnreadable
    from tradeclear.testing.venue_sim.venue import Venue

    try:
        faults = [parse_fault(text) for text in fault or ()]
        source = _source(replay or [], symbol, seed)
    except FaultUnreadable as error:
        stop(f"--fault {error}", ExitCode.USAGE)
    except RecordingUnreadable as error:
        stop(f"--replay: {error}", ExitCode.USAGE)
    venue = Venue(source, speed=speed, loop=loop, wait=wait)
    try:
        trio.run(_run, venue, faults, host, port)
    except OSError as error:
        stop(f"can't listen on {host}:{port}: {error.strerror or error}", ExitCode.UNAVAILABLE)


def _source(files: list[Path], symbol: str, seed: int) -> "SimSource":
    from tradeclear.testing.venue_sim.recording import Recording
    from tradeclear.testing.venue_sim.walk import Walk

    return Recording(files) if files else Walk(symbol.upper(), seed)


async def _run(venue: "Venue", faults: "list[Fault]", host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    import trio

    from tradeclear.testing.venue_sim.server import running_venue

    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with running_venue(venue, host=host, port=port) as address:
            for one in faults:
                venue.faults.order(one, trio.current_time())
            typer.echo(f"venue-sim plays {venue.symbol} on http://{address} and ws://{address}")
            with suppress(StopAsyncIteration):
                await anext(signals)
    typer.echo(f"venue-sim: {venue.published} messages published, {venue.hub.sent} sent")
