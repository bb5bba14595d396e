"""`tradeclear fuzz`: attack an exchange with hostile requests, and judge what it answers."""

import shutil
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec
import typer

from tradeclear.cli.progress import progress
from tradeclear.cli.tables import Cell, show_facts, show_json, show_line
from tradeclear.cli.wal_directory import say, stop
from tradeclear.supervisor.exit_codes import ExitCode

if TYPE_CHECKING:
    from tradeclear.testing.fuzz import Door, Plan, Report
    from tradeclear.testing.fuzz_attacks import Attack
    from tradeclear.testing.fuzz_sender import Finding

BYTES_SHOWN_MAX: Final = 300
Show = Callable[[int, int], None]


def fuzz(
    requests: Annotated[int, typer.Option(min=0, help="How many attacks.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Decides every byte that is sent.")] = 7,
    url: Annotated[
        str | None,
        typer.Option(help="Attack this exchange, as http://host:port. Else one of our own."),
    ] = None,
    door: Annotated[
        Literal["front", "back"], typer.Option(help="Which door a server of our own has.")
    ] = "front",
    share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of proper requests, so that state moves.")
    ] = 0.3,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Carry out only the attacks that were kept in FILE."),
    ] = None,
    save: Annotated[
        Path, typer.Option(metavar="FILE", help="Keep attacks with findings here, one a line.")
    ] = Path("fuzz-findings.jsonl"),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Send mutated, malformed and proper requests, raw, and check every answer.

    With a server of our own also its memory, its exit code, and its log and state afterwards. Exits
    with 1 if anything is wrong. An exchange at --url is traded on: take one that may be.

    Example: tradeclear fuzz --requests 100000 --seed 7 --door back
    """
    # Imported here: the other commands need not wait for all of the exchange to load.
    from tradeclear.testing.fuzz import Plan

    kept = None if replay is None else _read_kept(replay)
    plan = Plan(requests=requests, seed=seed, share=share)
    if url is not None:
        host, port = _address(url)
        report = _at(plan, kept, host, port)
    else:
        report = _own(plan, kept, door)
    if json:
        show_json(report)
    else:
        show_facts(_facts(report))
    if report.findings:
        _tell(report.findings, None if replay is not None else save)
        raise typer.Exit(ExitCode.ERROR)


def _own(plan: "Plan", kept: "list[Attack] | None", door: "Door") -> "Report":
    """With a server of our own, whose folder stays if there are findings."""
    import trio

    from tradeclear.testing.fuzz import fuzz_own

    home = Path(tempfile.mkdtemp(prefix="tradeclear-fuzz-"))
    with progress("attacking") as show:
        report = trio.run(partial(fuzz_own, plan, home, door, show, kept))
    if report.findings:
        say(f"the server's log and its folder are kept in {home}")
    else:
        shutil.rmtree(home)
    return report


def _at(plan: "Plan", kept: "list[Attack] | None", host: str, port: int) -> "Report":
    import trio

    from tradeclear.testing.fuzz import fuzz as attack

    with progress("attacking") as show:
        return trio.run(partial(attack, plan, host, port, progress=show, kept=kept))


def _address(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname is not None:
            return parts.hostname, parts.port or 80
    except ValueError:
        pass  # a port that is none, say
    return stop(f"--url: {url} is not like http://127.0.0.1:8000", ExitCode.USAGE)


def _read_kept(path: Path) -> "list[Attack]":
    from tradeclear.testing.fuzz_attacks import Attack

    try:
        return msgspec.json.Decoder(Attack).decode_lines(path.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        stop(f"--replay: {path}: {error}", ExitCode.USAGE)


def _facts(report: "Report") -> Iterable[tuple[str, Cell]]:
    aftermath = report.aftermath
    yield "requests", report.requests
    yield "seconds", str(report.seconds)
    yield "kinds", _counts(report.kinds.items())
    yield "statuses", _counts(sorted(report.statuses.items()))
    yield "server_errors", report.server_errors
    yield "bystander_requests", report.bystander.requests
    yield "bystander_p50_ms", str(report.bystander.p50_ms)
    yield "bystander_p99_ms", str(report.bystander.p99_ms)
    yield "bystander_max_ms", str(report.bystander.max_ms)
    if report.door is not None:
        yield "door", report.door
        yield "rss_first_mib", str(report.rss_first_mib)
        yield "rss_settled_mib", str(report.rss_settled_mib)
        yield "rss_last_mib", str(report.rss_last_mib)
        yield "rss_max_mib", str(report.rss_max_mib)
    if aftermath is not None:
        yield "records", aftermath.records
        yield "state_hash", aftermath.state_hash
    yield "seed", report.seed
    yield "findings", len(report.findings)


def _counts(items: Iterable[tuple[object, int]]) -> str:
    return ",".join(f"{name}:{count}" for name, count in items)


def _tell(findings: "list[Finding]", save: Path | None) -> None:
    """Say what was wrong, and keep the attacks."""
    attacks = [finding.attack for finding in findings if finding.attack is not None]
    for finding in findings:
        say(f"{finding.what}")
        if (attack := finding.attack) is not None:
            sent = b"|".join(attack.sends)
            shown = f"{sent[:BYTES_SHOWN_MAX]!r}, {len(sent)} bytes, {attack.ending}"
            show_line(f"  {attack.kind} {attack.number}: {shown}")
    if save is not None and attacks:
        save.write_bytes(msgspec.json.Encoder().encode_lines(attacks))
        say(f"to carry them out again: tradeclear fuzz --replay {save}")
