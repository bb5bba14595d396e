"""What each step of an order's way costs alone, a process a round."""

import json
import sys
from statistics import median

import trio

from measurements import CHECKOUT
from measurements.bench import Bench
from measurements.processes import Meter
from measurements.results import Result, Table

NAME = "costs"
TITLE = "Where an order's time goes"

SCRIPT = "bench/order_costs.py"
RECOVERY = "recovery: "

METHOD = f"""\
`python {SCRIPT}`: the program's own functions, one after the other, each in a loop over the same
orders as above, alone in a process; microseconds of processor time an order. What is missing to a
whole order is the kernel's part (read, write, fdatasync), the channel, the commit gate and Trio's
turns. Beside a load generator everything is slower: two virtual processors are often one core."""


async def measure(bench: Bench) -> Result:
    inner = "3" if bench.effort.quick else "20"

    async def run() -> dict[str, float]:
        command = [sys.executable, SCRIPT, "--json", "--rounds", inner]
        done = await trio.run_process(command, cwd=CHECKOUT, capture_stdout=True)
        return {str(name): float(us) for name, us in json.loads(done.stdout).items()}

    with Meter() as meter:
        runs = await bench.interleaved({"steps": run}, lambda us: f"{_serving(us):.1f} µs")
    return _result(runs["steps"], meter.others_s / meter.wall_s)


def _serving(us: dict[str, float]) -> float:
    return sum(cost for name, cost in us.items() if not name.startswith(RECOVERY))


def _result(runs: list[dict[str, float]], others_cores: float) -> Result:
    rows = [
        (name, *(f"{of([run[name] for run in runs]):.2f}" for of in (median, min, max)))
        for name in runs[0]
    ]
    whole = [_serving(run) for run in runs]
    rows.append(("all but recovery's", *(f"{of(whole):.2f}" for of in (median, min, max))))
    return Result(
        name=NAME,
        title=TITLE,
        targets=[],
        method=METHOD,
        tables=[Table(("step", "µs an order", "least", "greatest"), rows)],
        others_cores=others_cores,
    )
