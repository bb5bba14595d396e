"""A place in the log is a seq or an RFC 3339 time with its zone, nothing that looks like one."""

import pytest
import typer

from tradeclear.cli.moments import Moment, parse_moment, parse_target


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("4711", Moment(seq=4711)),
        ("0", Moment(seq=0)),
        ("-20", Moment(seq=-20)),
        ("1970-01-01T00:00:00Z", Moment(time=0)),
        ("2023-11-14T22:13:20Z", Moment(time=1_700_000_000_000_000)),
        ("2023-11-14T22:13:20.000001Z", Moment(time=1_700_000_000_000_001)),
        ("2023-11-14T23:13:20.5+01:00", Moment(time=1_700_000_000_500_000)),
    ],
)
def test_seqs_and_times(text: str, moment: Moment) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "1e3", "\uff11", "--1", "9" * 20, "12:00"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"neither a sequence number \(4711\) nor a time"):
        parse_moment(text)


@pytest.mark.parametrize("text", ["2023-11-14T22:13:20", "2023-11-14"])
def test_a_time_without_its_zone_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="needs its zone"):
        parse_moment(text)


def test_a_target_is_not_counted_from_the_end() -> None:
    assert parse_target("7") == Moment(seq=7)
    with pytest.raises(typer.BadParameter, match="numbered from 1"):
        parse_target("-1")
