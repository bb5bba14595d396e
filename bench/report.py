#!/usr/bin/env python3
"""Measure everything and write docs/performance.md.

    python bench/report.py                      all of it, about half an hour
    python bench/report.py --only http_orders   one of them; the others keep their last figures
    python bench/report.py --quick              short runs into build/performance, not to publish

The logs are written below --scratch: it must lie on the disk whose speed is to count.
"""

import argparse
import sys
import traceback
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Final

import trio

from measurements import (
    CHECKOUT,
    costs,
    deep_book,
    fixed_rate,
    http_orders,
    idle,
    matching,
    overload,
    recovery,
    streams,
    websocket,
)
from measurements.bench import FULL, QUICK, Bench
from measurements.conditions import stamped
from measurements.rendering import page, section, targets_table
from measurements.results import Result, load, save
from measurements.tools import ToolMissing
from measurements.wrk import LoadRefused, write_bodies

MEASUREMENTS: Final[tuple[ModuleType, ...]] = (
    http_orders,
    fixed_rate,
    websocket,
    streams,
    costs,
    idle,
    matching,
    recovery,
    deep_book,
    overload,
)
NAMES: Final = tuple(str(module.NAME) for module in MEASUREMENTS)
PLOTS: Final = "performance"


def main() -> int:
    """Measure what the command line asks for. Returns the exit status."""
    options = parse_options()
    if options.bodies:
        options.bodies.mkdir(parents=True, exist_ok=True)
        print("\n".join(map(str, write_bodies(options.bodies))))
        return 0
    out = options.out or CHECKOUT / ("build/performance" if options.quick else "docs")
    failed = False
    if not options.render:
        options.scratch.mkdir(parents=True, exist_ok=True)
        for module in MEASUREMENTS:
            if not options.only or module.NAME in options.only:
                failed |= not run(module, out, options)
    results = [load(out / PLOTS, name) for name in NAMES]
    (out / "performance.md").write_text(page(results, NAMES, PLOTS), encoding="utf-8")
    print(out / "performance.md", file=sys.stderr)
    return 1 if failed else 0


def run(module: ModuleType, out: Path, options: argparse.Namespace) -> bool:
    """Run one measurement, keep its result, print its section. Whether there was a result."""
    print(f"{module.NAME}: {module.TITLE}", file=sys.stderr, flush=True)
    effort = QUICK if options.quick else FULL
    with TemporaryDirectory(prefix="bench-", dir=options.scratch) as folder:
        bench = Bench(effort=effort, folder=Path(folder))
        try:
            result: Result = trio.run(partial(module.measure, bench))
        except (ToolMissing, LoadRefused) as error:
            print(f"{module.NAME}: not measured: {error}", file=sys.stderr)
            return False
        except Exception:  # said, and in the exit status; the others are measured all the same
            traceback.print_exc()
            return False
        result = stamped(result, bench.folder, quick=options.quick)
    save(result, out / PLOTS)
    print(targets_table([result], []), section(result, PLOTS), sep="\n\n")
    return True


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--only", action="append", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    add("--quick", action="store_true", help="short runs; by default into build/performance")
    add("--out", type=Path, metavar="DIR", help="folder of performance.md [docs]")
    add("--render", action="store_true", help="measure nothing, write the page from what is kept")
    scratch = CHECKOUT / "build" / "bench"
    add("--scratch", type=Path, default=scratch, metavar="DIR", help="the logs' disk [build/bench]")
    add("--bodies", type=Path, metavar="DIR", help="only write what wrk sends, for use by hand")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
