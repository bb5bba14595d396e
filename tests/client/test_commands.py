"""The rule: a command is written as it was meant, digit by digit."""

from decimal import Decimal

from tradeclear.client.commands import Amend, Cancel, Place, encode, new_key


def test_a_limit_order() -> None:
    command = Place(
        client_id="a",
        side="buy",
        quantity=Decimal("0.10"),
        price=Decimal("1234567890.12345678"),
        idempotency_key="k",
    )
    assert encode(command) == (
        b'{"op":"place","client_id":"a","side":"buy","quantity":0.10,"idempotency_key":"k",'
        b'"price":1234567890.12345678}'
    )


def test_a_cancel() -> None:
    assert (
        encode(Cancel(order_id="o", idempotency_key="k"))
        == b'{"op":"cancel","order_id":"o","idempotency_key":"k"}'
    )


def test_an_amend_names_its_order_and_its_terms_do_not() -> None:
    command = Amend(order_id="o", idempotency_key="k", client_id="a", price=Decimal(7))
    terms = b'"idempotency_key":"k","client_id":"a","price":7'
    assert encode(command.terms()) == b"{%b}" % terms
    assert encode(command) == b'{"op":"amend",%b,"order_id":"o"}' % terms


def test_keys_differ() -> None:
    assert len({new_key() for _ in range(1000)}) == 1000
