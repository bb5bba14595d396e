"""Fixtures of the tests that run a real server process."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tradeclear.testing.server import Server, running_server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncGenerator[Server]:
    """A server of its own for each test, without rate limits."""
    async with running_server(tmp_path / "server") as running:
        yield running
