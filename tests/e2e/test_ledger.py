"""The rule: the ledger predicts every order from the replies, and names whatever is otherwise."""

from decimal import Decimal
from typing import Any

import pytest

from tradeclear.testing.ledger import Answer, Finding, Ledger, Sent, average_price

Json = dict[str, Any]


def order(order_id: str, sequence: int, **changed: Any) -> Json:
    return {
        "order_id": order_id,
        "client_id": "a",
        "side": "sell",
        "quantity": 10,
        "filled_quantity": 0,
        "remaining_quantity": 10,
        "average_price": None,
        "status": "open",
        "closed": False,
        "sequence": sequence,
        "updated_sequence": sequence,
        "updated_at": f"t{sequence}",
        **changed,
    }


def trade(trade_id: int, sequence: int, quantity: Any, price: Any = 100) -> Json:
    return {
        "trade_id": trade_id,
        "buy_order_id": f"taker-{sequence}",
        "sell_order_id": "maker",
        "maker_order_id": "maker",
        "price": price,
        "quantity": quantity,
        "timestamp": f"t{sequence}",
        "sequence": sequence,
    }


def encoded(value: Any) -> bytes:
    text = str(value).replace("'", '"')
    return text.replace("None", "null").replace("True", "true").replace("False", "false").encode()


def reply(ledger: Ledger, key: str, told: Json, status: int = 201) -> list[Finding]:
    sent = ledger.send(Sent(key, "a", "POST", "/orders", b"{}"))
    return ledger.acknowledge(sent, Answer(status, encoded(told)))


TAKEN_3 = order(
    "taker-2", 2, client_id="b", side="buy", quantity=3, filled_quantity=3, remaining_quantity=0,
    average_price=100, status="filled", closed=True,
)  # fmt: skip
MAKER_AFTER = order(
    "maker", 1, filled_quantity=3, remaining_quantity=7, average_price=100,
    status="partially_filled", updated_sequence=2, updated_at="t2",
)  # fmt: skip


@pytest.fixture
def ledger() -> Ledger:
    """A maker of 10, of which a taker has bought 3; the log had one record before."""
    ledger = Ledger(0)
    assert reply(ledger, "k1", {"order": order("maker", 1), "trades": []}) == []
    assert reply(ledger, "k2", {"order": TAKEN_3, "trades": [trade(1, 2, 3)]}) == []
    return ledger


def kinds(findings: list[Finding]) -> list[str]:
    return [finding.kind for finding in findings]


def test_maker_is_predicted_from_the_takers_reply(ledger: Ledger) -> None:
    assert ledger.check_order("maker", MAKER_AFTER) == []
    assert ledger.check_order("taker-2", TAKEN_3) == []


def test_command_of_its_own_after_a_trade_counts(ledger: Ledger) -> None:
    cancelled = {**MAKER_AFTER, "status": "cancelled", "closed": True, "updated_sequence": 3}
    assert reply(ledger, "k3", {"order": cancelled}, 200) == []
    assert ledger.check_order("maker", cancelled) == []
    assert kinds(ledger.check_order("maker", MAKER_AFTER)) == ["differing"]


def test_cancel_all_closes_what_it_names(ledger: Ledger) -> None:
    swept = {**MAKER_AFTER, "status": "cancelled", "closed": True, "updated_sequence": 3}
    assert reply(ledger, "k3", {"order_ids": ["maker"]}, 200) == []
    assert ledger.check_order("maker", {**swept, "updated_at": "t3"}) == []
    assert kinds(ledger.check_order("maker", {**swept, "remaining_quantity": 8})) == ["differing"]
    assert kinds(ledger.check_order("maker", MAKER_AFTER)) == ["differing"]


def test_replies_may_come_in_any_order(ledger: Ledger) -> None:
    late = Ledger(0)
    reply(late, "k2", {"order": TAKEN_3, "trades": [trade(1, 2, 3)]})
    reply(late, "k1", {"order": order("maker", 1), "trades": []})
    assert late.expected("maker") == ledger.expected("maker")


