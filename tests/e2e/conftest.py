"""Fixtures of the tests that run a real server process."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tradeclear.testing.server import NO_RATE_LIMITS, Server, running_server


@pytest.fixture(params=["front door", "no front door"])
async def server(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Server]:
    """A server of its own for each test, without rate limits; each test runs against both doors."""
    front_door = "true" if request.param == "front door" else "false"
    environment = {**NO_RATE_LIMITS, "TRADECLEAR_FRONT_DOOR": front_door}
    async with running_server(tmp_path / "server", environment=environment) as running:
        yield running
