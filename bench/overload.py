#!/usr/bin/env python3
"""Overload an exchange and watch it: the same as `bench/report.py --only overload`, printed only.

python bench/overload.py [--seconds 60] [--quick]
"""

import argparse
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from measurements import CHECKOUT
from measurements.bench import FULL, QUICK, Bench
from measurements.overload import measure
from measurements.rendering import section, targets_table


def main() -> int:
    """Returns 0 if the target holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    scratch = CHECKOUT / "build" / "bench"
    parser.add_argument("--seconds", type=float, help="of the overload [60, quick: 8]")
    parser.add_argument("--quick", action="store_true", help="find the capacity in a few seconds")
    parser.add_argument("--scratch", type=Path, default=scratch, help="folder of the log")
    options = parser.parse_args()
    effort = QUICK if options.quick else FULL
    if options.seconds:
        effort = replace(effort, overload_seconds=options.seconds)
    options.scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="bench-", dir=options.scratch) as folder:
        result = trio.run(partial(measure, Bench(effort=effort, folder=Path(folder))))
    plot = CHECKOUT / "build" / result.plots[0].file
    plot.write_text(result.plots[0].svg, encoding="utf-8")
    print(targets_table([result], []), section(result, str(plot.parent)), sep="\n\n")
    return 0 if all(target.holds for target in result.targets) else 1


if __name__ == "__main__":
    sys.exit(main())
