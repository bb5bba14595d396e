"""Faults to order: what goes wrong, when, and how often."""

from collections.abc import Iterator
from typing import Annotated, Final, Literal, get_args

import msgspec
from msgspec import Meta, Struct

FAULTS_MAX: Final = 1_000

FaultKind = Literal[
    "drop",
    "gap",
    "duplicate",
    "reorder",
    "garbage",
    "delay",
    "half_open",
    "disconnect",
    "outage",
    "status",
    "slow",
]
"""On messages: `drop` loses any, `gap` depth diffs; `duplicate` sends a depth diff twice, `reorder`
after the next one; `garbage` puts frames between that are none; `delay` holds all back.
On connections: `half_open` leaves those there are open and silent for ever, `disconnect` closes
them, `outage` breaks them and lets nobody in. On REST: `status` answers with that, `slow` late."""

AT_ONCE: Final = frozenset({"half_open", "disconnect", "outage"})

Seconds = Annotated[float, Meta(ge=0, le=86_400)]


class FaultUnreadable(ValueError):
    """The order for a fault can't be understood; the text says how it should be."""


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From `at_s` seconds on (after it was ordered), `count` times, or all the time for `for_s`."""

    kind: FaultKind
    at_s: Seconds = 0
    for_s: Seconds = 0
    count: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    delay_s: Seconds = 1
    status: Annotated[int, Meta(ge=400, le=599)] = 503
    retry_after_s: Annotated[int, Meta(ge=0, le=86_400)] | None = None


def parse_fault(text: str) -> Fault:
    """A fault from `gap,at_s=5,count=3`; `429`, `418`, `5xx` are short for `status`.

    Raises `FaultUnreadable`.
    """
    kind, *options = text.split(",")
    values: dict[str, str] = dict(option.partition("=")[::2] for option in options)
    if kind == "5xx":
        kind = "503"
    if kind.isdigit():
        values["status"], kind = kind, "status"
    try:
        return msgspec.convert({"kind": kind, **values}, Fault, strict=False)
    except msgspec.ValidationError as error:
        raise FaultUnreadable(
            f"{text!r}: {error}; a fault is KIND[,NAME=VALUE…] with KIND one of "
            f"{', '.join(get_args(FaultKind))}, 429, 418, 5xx, and NAME one of "
            f"{', '.join(Fault.__struct_fields__[1:])}"
        ) from None


class _Ordered:
    """A fault, from when on it holds, and how often it is still to happen."""

    def __init__(self, fault: Fault, now: float) -> None:
        self.fault: Final = fault
        self.begins: Final = now + fault.at_s
        self.ends: Final = self.begins + fault.for_s
        self.left = fault.count

    def over(self, now: float) -> bool:
        return now >= self.ends if self.fault.for_s else not self.left

    def happens(self, now: float) -> bool:
        return now >= self.begins and not self.over(now)


class Faults:
    """What was ordered. Times are those of the caller's clock."""

    def __init__(self) -> None:
        self._ordered: list[_Ordered] = []
        self.happened: Final[dict[str, int]] = {}
        """How often each kind happened."""

    def order(self, fault: Fault, now: float) -> None:
        """Have `fault` happen. Raises `FaultUnreadable` if too many are still to come."""
        self._ordered = [one for one in self._ordered if not one.over(now)]
        if len(self._ordered) >= FAULTS_MAX:
            raise FaultUnreadable(f"at most {FAULTS_MAX} faults at a time")
        self._ordered.append(_Ordered(fault, now))

    def clear(self) -> None:
        """All is well from now on."""
        self._ordered.clear()

    def to_come(self, now: float) -> list[Fault]:
        """Those that are not over."""
        return [one.fault for one in self._ordered if not one.over(now)]

    def take(self, kind: FaultKind, now: float) -> Fault | None:
        """The fault of `kind` that happens now, once; None if there is none."""
        return next(self.take_all(kind, now), None)

    def take_all(self, kind: FaultKind, now: float) -> Iterator[Fault]:
        """As often as it is to happen now. During `for_s` that is without end."""
        for one in self._ordered:
            while one.fault.kind == kind and one.happens(now):
                one.left -= 1
                self.happened[kind] = self.happened.get(kind, 0) + 1
                yield one.fault

    def lasting(self, kind: FaultKind, now: float) -> Fault | None:
        """A fault of `kind` whose `for_s` is running."""
        for one in self._ordered:
            if one.fault.kind == kind and one.fault.for_s and one.happens(now):
                return one.fault
        return None
