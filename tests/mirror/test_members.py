"""The rule: a member tells its level exactly, and no two levels of a side share one."""

import pytest

from tradeclear.mirror.members import depth_json, level, member, scored
from tradeclear.pipeline.book_image import BookImage, BookLevel


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (BookLevel("70150.51", "0.25", 3), "70150.51:0.25:3"),
        (BookLevel("0.00000001", "1000000"), "0.00000001:1000000"),
    ],
)
def test_a_level_and_its_member(one: BookLevel, text: str) -> None:
    assert (member(one), level(text)) == (text, one)


@pytest.mark.parametrize("text", ["", "1", "1:2:3:4", "1:2:x"])
def test_what_is_no_member_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        level(text)


def test_scores_are_the_prices_as_displayed_and_negative_for_bids() -> None:
    levels = [BookLevel("70150.51", "0.25", 3), BookLevel("70150.5", "0.25", 1)]
    assert scored(levels, bids=True) == [
        *("-70150.51", "70150.51:0.25:3"),
        *("-70150.5", "70150.5:0.25:1"),
    ]
    assert scored(levels[:1], bids=False) == ["70150.51", "70150.51:0.25:3"]


def test_the_published_depth_has_the_digits_of_the_levels() -> None:
    bids = [BookLevel(str(100 - number), "0.10000", 1) for number in range(3)]
    image = BookImage(bids=bids, asks=[])
    assert depth_json(image, 2) == '{"bids":[[100,0.10000],[99,0.10000]],"asks":[]}'
