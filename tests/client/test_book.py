"""The rule: a book is its levels, whatever happened in which order."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tradeclear.client.book import Book, Ladder
from tradeclear.client.level import Level
from tradeclear.client.messages import DepthSnapshot, DepthUpdate

PRICES = st.integers(1, 30).map(lambda ticks: Decimal(ticks) / 100)
CHANGES = st.lists(
    st.builds(
        lambda price, quantity: Level(price, Decimal(quantity), quantity),
        PRICES,
        st.integers(0, 3),
    ),
    max_size=60,
)


def level(price: str, quantity: str, orders: int = 1) -> Level:
    return Level(Decimal(price), Decimal(quantity), orders)


@given(begin=CHANGES, changes=CHANGES, highest=st.booleans(), count=st.integers(0, 40))
def test_a_ladder_is_a_sorted_table(
    begin: list[Level], changes: list[Level], highest: bool, count: int
) -> None:
    table = {one.price: one for one in begin if one.quantity}
    ladder = Ladder(best_is_highest=highest)
    ladder.add(table.values())
    for change in changes:
        ladder.set(change)
        table[change.price] = change
        if not change.quantity:
            del table[change.price]
    expected = tuple(table[price] for price in sorted(table, reverse=highest))
    assert ladder.top(count) == expected[:count]
    assert ladder.best == (expected[0] if expected else None)
    assert len(ladder) == len(expected)


def snapshot(part: int, parts: int, bids: list[Level], asks: list[Level]) -> DepthSnapshot:
    return DepthSnapshot(
        instrument="X",
        sequence=7,
        part=part,
        parts=parts,
        complete=False,
        bids=tuple(bids),
        asks=tuple(asks),
    )


def test_a_book_of_several_parts_and_a_change() -> None:
    book = Book()
    book.add_part(snapshot(1, 2, [level("2", "1"), level("1", "1")], []))
    book.add_part(snapshot(2, 2, [level("0.5", "1")], [level("3", "1")]))
    assert (book.sequence, book.complete, len(book.bids), len(book.asks)) == (7, False, 3, 1)
    book.apply(
        DepthUpdate(
            instrument="X",
            sequence=9,
            previous_sequence=7,
            timestamp=datetime(2025, 1, 31, tzinfo=UTC),
            bids=(level("2", "0", 0), level("1.0", "5")),
            asks=(level("2.5", "1"),),
        )
    )
    assert book.sequence == 9
    assert book.bids.top(9) == (level("1", "5"), level("0.5", "1"))
    assert book.asks.best == level("2.5", "1")
    book.move_to(12)
    book.move_to(11)
    assert book.sequence == 12
