"""What a route is, whatever carries it: an endpoint, and all that its description says.

The same table mounts the routes and writes the API's description, so neither can forget one.
"""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

from msgspec import Struct

from tradeclear.gateway.fields import KEY_HEADER
from tradeclear.gateway.problems import Kind, Reply
from tradeclear.model.errors import InvalidField

QUERY_CHARS_MAX: Final = 4096
FIELD_CHARS_SHOWN: Final = 64


NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Call(Struct, frozen=True, kw_only=True):
    """A request, stripped of its framework. `body` is whole, `key` the idempotency header's."""

    path: Mapping[str, str] = NOTHING
    query: Mapping[str, str] = NOTHING
    body: bytes = b""
    key: str | None = None
    address: str = ""


Endpoint: TypeAlias = Callable[[Call], Awaitable[Reply]]


class Parameter(Struct, frozen=True):
    """A query parameter. `schema` is JSON Schema."""

    name: str
    description: str
    schema: Mapping[str, Any] = MappingProxyType({"type": "string"})
    required: bool = False


class Route(Struct, frozen=True, kw_only=True):
    """One method on one path; path parameters stand in braces.

    `replies` maps a status to the struct of its body (None: no JSON). `limited`: it costs a token
    of its address. `open_query`: parameters that are not listed are let through.
    """

    method: str
    path: str
    name: str
    summary: str
    tag: str
    endpoint: Endpoint
    replies: Mapping[int, Any]
    problems: tuple[Kind, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: Any = None
    idempotent: bool = False
    limited: bool = True
    open_query: bool = False

    @property
    def label(self) -> str:
        """How metrics call it."""
        return f"{self.method} {self.path}"


def read_query(route: Route, query: str) -> dict[str, str]:
    """A query string's parameters, those that `route` knows. Raises `InvalidField`."""
    if len(query) > QUERY_CHARS_MAX:
        raise InvalidField("query", f"must be at most {QUERY_CHARS_MAX} characters")
    given: dict[str, str] = {}
    known = [parameter.name for parameter in route.parameters]
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in known:
            given[name] = value
        elif not route.open_query:
            told = ", ".join(known) or "none"
            raise InvalidField(name[:FIELD_CHARS_SHOWN], f"is no parameter here; known: {told}")
    for parameter in route.parameters:
        if parameter.required and parameter.name not in given:
            raise InvalidField(parameter.name, "is required in the query")
    return given


def one_key(values: list[str]) -> str | None:
    """The idempotency key out of all `Idempotency-Key` headers. Raises `InvalidField`."""
    if not values:
        return None
    if len(set(values)) > 1:
        raise InvalidField(KEY_HEADER, "is given more than once")
    return values[0]


def unquote_id(segment: str) -> str:
    """An id out of a decoded path, where only `/` is still written `%2F` (see `guard.py`)."""
    return segment.replace("%2F", "/")
