"""The rule: whatever follows from the description, or breaks it, gets an answer that it describes.

Schemathesis draws requests from `/openapi.json`, proper and improper ones, and each answer must
have a described status and content type and fit its schema, at both doors. TRADECLEAR_TEST_SEED
picks other requests, TRADECLEAR_SCHEMATHESIS_EXAMPLES how many of each kind a route.
"""

import json
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import trio
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tradeclear.testing.server import NO_RATE_LIMITS, Server, running_server

SEED = int(os.environ.get("TRADECLEAR_TEST_SEED", "20260101"))
EXAMPLES = int(os.environ.get("TRADECLEAR_SCHEMATHESIS_EXAMPLES", "8"))
TIMEOUT_S = 10

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SEEN_LEAST = 25
"""So many kinds of answers, route and status, or the requests have become too dull."""


@pytest.fixture(params=["front door", "no front door"])
async def server(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Server]:
    """A server without rate limits."""
    front_door = "true" if request.param == "front door" else "false"
    environment = {**NO_RATE_LIMITS, "TRADECLEAR_FRONT_DOOR": front_door}
    async with running_server(tmp_path / "server", environment=environment) as running:
        yield running


def exercise(document: Any, url: str) -> set[tuple[str, int]]:
    """Send to every route what `document` allows and what it forbids. Returns the answers."""
    answers: set[tuple[str, int]] = set()
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = found.ok()
        for mode in GenerationMode:
            send(operation, mode, url, answers)
    return answers


def send(operation: Any, mode: GenerationMode, url: str, answers: set[tuple[str, int]]) -> None:
    """Send one route's requests, of one mode; there is nothing to break where nothing is taken."""

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def each(case: Case) -> None:
        response = case.call(base_url=url, timeout=TIMEOUT_S)
        answers.add((operation.label, response.status_code))
        case.validate_response(response, checks=CHECKS)

    try:
        each()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "no request follows from the description"


async def described(server: Server) -> Any:
    async with await server.connect() as connection:
        return json.loads((await connection.request("GET", "/openapi.json")).body)


async def test_answers_are_as_described(server: Server) -> None:
    print(f"seed {SEED}: TRADECLEAR_TEST_SEED")  # noqa: T201
    document = await described(server)
    answers = await trio.to_thread.run_sync(exercise, document, server.url)
    assert {status for _, status in answers} >= {200, 201, 400, 404}
    assert len(answers) >= SEEN_LEAST
    assert not [mark for mark in (b"Traceback", b"request_failed") if mark in server.said()]


async def test_what_is_not_described_is_found(server: Server) -> None:
    document = await described(server)
    route = {"/orders/{order_id}": {"get": document["paths"]["/orders/{order_id}"]["get"]}}
    del route["/orders/{order_id}"]["get"]["responses"]["404"]
    with pytest.raises(FailureGroup, match="Undocumented status code"):
        await trio.to_thread.run_sync(exercise, {**document, "paths": route}, server.url)
