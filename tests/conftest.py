"""Fixtures of the whole suite."""

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
DATA_ABSENT = "recorded data absent (set TRADECLEAR_DATA)"  # .ci/run searches for these words


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded market data: TRADECLEAR_DATA, else ../shared/data beside the checkout.

    The recordings belong to the venues, so they are not in the repository; a test that needs them
    is skipped where they are absent.
    """
    folder = Path(os.environ.get("TRADECLEAR_DATA") or CHECKOUT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(DATA_ABSENT)
    return folder.resolve()
