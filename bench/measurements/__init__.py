"""What `bench/report.py` measures, a noun a file.

    http_orders   POST /orders and /orders/batch, beside Express, Fastify and the disk
    websocket     /ws/orders beside Node `ws`
    streams       /stream to a thousand subscribers, beside Node `ws`
    fixed_rate    latency at 2,000 orders a second, open loop
    idle          one order on an idle server, beside the disk
    matching      the public matching benchmark through the core
    recovery      the log replayed at start
    deep_book     a million resting orders: memory, collector, snapshots
    overload      three times what it can do

Each of these has a NAME, a TITLE and an async `measure(bench)` that returns a `Result`.
"""

import sys
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parents[2]

# The load generators are the users' own, beside this folder.
sys.path.insert(0, str(CHECKOUT / "load-test"))
