"""A message, made once, in the form in which each kind of carrier sends it."""

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec import Struct

from tradeclear.gateway.door.frames import TEXT, frame
from tradeclear.model.units import Seq


class Message(Struct, gc=False):
    """A JSON text; `sequence` 0 if it tells of no command. `frame`: made when first needed."""

    text: bytes
    sequence: Seq = 0
    frame: bytes = b""

    def framed(self) -> bytes:
        """The WebSocket frame, without compression: the same for every subscriber."""
        if not self.frame:
            self.frame = frame(TEXT, self.text)
        return self.frame


class Encoding(Protocol):
    """How messages are joined to the bytes that a carrier sends."""

    def __call__(
        self, messages: Sequence[Message], position: Seq = 0, *, steps: bool = True
    ) -> bytes:
        """The bytes of `messages`.

        `position`: when they have been sent, everything up to there has been; 0: that can't be
        said. `steps`: the same is true after each for its own sequence.
        """


def frames(messages: Sequence[Message], position: Seq = 0, *, steps: bool = True) -> bytes:
    """WebSocket frames, one after the other."""
    if len(messages) == 1:
        return messages[0].framed()
    return b"".join([message.framed() for message in messages])


def lines(messages: Sequence[Message], position: Seq = 0, *, steps: bool = True) -> bytes:
    """Texts, a line each, for a carrier that makes its own frames."""
    return b"".join([message.text + b"\n" for message in messages])


def events(messages: Sequence[Message], position: Seq = 0, *, steps: bool = True) -> bytes:
    """Server-Sent Events, with an `id` wherever a reader may come back to."""
    told: list[bytes] = []
    last = len(messages) - 1
    for number, message in enumerate(messages):
        if position and number == last:
            told.append(b"id: %d\n" % position)
        elif position and steps and messages[number + 1].sequence != message.sequence:
            told.append(b"id: %d\n" % message.sequence)
        told.append(b"data: %b\n\n" % message.text)
    return b"".join(told)


COMMENT: Final = b": still here\n\n"
"""A Server-Sent Event that is none."""