@pytest.mark.parametrize(
    ("shown", "kind"),
    [
        (None, "lost"),
        (order("maker", 1), "differing"),
        ({**MAKER_AFTER, "remaining_quantity": 6}, "differing"),
        ({**MAKER_AFTER, "updated_at": "t3"}, "differing"),
        ({**MAKER_AFTER, "surprise": 1}, "differing"),
    ],
)
def test_wrong_order_is_found(ledger: Ledger, shown: Json | None, kind: str) -> None:
    assert kinds(ledger.check_order("maker", shown)) == [kind]


def test_listing(ledger: Ledger) -> None:
    phantom = order("phantom", 5)
    assert ledger.check_listing(["a"], [MAKER_AFTER]) == []
    assert ledger.check_listing(["a", "b"], [MAKER_AFTER, TAKEN_3]) == []
    assert kinds(ledger.check_listing(["a", "b"], [MAKER_AFTER])) == ["lost"]
    assert kinds(ledger.check_listing(["a"], [MAKER_AFTER, MAKER_AFTER])) == ["doubled"]
    assert kinds(ledger.check_listing(["a"], [MAKER_AFTER, phantom])) == ["doubled"]


def test_trades(ledger: Ledger) -> None:
    told = trade(1, 2, 3)
    assert ledger.check_trades([told]) == []
    assert kinds(ledger.check_trades([])) == ["lost"]
    assert kinds(ledger.check_trades([told, told])) == ["doubled"]
    assert kinds(ledger.check_trades([told, trade(2, 3, 1)])) == ["doubled"]
    assert kinds(ledger.check_trades([trade(1, 2, 4)])) == ["differing"]


def test_trade_that_was_told_of_twice_is_found(ledger: Ledger) -> None:
    again = {"order": {**TAKEN_3, "order_id": "taker-3"}, "trades": [trade(1, 2, 3)]}
    assert kinds(reply(ledger, "k3", again)) == ["doubled"]


@pytest.mark.parametrize(("last", "kinds_found"), [(2, []), (1, ["lost"]), (3, ["doubled"])])
def test_sequence(ledger: Ledger, last: int, kinds_found: list[str]) -> None:
    assert kinds(ledger.check_sequence(last)) == kinds_found


def test_refusals_before_the_matcher_have_no_record(ledger: Ledger) -> None:
    reply(ledger, "k3", {"status": 409}, 409)
    reply(ledger, "k4", {"status": 400}, 400)
    assert ledger.check_sequence(3) == []


def test_server_error_is_a_finding(ledger: Ledger) -> None:
    assert kinds(reply(ledger, "k3", {"status": 500}, 500)) == ["differing"]


def test_sums(ledger: Ledger) -> None:
    assert ledger.check_sums({"maker": MAKER_AFTER, "taker-2": TAKEN_3}) == []
    assert kinds(ledger.check_sums({"maker": MAKER_AFTER})) == ["differing"]
    overfilled = {**MAKER_AFTER, "remaining_quantity": -1}
    assert kinds(ledger.check_sums({"maker": overfilled, "taker-2": TAKEN_3})) == ["differing"]


def test_repeats(ledger: Ledger) -> None:
    sent = ledger.sent[0]
    assert sent.answer is not None
    assert ledger.check_repeat(sent, sent.answer, replayed=True) == []
    assert kinds(ledger.check_repeat(sent, sent.answer, replayed=False)) == ["lost"]
    other = Answer(sent.answer.status, sent.answer.body + b" ")
    assert kinds(ledger.check_repeat(sent, other, replayed=True)) == ["differing"]


def test_average_price_is_rounded_half_even() -> None:
    thirds = [trade(1, 1, 1, Decimal("1")), trade(2, 2, 2, Decimal("1.5"))]
    assert average_price(thirds) == Decimal("1.33333333")
    half = [trade(1, 1, Decimal("1"), Decimal("0.00000001")), trade(2, 2, 1, 0)]
    assert average_price(half) == Decimal("0")
