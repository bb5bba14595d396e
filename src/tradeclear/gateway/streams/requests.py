"""What a subscriber may ask for, and what is said when it can't be had."""

from typing import Final

import msgspec
from msgspec import Struct

from tradeclear.gateway.decode import RequestRefused, reader
from tradeclear.gateway.fields import check_id
from tradeclear.gateway.orders import Instruments, find_instrument
from tradeclear.gateway.problems import MALFORMED_BODY
from tradeclear.gateway.streams.catching_up import Id, Start
from tradeclear.gateway.streams.topic import CHANNELS, INTERVALS_MS, Channel, Topic
from tradeclear.model.errors import InvalidField

OPS: Final = ("subscribe", "unsubscribe", "list")
ID_CHARS_MAX: Final = 64
SEQUENCE_MAX: Final = 2**63 - 1


class StreamRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Any message of a subscriber."""

    op: str
    id: int | str | None = None
    channels: list[str] | None = None
    instrument: str | None = None
    client_id: str | None = None
    from_sequence: int | None = None
    interval_ms: int | None = None


class _Id(Struct):
    id: int | str | None = None


_read: Final = reader(StreamRequest)
_read_id: Final = msgspec.json.Decoder(_Id).decode


def read_request(text: bytes) -> StreamRequest:
    """A subscriber's message. Raises `InvalidField` or `RequestRefused`."""
    try:
        request = _read(text)
    except RequestRefused as error:
        if error.detail == "the body is not what this route takes":
            raise RequestRefused(MALFORMED_BODY, "the message is not what /stream takes") from None
        raise
    if request.op not in OPS:
        raise InvalidField("op", f"must be one of {list(OPS)}")
    check_number(request.id)
    return request


def check_number(number: Id) -> Id:
    """An `id`, if it can be sent back. Raises `InvalidField`."""
    if isinstance(number, str) and len(number) > ID_CHARS_MAX:
        raise InvalidField(
            "id", f"must be a whole number or a string of at most {ID_CHARS_MAX} characters"
        )
    return number


def sender(text: bytes) -> Id:
    """The `id` of a message that could not be read otherwise; None if it has none."""
    try:
        return check_number(_read_id(text).id)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidField):
        return None


def start(request: StreamRequest, instruments: Instruments) -> Start:
    """What a `subscribe` begins. Raises `InvalidField`."""
    if not request.channels:
        raise InvalidField("channels", f"must name one or more of {list(CHANNELS)}")
    return make_start(
        channels=request.channels,
        names=[request.instrument],
        client_id=request.client_id,
        from_sequence=request.from_sequence,
        interval_ms=request.interval_ms,
        id=request.id,
        instruments=instruments,
    )


def make_start(
    *,
    channels: list[str],
    names: list[str | None],
    client_id: str | None,
    from_sequence: int | None,
    interval_ms: int | None,
    instruments: Instruments,
    id: Id = None,
) -> Start:
    """The same from its parts; a name of None stands for the first instrument."""
    asked = checked_channels(channels)
    if "orders" in asked:
        if client_id is None:
            raise InvalidField("client_id", "is needed for the channel orders")
        check_id("client_id", client_id)
    elif client_id is not None:
        raise InvalidField("client_id", "is only for the channel orders, which is not asked for")
    if from_sequence is not None and not 0 <= from_sequence <= SEQUENCE_MAX:
        raise InvalidField("from_sequence", "must be a whole number from 0 on")
    if interval_ms is not None:
        if interval_ms not in INTERVALS_MS:
            raise InvalidField("interval_ms", f"must be one of {list(INTERVALS_MS)}")
        if "orderbook_deltas" not in asked:
            raise InvalidField("interval_ms", "is only for the channel orderbook_deltas")
    topics = [
        _topic(channel, find_instrument(instruments, name).name, client_id, interval_ms)
        for name in names
        for channel in asked
    ]
    return Start(
        topics=list(dict.fromkeys(topics)), asked=asked, from_sequence=from_sequence, id=id
    )


def checked_channels(channels: list[str]) -> tuple[Channel, ...]:
    """Each channel once. Raises `InvalidField`."""
    if not set(channels) <= set(CHANNELS):
        raise InvalidField("channels", f"must be one or more of {list(CHANNELS)}")
    return tuple(dict.fromkeys(channels))  # type: ignore[arg-type]


def _topic(
    channel: Channel, instrument: str, client_id: str | None, interval_ms: int | None
) -> Topic:
    if channel == "orders":
        return Topic(channel, instrument, client_id or "")
    if channel == "orderbook_deltas":
        return Topic(channel, instrument, "", interval_ms or 0)
    return Topic(channel, instrument)
