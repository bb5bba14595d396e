"""Attack an exchange with a seeded stream of hostile and of proper requests, and judge its answers.

No 5xx but 503 (and no 503 that admits a fault of ours), every answer proper HTTP, every problem
named, every connection ended in time, the process alive, a bystander served throughout; and with a
server of our own, its memory watched, its log and state compared afterwards. An attack follows from
the seed and its number; how attacks fall together does not.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

import trio
from msgspec import Struct, field

from tradeclear.testing.fuzz_aftermath import Aftermath, check_aftermath
from tradeclear.testing.fuzz_attacks import Attack, draw_attack
from tradeclear.testing.fuzz_bystander import Waits, bystander_process
from tradeclear.testing.fuzz_memory import Memory
from tradeclear.testing.fuzz_sender import Finding, carry_out
from tradeclear.testing.server import Server, running_server

WORKERS: Final = 8
PROPER_SHARE: Final = 0.3
BYSTANDER_PER_S: Final = 20.0
FINDINGS_MAX: Final = 20
"""With so many the campaign ends early."""

PATIENCE_S: Final = 45.0
"""For a server whose timeouts we don't know; with the usual ones nothing stays open so long."""

OWN_PATIENCE_S: Final = 30.0
SETTLED_SHARE: Final = 0.25
"""After this share of the time tables and allocator are warm: growth counts from there."""

OWN_SETTINGS: Final[Mapping[str, str]] = {
    "TRADECLEAR_RATE_LIMIT_CLIENT_PER_S": "0",
    "TRADECLEAR_RATE_LIMIT_ADDRESS_PER_S": "0",
    "TRADECLEAR_HEADER_TIMEOUT_S": "1",
    "TRADECLEAR_BODY_TIMEOUT_S": "1",
    "TRADECLEAR_KEEP_ALIVE_TIMEOUT_S": "1",
    "TRADECLEAR_WRITE_TIMEOUT_S": "2",
    "TRADECLEAR_CLOSED_ORDERS_MAX": "2000",
    "TRADECLEAR_TRADES_MAX": "2000",
    "TRADECLEAR_IDEMPOTENCY_KEYS_MAX": "2000",
    "TRADECLEAR_ORDER_LOG": "false",
}
"""Short waits; and small tables, so that they are full soon and memory that still grows shows."""

Door = Literal["front", "back"]


class Report(Struct, kw_only=True):
    """What was done and found. Waits are the bystander's; memory is of a server of our own."""

    seed: int
    door: Door | None = None
    requests: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    bystander: Waits = Waits()
    rss_first_mib: float = 0.0
    rss_settled_mib: float = 0.0
    rss_last_mib: float = 0.0
    rss_max_mib: float = 0.0
    aftermath: Aftermath | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def server_errors(self) -> int:
        """Answers of 5xx but 503."""
        return sum(n for status, n in self.statuses.items() if status >= 500 and status != 503)


class Plan(Struct, frozen=True, kw_only=True):
    """How much is sent, and how."""

    requests: int
    seed: int
    share: float = PROPER_SHARE
    workers: int = WORKERS
    bystander_per_s: float = BYSTANDER_PER_S

    def attack(self, number: int) -> Attack:
        """Attack `number` of this plan."""
        return draw_attack(self.seed, number, self.share)


Progress = Callable[[int, int], None]


async def fuzz_own(
    plan: Plan,
    home: Path,
    door: Door,
    progress: Progress = lambda done, whole: None,
    kept: list[Attack] | None = None,
) -> Report:
    """Attack a server of our own in `home`, and look at what is left of it."""
    environment = {**OWN_SETTINGS, "TRADECLEAR_FRONT_DOOR": str(door == "front").lower()}
    async with running_server(home, environment=environment) as server:
        report = await _watched(plan, server, progress, kept)
        report.door = door
        if server.process is None or server.process.poll() is not None:
            report.findings.append(Finding(what=f"the server is gone: {server.log_tail()}"))
        else:
            report.aftermath = await check_aftermath(server)
            report.findings += [Finding(what=what) for what in report.aftermath.problems]
        return report


async def _watched(
    plan: Plan, server: Server, progress: Progress, kept: list[Attack] | None
) -> Report:
    memory = Memory(server.pid)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(memory.run)
        report = await fuzz(plan, server.host, server.port, OWN_PATIENCE_S, progress, kept)
        nursery.cancel_scope.cancel()
    report.rss_first_mib = memory.mib(0)
    report.rss_settled_mib = memory.mib(SETTLED_SHARE)
    report.rss_last_mib = memory.mib(1)
    report.rss_max_mib = memory.mib_max
    return report


async def fuzz(
    plan: Plan,
    host: str,
    port: int,
    patience_s: float = PATIENCE_S,
    progress: Progress = lambda done, whole: None,
    kept: list[Attack] | None = None,
) -> Report:
    """Attack whoever listens there, with the plan's attacks or with those that were kept.

    Ends early when too much is wrong.
    """
    report = Report(seed=plan.seed)
    started = time.perf_counter()
    attacks = iter(kept) if kept is not None else map(plan.attack, range(plan.requests))
    whole = len(kept) if kept is not None else plan.requests

    async def work() -> None:
        for attack in attacks:
            statuses, finding = await carry_out(attack, host, port, patience_s=patience_s)
            report.requests += 1
            report.kinds[attack.kind] += 1
            report.statuses.update(statuses)
            progress(report.requests, whole)
            if finding is not None:
                report.findings.append(finding)
            if len(report.findings) >= FINDINGS_MAX:
                return

    async with (
        bystander_process(host, port, plan.bystander_per_s) as bystander,
        trio.open_nursery() as workers,
    ):
        for _ in range(plan.workers):
            workers.start_soon(work)
    report.seconds = round(time.perf_counter() - started, 1)
    report.bystander = bystander.waits
    report.findings += [Finding(what=what) for what in bystander.waits.problems]
    return report
