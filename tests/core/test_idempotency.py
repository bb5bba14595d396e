"""A key yields one outcome within a window bounded by count and by age of the log's time."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tradeclear.core.idempotency import IdempotencyWindow, idempotency, request_digest
from tradeclear.model.commands import AmendOrder, CancelOrder, Idempotency, PlaceOrder
from tradeclear.model.errors import KeyReused

ORDER = PlaceOrder("o", "ann", "BTC-USD", "buy", "limit", 100, 5)


def used(number: int, request: int = 0) -> Idempotency:
    return Idempotency(number.to_bytes(16, "big"), request.to_bytes(16, "big"))


def held(window: IdempotencyWindow) -> list[int]:
    """The keys in the window, oldest first."""
    return [int.from_bytes(key, "big") for key, _entry in window.dump()]


def test_new_key_is_not_found() -> None:
    assert IdempotencyWindow(10, 100).find(used(1)) is None


def test_same_request_is_found_by_its_sequence() -> None:
    window = IdempotencyWindow(10, 100)
    window.remember(used(1), 7, 0)
    assert window.find(used(1)) == 7


def test_key_used_for_another_request_is_told_with_its_sequence() -> None:
    window = IdempotencyWindow(10, 100)
    window.remember(used(1, request=1), 7, 0)
    with pytest.raises(KeyReused) as caught:
        window.find(used(1, request=2))
    assert caught.value.seq == 7


def test_first_outcome_of_a_key_is_the_one() -> None:
    window = IdempotencyWindow(10, 100)
    window.remember(used(1), 7, 0)
    window.remember(used(1), 8, 0)
    assert (window.find(used(1)), len(window)) == (7, 1)


def test_window_is_bounded_by_count() -> None:
    window = IdempotencyWindow(2, 100)
    for number in (1, 2, 3):
        window.remember(used(number), number, 0)
    assert held(window) == [2, 3]


@pytest.mark.parametrize(("now", "kept"), [(110, [1, 2, 3]), (111, [2, 3]), (999, [3])])
def test_window_is_bounded_by_age(now: int, kept: list[int]) -> None:
    window = IdempotencyWindow(10, 100)
    window.remember(used(1), 1, 10)
    window.remember(used(2), 2, 20)
    window.remember(used(3), 3, now)
    assert held(window) == kept


def test_window_of_no_keys_remembers_none() -> None:
    window = IdempotencyWindow(0, 100)
    window.remember(used(1), 1, 0)
    assert (len(window), window.oldest_seq()) == (0, None)


def test_key_that_was_forgotten_is_new_again() -> None:
    window = IdempotencyWindow(1, 100)
    window.remember(used(1), 1, 0)
    window.remember(used(2), 2, 0)
    window.remember(used(1), 3, 0)
    assert (window.find(used(1)), held(window)) == (3, [1])


def test_smaller_bounds_forget_at_once() -> None:
    window = IdempotencyWindow(10, 100)
    for number in range(5):
        window.remember(used(number), number, number)
    window.resize(4, 2, 5)
    assert held(window) == [3, 4]


def test_oldest_sequence_is_that_of_the_oldest_key() -> None:
    window = IdempotencyWindow(2, 100)
    for number in (1, 2, 3):
        window.remember(used(number), number * 10, 0)
    assert window.oldest_seq() == 20


def test_loaded_window_is_as_the_one_it_was_taken_from() -> None:
    window, loaded = IdempotencyWindow(3, 100), IdempotencyWindow(3, 100)
    for number in range(5):
        window.remember(used(number), number, number)
    for key, entry in window.dump():
        loaded.load(key, entry)
    assert (list(loaded.dump()), loaded.find(used(4))) == (list(window.dump()), 4)


def test_loaded_window_goes_on_forgetting() -> None:
    window, loaded = IdempotencyWindow(3, 100), IdempotencyWindow(3, 100)
    for number in range(5):
        window.remember(used(number), number, number)
    for key, entry in window.dump():
        loaded.load(key, entry)
    loaded.remember(used(5), 5, 5)
    assert held(loaded) == [3, 4, 5]


# Digests


def test_keys_of_different_clients_differ() -> None:
    assert idempotency("ann", "k", ORDER).key != idempotency("bob", "k", ORDER).key


def test_client_and_key_are_not_run_together() -> None:
    assert idempotency("ann", "1k", ORDER).key != idempotency("ann1", "k", ORDER).key


def test_digest_is_the_same_for_every_retry() -> None:
    keyed = replace(ORDER, idempotency=used(1))
    assert request_digest(keyed) == request_digest(ORDER)


def test_digest_does_not_see_generated_ids() -> None:
    first = replace(ORDER, order_id="uuid-1", id_generated=True)
    second = replace(ORDER, order_id="uuid-2", id_generated=True)
    assert request_digest(first) == request_digest(second)


def test_digest_sees_ids_that_the_client_gave() -> None:
    assert request_digest(ORDER) != request_digest(replace(ORDER, order_id="p"))


@pytest.mark.parametrize(
    "other",
    [
        lambda: replace(ORDER, client_id="bob"),
        lambda: replace(ORDER, instrument="ETH-USD"),
        lambda: replace(ORDER, side="sell"),
        lambda: replace(ORDER, type="market", price=0),
        lambda: replace(ORDER, price=101),
        lambda: replace(ORDER, quantity=6),
        lambda: replace(ORDER, time_in_force="ioc"),
        lambda: replace(ORDER, post_only=True),
        lambda: replace(ORDER, self_trade_prevention="decrement"),
        lambda: CancelOrder("o", "ann"),
        lambda: AmendOrder("o", 100, 5, "ann"),
    ],
)
def test_digest_sees_everything_that_is_asked_for(
    other: Callable[[], PlaceOrder | CancelOrder | AmendOrder],
) -> None:
    assert request_digest(ORDER) != request_digest(other())


def test_digests_are_pinned_as_they_stand_in_logs() -> None:
    made = idempotency("ann", "abc-123", ORDER)
    assert (made.key.hex(), made.request.hex()) == (
        "2d76fc0a8088ef6f4fb68c0d9840e2b1",
        "69e622b709c9e6125950f1b17914284e",
    )
