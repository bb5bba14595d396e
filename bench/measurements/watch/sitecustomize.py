"""Put on PYTHONPATH, this notes how long the garbage collector stops a Python process.

Python imports it at start. When the process ends in order, its figures stand in the folder that
BENCH_WATCH names, as pauses-PID.json: for each generation the number of collections and
their seconds together, and every pause of a millisecond or more as [time, generation, seconds],
the time on the monotonic clock.
"""

import atexit
import gc
import json
import os
import time

LONG_S = 0.001

_counts = [0, 0, 0]
_seconds = [0.0, 0.0, 0.0]
_long: list[tuple[float, int, float]] = []
_started = 0.0


def _watch(phase: str, info: dict[str, int]) -> None:
    global _started
    if phase == "start":
        _started = time.perf_counter()
        return
    took, generation = time.perf_counter() - _started, info["generation"]
    _counts[generation] += 1
    _seconds[generation] += took
    if took >= LONG_S:
        _long.append((_started, generation, took))


def _write(folder: str) -> None:
    gc.callbacks.remove(_watch)
    figures = {"counts": _counts, "seconds": _seconds, "long": _long}
    with open(os.path.join(folder, f"pauses-{os.getpid()}.json"), "w", encoding="utf-8") as file:
        json.dump(figures, file)


if _folder := os.environ.get("BENCH_WATCH"):
    gc.callbacks.append(_watch)
    atexit.register(_write, _folder)
