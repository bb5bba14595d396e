"""What goes wrong before the matcher says what to mend."""

import pytest

from tradeclear.model.errors import (
    AgedOut,
    InvalidField,
    KeyReused,
    OutcomeUnknown,
    Overloaded,
    Quarantined,
    Stopping,
    TradeclearError,
)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InvalidField("price", "must be greater than 0"), "price: must be greater than 0"),
        (Overloaded(), "the exchange is busy: its input channel is full"),
        (KeyReused(7), "the idempotency key was used for another request (sequence 7)"),
        (
            Quarantined("ab"),
            "the command once stopped the exchange and is quarantined (digest ab)",
        ),
    ],
)
def test_words(error: TradeclearError, words: str) -> None:
    assert str(error) == words


@pytest.mark.parametrize(
    "error", [InvalidField, Overloaded, KeyReused, Quarantined, Stopping, OutcomeUnknown, AgedOut]
)
def test_one_root(error: type[Exception]) -> None:
    assert issubclass(error, TradeclearError)
