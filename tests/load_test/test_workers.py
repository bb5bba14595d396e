"""The rule: several processes keep one schedule together, and their orders come back as one."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from loadtest.plan import Plan, processes_for
from loadtest.workers import Progress, WorkerFailed, run_plan


def test_two_processes_make_the_load_of_one(fake_exchange: Any) -> None:
    plan = Plan(
        host="127.0.0.1",
        port=fake_exchange.port,
        rate_per_s=400,
        seconds=0.5,
        warm_up_s=0.25,
        processes=2,
        connections=4,
    )
    seen: list[Progress] = []
    samples = run_plan(plan, seen.append)
    assert samples.statuses() == {201: 200}
    assert max(samples.due_ns) == 497_500_000
    assert len(set(fake_exchange.bodies)) == 300
    assert seen[-1].elapsed_s > 0.5
    assert samples.cpu_s > 0


def test_a_closed_loop_runs_for_its_time(fake_exchange: Any) -> None:
    plan = Plan(
        host="127.0.0.1",
        port=fake_exchange.port,
        seconds=0.3,
        warm_up_s=0.1,
        connections=2,
        keys=False,
    )
    samples = run_plan(plan)
    assert set(samples.statuses()) == {201}
    assert max(samples.due_ns) < 300_000_000


def test_nobody_there_is_said_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WorkerFailed):
        run_plan(Plan(host="127.0.0.1", port=1, rate_per_s=10, seconds=0.1))
    assert capfd.readouterr().err == "load-test: 127.0.0.1:1 takes no 64 connections\n"


@pytest.mark.parametrize(
    ("rate", "cores", "processes"), [(2_000, 2, 1), (60_000, 2, 2), (60_000, 8, 4), (0, 2, 1)]
)
def test_processes_follow_the_rate(rate: float, cores: int, processes: int) -> None:
    assert processes_for(rate, cores) == processes


def test_the_program_needs_nothing_that_is_installed() -> None:
    program = Path(__file__).resolve().parents[2] / "load-test" / "run.py"
    bare = [sys.executable, "-S", str(program), "--help"]  # no site-packages
    shown = subprocess.run(bare, capture_output=True, text=True, check=False, env={})
    assert (shown.returncode, shown.stderr) == (0, "")
