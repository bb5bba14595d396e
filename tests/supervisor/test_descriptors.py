"""The rule: the server has as many descriptors as the system allows, up to a bound."""

from collections.abc import Iterator
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, prlimit, setrlimit

import pytest

from tradeclear.supervisor import descriptors
from tradeclear.supervisor.descriptors import raise_descriptor_limit
from tradeclear.testing.server import running_server

FEW = 512


@pytest.fixture(autouse=True)
def few() -> Iterator[None]:
    """A low soft limit, until the test ends."""
    before = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (FEW, before[1]))
    yield
    setrlimit(RLIMIT_NOFILE, before)


def most() -> int:
    hard = getrlimit(RLIMIT_NOFILE)[1]
    return descriptors.DESCRIPTORS_MAX if hard < 0 else min(hard, descriptors.DESCRIPTORS_MAX)


def test_the_soft_limit_rises_to_the_hard_one() -> None:
    hard = getrlimit(RLIMIT_NOFILE)[1]
    raise_descriptor_limit()
    assert getrlimit(RLIMIT_NOFILE) == (most(), hard)


def test_no_further_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "DESCRIPTORS_MAX", FEW + 1)
    raise_descriptor_limit()
    assert getrlimit(RLIMIT_NOFILE)[0] == FEW + 1


def test_what_is_there_is_not_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "DESCRIPTORS_MAX", FEW - 1)
    raise_descriptor_limit()
    assert getrlimit(RLIMIT_NOFILE)[0] == FEW


async def test_a_server_does_so(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        assert prlimit(server.pid, RLIMIT_NOFILE)[0] == most()
