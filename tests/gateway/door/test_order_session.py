"""The rule: commands are begun in order, so many at a time, and each is answered once."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tradeclear.gateway.order_session import TURN_COMMANDS_MAX, UNDER_WAY_MAX, OrderSession


class Messages:
    """Begins what it is given, and answers when the test says so. An amend has to be alone."""

    def __init__(self) -> None:
        self.begun: list[bytes] = []
        self._tell: dict[bytes, Callable[[bytes], None]] = {}
        self.at_once = False

    def begin(self, text: bytes, address: str, tell: Any, *, alone: bool) -> Any:
        assert address == "here"
        if text.startswith(b"amend") and not alone:
            return partial(self._begin, text, tell)
        self._begin(text, tell)
        return None

    def _begin(self, text: bytes, tell: Any) -> None:
        self.begun.append(text)
        self._tell[text] = tell
        if self.at_once:
            self.answer(text)

    def split(self, text: bytes, address: str, tell: Any) -> list[bytes] | None:
        if text == b"[":
            tell(b"no array")
            return None
        return text[1:-1].split(b",") if text != b"[]" else []

    def answer(self, *texts: bytes) -> None:
        for text in texts:
            self._tell.pop(text)(b"re " + text)


class Talk:
    def __init__(self) -> None:
        self.messages = Messages()
        self.sent: list[bytes] = []
        self.session = OrderSession(self.messages, "here", self.sent.append)  # type: ignore[arg-type]


@pytest.fixture
def talk() -> Talk:
    return Talk()


def numbers(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def array(texts: list[bytes]) -> bytes:
    return b"[%b]" % b",".join(texts)


def test_a_command(talk: Talk) -> None:
    assert talk.session.take(b"a")
    assert talk.session.under_way == 1
    talk.messages.answer(b"a")
    assert (talk.session.under_way, talk.sent) == (0, [b"re a"])


def test_an_array_in_turns(talk: Talk) -> None:
    texts = numbers(TURN_COMMANDS_MAX * 2 + 1)
    assert talk.session.take(b"\n " + array(texts).strip()) is True
    assert len(talk.messages.begun) == TURN_COMMANDS_MAX - 1
    rounds = 0
    while not talk.session.room:
        talk.session.go_on()
        rounds += 1
    assert rounds <= 3
    assert len(talk.messages.begun) == len(texts)


def test_no_array_and_an_empty_one(talk: Talk) -> None:
    talk.session.take(b"[")
    assert (talk.session.under_way, talk.sent) == (0, [b"no array"])
    talk.session.take(b"[]")
    assert (talk.session.under_way, talk.session.room) == (0, True)


def test_many_messages_share_a_turn(talk: Talk) -> None:
    taken = 0
    while talk.session.room:
        talk.session.take(array([b"%d" % (taken + offset) for offset in range(10)]))
        taken += 10
    assert len(talk.messages.begun) <= TURN_COMMANDS_MAX
    assert not talk.session.blocked
    talk.session.go_on()
    assert talk.session.room
    assert talk.messages.begun == numbers(taken)


def test_messages_of_nothing_have_their_turn_too(talk: Talk) -> None:
    for _ in range(TURN_COMMANDS_MAX):
        assert talk.session.room
        talk.session.take(b"[]")
    assert not talk.session.room
    talk.session.go_on()
    assert talk.session.room


@pytest.mark.parametrize("text", [b"\xff", b'{"a":"\xc3"}', b"[\xff]"])
def test_what_is_not_utf8(talk: Talk, text: bytes) -> None:
    assert not talk.session.take(text)
    assert talk.messages.begun == []


def test_so_many_and_no_more(talk: Talk) -> None:
    texts = numbers(UNDER_WAY_MAX + 500)
    for at in range(0, len(texts), 500):
        while not talk.session.room and not talk.session.blocked:
            talk.session.go_on()
        if not talk.session.room:
            break
        talk.session.take(array(texts[at : at + 500]))
    for _ in range(100):
        talk.session.go_on()
    assert talk.session.under_way == len(talk.messages.begun) == UNDER_WAY_MAX
    assert talk.session.blocked
    assert not talk.session.room
    talk.messages.answer(texts[7])
    assert not talk.session.blocked
    talk.session.go_on()
    assert talk.messages.begun == texts[: UNDER_WAY_MAX + 1]


def test_one_that_must_be_alone_holds_back_the_rest(talk: Talk) -> None:
    talk.session.take(array([b"a", b"b", b"amend", b"c"]))
    assert talk.messages.begun == [b"a", b"b"]
    assert talk.session.blocked
    talk.messages.answer(b"b")
    talk.session.go_on()
    assert talk.messages.begun == [b"a", b"b"]
    talk.messages.answer(b"a")
    assert not talk.session.blocked
    assert not talk.session.room
    talk.session.go_on()
    assert talk.messages.begun == [b"a", b"b", b"amend", b"c"]
    talk.messages.answer(b"amend", b"c")
    assert talk.session.under_way == 0
    assert talk.session.room


def test_one_alone_need_not_wait(talk: Talk) -> None:
    talk.session.take(b"amend")
    assert talk.messages.begun == [b"amend"]
    assert talk.session.room


def test_answers_at_once(talk: Talk) -> None:
    talk.messages.at_once = True
    talk.session.take(array([b"a", b"amend", b"b"]))
    assert talk.sent == [b"re a", b"re amend", b"re b"]
    assert talk.session.under_way == 0
    assert talk.session.room
