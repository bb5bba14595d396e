"""The rule: the same messages for every carrier, made once, in its own form."""

from tradeclear.gateway.door.frames import frame
from tradeclear.gateway.streams.message import Message, events, frames, lines

ONE, TWO, THREE = Message(b"{1}", 5), Message(b"{2}", 5), Message(b"{3}", 6)


def test_a_frame_is_made_once() -> None:
    message = Message(b"{}", 1)
    assert message.framed() is message.framed()
    assert frames([message]) is message.framed()


def test_frames_one_after_the_other() -> None:
    assert frames([ONE, TWO]) == frame(1, b"{1}") + frame(1, b"{2}")


def test_lines() -> None:
    assert lines([ONE, TWO]) == b"{1}\n{2}\n"


def test_events_are_numbered_where_everything_is_told() -> None:
    """Not between two updates of one command: the second would be lost."""
    assert events([ONE, TWO, THREE], 8) == (
        b"data: {1}\n\nid: 5\ndata: {2}\n\nid: 8\ndata: {3}\n\n"
    )


def test_events_without_steps_are_numbered_at_the_end() -> None:
    assert events([ONE, THREE], 8, steps=False) == b"data: {1}\n\nid: 8\ndata: {3}\n\n"


def test_events_without_a_position_are_not_numbered() -> None:
    assert events([ONE, THREE]) == b"data: {1}\n\ndata: {3}\n\n"
