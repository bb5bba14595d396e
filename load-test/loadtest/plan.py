"""What load to make: the one thing that the command line, the workers and the reports share."""

import json
from dataclasses import asdict, dataclass

from loadtest.schedule import Arrivals

PROCESS_RATE_MAX = 20_000
"""Orders a second above which another process is worth it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """`rate_per_s` 0 is a closed loop. `give_up_s` 0: an order is sent however late it is."""

    host: str
    port: int
    path: str = "/orders"
    rate_per_s: float = 0.0
    seconds: float = 10.0
    warm_up_s: float = 2.0
    connections: int = 64
    pipeline: int = 1
    """Requests under way on one connection, once there is no idle one."""

    processes: int = 1
    arrivals: Arrivals = "constant"
    keys: bool = True
    give_up_s: float = 0.0
    drain_s: float = 10.0
    """How long to wait for replies after the last order was due."""

    seed: int = 1
    orders_file: str = ""

    @property
    def open_loop(self) -> bool:
        return self.rate_per_s > 0

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        return cls(**json.loads(text))


def processes_for(rate_per_s: float, cores: int) -> int:
    """As many as the rate asks for, and no more than there are cores."""
    return max(1, min(cores, round(rate_per_s / PROCESS_RATE_MAX + 0.5)))
