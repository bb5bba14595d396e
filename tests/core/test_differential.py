"""Engine and oracle agree: on every answer, and every few commands on all that they hold."""

from itertools import islice

import pytest

from tradeclear.testing.commands import commands
from tradeclear.testing.differential import Differential

COMMANDS = 10_000


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
def test_engine_answers_as_the_oracle(seed: int) -> None:
    """On a failure: python -m tradeclear.testing.differential --seed as in the test's name."""
    differential = Differential()
    differential.run(islice(commands(seed), COMMANDS))
    differential.compare_states()
    assert differential.applied > COMMANDS * 0.9
