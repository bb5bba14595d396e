"""The API's description (OpenAPI 3.1), made from the routes and from the structs that they use."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from tradeclear.gateway.batch import ElementDone
from tradeclear.gateway.fields import ID_PATTERN, KEY_HEADER, KEY_PATTERN
from tradeclear.gateway.problems import (
    BODY_TOO_LARGE,
    HEADERS_TOO_LARGE,
    INTERNAL_ERROR,
    KINDS,
    MALFORMED_REQUEST,
    PROBLEM_JSON,
    RATE_LIMITED,
    REQUEST_TIMEOUT,
    Kind,
    Problem,
)
from tradeclear.gateway.requests import AmendElement, CancelElement
from tradeclear.gateway.routing import Route

EVERYWHERE: Final = (
    MALFORMED_REQUEST,
    REQUEST_TIMEOUT,
    BODY_TOO_LARGE,
    HEADERS_TOO_LARGE,
    INTERNAL_ERROR,
)
"""What any request may be refused for, before it reaches its route."""

_REF: Final = "#/components/schemas/{name}"


def describe(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """The OpenAPI document of `routes`."""
    structs = _structs(routes)
    schemas, components = msgspec.json.schema_components(structs, ref_template=_REF)
    references = dict(zip(structs, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in routes:
        paths[route.path][route.method.lower()] = _operation(route, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tradeclear",
            "version": version,
            "description": (
                "An exchange. Numbers are exact: send them as JSON numbers or as decimal strings. "
                "Errors are `application/problem+json`; see the schema `Problem`."
            ),
        },
        "servers": [{"url": "/"}],
        "paths": dict(paths),
        "components": {"schemas": components},
        "x-problems": [_kind(kind) for kind in KINDS.values()],
    }


def _structs(routes: Iterable[Route]) -> list[Any]:
    """Every struct that is sent or received, each once."""
    named: dict[Any, None] = {Problem: None, CancelElement: None, AmendElement: None}
    named[ElementDone] = None
    for route in routes:
        for struct in (route.body, *route.replies.values()):
            if struct is not None:
                named[struct] = None
    return list(named)


def _operation(route: Route, references: dict[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": _parameters(route),
        "responses": _replies(route, references) | _refusals(route, references[Problem]),
    }
    if route.body is not None:
        operation["requestBody"] = {
            "required": any(field.required for field in msgspec.structs.fields(route.body)),
            "content": {"application/json": {"schema": references[route.body]}},
        }
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {
            "name": part[1:-1],
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^{ID_PATTERN}$"},
        }
        for part in route.path.split("/")
        if part.startswith("{")
    ]
    for parameter in route.parameters:
        parameters.append(
            {
                "name": parameter.name,
                "in": "query",
                "description": parameter.description,
                "required": parameter.required,
                "schema": dict(parameter.schema),
            }
        )
    if route.idempotent:
        parameters.append(
            {
                "name": KEY_HEADER,
                "in": "header",
                "description": "Same key and same request: the first reply again.",
                "required": False,
                "schema": {"type": "string", "pattern": f"^{KEY_PATTERN}$"},
            }
        )
    return parameters


def _replies(route: Route, references: dict[Any, Any]) -> dict[str, Any]:
    replies: dict[str, Any] = {}
    for status, struct in route.replies.items():
        reply: dict[str, Any] = {"description": "Done."}
        if struct is not None:
            reply["content"] = {"application/json": {"schema": references[struct]}}
        if route.idempotent:
            reply["headers"] = {
                "Idempotency-Replayed": {
                    "description": "`true` if this is the answer to an earlier use of the key.",
                    "schema": {"type": "string"},
                }
            }
        replies[str(status)] = reply
    return replies


def _refusals(route: Route, problem: Any) -> dict[str, Any]:
    """Statuses of everything that may be wrong, with the problems' names."""
    by_status: dict[int, list[Kind]] = defaultdict(list)
    limits = (RATE_LIMITED,) if route.limited else ()
    for kind in dict.fromkeys((*route.problems, *limits, *EVERYWHERE)):
        by_status[kind.status].append(kind)
    return {
        str(status): {
            "description": "; ".join(
                f"`{kind.name}` ({kind.code}): {kind.title}" for kind in kinds
            ),
            "content": {PROBLEM_JSON: {"schema": problem}},
        }
        for status, kinds in sorted(by_status.items())
    }


def _kind(kind: Kind) -> dict[str, Any]:
    return {"code": kind.code, "name": kind.name, "status": kind.status, "title": kind.title}
