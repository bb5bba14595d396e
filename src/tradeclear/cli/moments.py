"""A place in the log as a person names it: a seq, or a time."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import typer
from msgspec import Struct

from tradeclear.model.units import Micros, Seq

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SEQ_DIGITS_MAX: Final = 19


class Moment(Struct, frozen=True):
    """A record (`seq`; -1 is the last one, -2 the one before), a time, or neither: no bound."""

    seq: Seq | None = None
    time: Micros | None = None

    @property
    def named(self) -> bool:
        """Whether it is a bound at all."""
        return self.seq is not None or self.time is not None


OPEN: Final = Moment()


def parse_moment(text: str) -> Moment:
    """Read `4711` or `2026-01-31T08:00:00.5Z`. Raises `typer.BadParameter`."""
    if re.fullmatch(rf"-?[0-9]{{1,{SEQ_DIGITS_MAX}}}", text):
        return Moment(seq=int(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is neither a sequence number (4711) nor a time (2026-01-31T08:00:00.5Z)"
        ) from None
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} needs its zone, as in 2026-01-31T08:00:00Z")
    return Moment(time=(moment - EPOCH) // timedelta(microseconds=1))


def parse_target(text: str) -> Moment:
    """The same, for a place to stop at, which is not counted from the end."""
    moment = parse_moment(text)
    if moment.seq is not None and moment.seq < 0:
        raise typer.BadParameter(f"{text!r}: records are numbered from 1")
    return moment
