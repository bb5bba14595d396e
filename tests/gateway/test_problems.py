"""The rule: numbers and names of problems are for ever; this list only grows."""

import json

from tradeclear.gateway.decode import RequestRefused
from tradeclear.gateway.problems import KINDS, OVERLOADED, UNKNOWN_ROUTE, problem
from tradeclear.gateway.refusals import refusal
from tradeclear.model import errors

KNOWN = {
    201: ("duplicate_order_id", 409),
    202: ("unknown_order", 404),
    203: ("order_closed", 409),
    204: ("quantity_not_above_filled", 409),
    205: ("amend_would_cross", 409),
    206: ("unknown_instrument", 409),
    208: ("outside_limits", 409),
    1001: ("malformed_body", 400),
    1002: ("invalid_field", 400),
    1003: ("malformed_request", 400),
    1004: ("unknown_route", 404),
    1005: ("method_not_allowed", 405),
    1006: ("aged_out", 404),
    1007: ("request_timeout", 408),
    1008: ("body_too_large", 413),
    1009: ("headers_too_large", 431),
    1010: ("key_reused", 422),
    1011: ("quarantined", 422),
    1012: ("rate_limited", 429),
    1013: ("overloaded", 503),
    1014: ("stopping", 503),
    1015: ("outcome_unknown", 503),
    1016: ("not_ready", 503),
    1017: ("snapshot_failed", 503),
    1018: ("internal_error", 503),
}


def test_numbers_names_and_statuses_stay() -> None:
    found = {code: (kind.name, kind.status) for code, kind in KINDS.items()}
    assert {code: found.get(code) for code in KNOWN} == KNOWN


def test_codes_and_names_are_unique_and_no_5xx_but_503() -> None:
    assert len({kind.name for kind in KINDS.values()}) == len(KINDS)
    assert {kind.status for kind in KINDS.values() if kind.status >= 500} == {503}


def test_only_what_applies_is_told() -> None:
    reply = problem(UNKNOWN_ROUTE, "no")
    assert json.loads(reply.body) == {
        "type": "urn:tradeclear:problem:unknown_route",
        "title": "There is no such route",
        "status": 404,
        "detail": "no",
        "code": 1004,
        "name": "unknown_route",
    }
    assert (reply.headers, reply.content_type) == ((), "application/problem+json")


def test_retry_after_is_in_whole_seconds_and_at_least_one() -> None:
    for seconds, told in ((0.001, "1"), (1.0, "1"), (1.2, "2")):
        reply = problem(OVERLOADED, "x", retry_after_s=seconds)
        assert reply.headers == (("Retry-After", told),)


def test_every_error_of_the_model_has_its_problem() -> None:
    samples = [
        errors.InvalidField("price", "is wrong"),
        errors.Overloaded(2.5),
        errors.Stopping("s"),
        errors.OutcomeUnknown(),
        errors.KeyReused(7),
        errors.Quarantined("abcd"),
        errors.AgedOut("a"),
        RequestRefused(UNKNOWN_ROUTE, "u", field="f"),
    ]
    names = [json.loads(refusal(error).body)["name"] for error in samples]
    assert names == [
        "invalid_field",
        "overloaded",
        "stopping",
        "outcome_unknown",
        "key_reused",
        "quarantined",
        "aged_out",
        "unknown_route",
    ]
    kinds = {type(sample) for sample in samples}
    untold = {
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.TradeclearError)
    }
    assert untold - kinds == {errors.TradeclearError}
    assert all(json.loads(refusal(error).body)["detail"] for error in samples)
