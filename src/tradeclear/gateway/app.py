"""The Quart-Trio app: every route of the front door, mounted from one table."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.metadata import version
from time import monotonic
from types import MappingProxyType
from typing import Any, Final

from quart import Response, has_websocket_context, request, websocket
from quart.wrappers.base import BaseRequestWebsocket
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import MapAdapter

from tradeclear.gateway import guard, order_socket
from tradeclear.gateway.admin import Admin
from tradeclear.gateway.batch import BatchRoutes
from tradeclear.gateway.description import Description
from tradeclear.gateway.guard import FAULT, ROUTE, Guard, internal_error
from tradeclear.gateway.market_data import MarketData
from tradeclear.gateway.order_messages import OrderMessages
from tradeclear.gateway.order_reads import OrderReads
from tradeclear.gateway.order_routes import OrderRoutes
from tradeclear.gateway.problems import (
    MALFORMED_REQUEST,
    METHOD_NOT_ALLOWED,
    UNKNOWN_ROUTE,
    Reply,
    problem,
)
from tradeclear.gateway.rate_limits import RateLimits, TokenBuckets
from tradeclear.gateway.refusals import refusal
from tradeclear.gateway.routing import Call, Route, one_key, read_query
from tradeclear.gateway.streams import web_socket
from tradeclear.gateway.streams.event_stream import EventStream
from tradeclear.gateway.streams.streams import Streams
from tradeclear.model.errors import TradeclearError
from tradeclear.pipeline.exchange import Exchange
from tradeclear.telemetry.events import REQUEST_FAILED
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics

BODY_BYTES_MAX: Final = 1_048_576
BODY_TIMEOUT_S: Final = 10.0


class App(QuartTrio):
    """Quart behind a `Guard`. A route is found by method and path alone: no header can upset it.

    `beside`: apps for single paths that Quart does not see.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        body_bytes_max: int,
        body_timeout_s: float,
        beside: Mapping[str, guard.App] = MappingProxyType({}),
    ) -> None:
        super().__init__("tradeclear", static_folder=None)
        self.url_map.strict_slashes = False
        self.url_map.merge_slashes = False
        # The guard has read the body, and the server watches over the writing.
        self.config.update(MAX_CONTENT_LENGTH=None, BODY_TIMEOUT=None, RESPONSE_TIMEOUT=None)
        self._quart: Final[Any] = super().asgi_app
        self._beside: Final = beside
        self._guard: Final = Guard(
            self._choose, metrics, body_bytes_max=body_bytes_max, body_timeout_s=body_timeout_s
        )

    async def asgi_app(self, scope: Any, receive: Any, send: Any) -> None:
        await self._guard(scope, receive, send)

    async def _choose(self, scope: Any, receive: Any, send: Any) -> None:
        app = self._beside.get(scope["path"]) if scope["type"] == "http" else None
        await (app or self._quart)(scope, receive, send)

    def create_url_adapter(self, request: BaseRequestWebsocket | None) -> MapAdapter | None:
        if request is None:
            return None
        return self.url_map.bind(
            "localhost",
            url_scheme=request.scheme,
            default_method=request.method,
            path_info=request.path,
        )


def create_app(
    exchange: Exchange,
    metrics: Metrics,
    *,
    client_rate_per_s: float = 0,
    client_burst: int = 1,
    address_rate_per_s: float = 0,
    address_burst: int = 1,
    limits: RateLimits | None = None,
    body_bytes_max: int = BODY_BYTES_MAX,
    body_timeout_s: float = BODY_TIMEOUT_S,
    routes: Sequence[Route] = (),
    streams: Streams | None = None,
    sockets: Mapping[str, Callable[[], Awaitable[None]]] = MappingProxyType({}),
    clock: Callable[[], float] = monotonic,
) -> App:
    """The app over `exchange`. A rate of 0 is no limit. `routes`: more of them, from elsewhere.

    `limits`, where another door shares them, take the place of the four numbers. Without `streams`
    there are none. `sockets`: paths of more WebSockets, and who serves a connection.
    """
    limits = limits or RateLimits(
        client=TokenBuckets(rate_per_s=client_rate_per_s, burst=client_burst, clock=clock),
        address=TokenBuckets(rate_per_s=address_rate_per_s, burst=address_burst, clock=clock),
    )
    described = (
        *OrderRoutes(exchange, limits).routes(),
        *BatchRoutes(exchange, limits).routes(),
        *OrderReads(exchange).routes(),
        *MarketData(exchange).routes(),
        *Admin(exchange, metrics).routes(),
        *routes,
    )
    event_streams = () if streams is None else (EventStream(streams, limits),)
    app = App(
        metrics,
        body_bytes_max=body_bytes_max,
        body_timeout_s=body_timeout_s,
        beside={one.route.path: one for one in event_streams},
    )
    told = (*described, *(one.route for one in event_streams))
    description = Description(told, version("tradeclear"))
    for route in (*described, *description.routes()):
        mount(app, route, limits)
    messages = OrderMessages(exchange, limits, metrics)
    app.add_websocket(order_socket.PATH, "order_socket", order_socket.order_socket(messages))
    if streams is not None:
        app.add_websocket(web_socket.PATH, "stream", web_socket.stream_socket(streams, limits))
    for path, socket in sockets.items():
        app.add_websocket(path, path.strip("/"), socket)
    handle_errors(app)
    return app


def handle_errors(app: App) -> None:
    """Have every refusal and fault answered as a problem."""
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _fault)


def mount(app: App, route: Route, limits: RateLimits) -> None:
    """Serve `route` on `app`."""
    rule = route.path.replace("{", "<").replace("}", ">")
    app.add_url_rule(rule, route.name, _handler(route, limits), methods=[route.method])


def _handler(route: Route, limits: RateLimits) -> Callable[..., Awaitable[Response]]:
    async def handle(**path: str) -> Response:
        scope: Any = request.scope
        scope[ROUTE] = route.label
        address = (scope.get("client") or ("", 0))[0]
        try:
            if route.limited:
                limits.charge_address(address)
            call = Call(
                path=path,
                query=read_query(route, request.query_string.decode("latin-1")),
                body=await request.body,
                key=one_key(request.headers.getlist("Idempotency-Key")),
                address=address,
            )
            reply = await route.endpoint(call)
        except TradeclearError as error:
            reply = refusal(error)
        return _response(reply)

    return handle


def _response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, dict(reply.headers), content_type=reply.content_type)


async def _http_problem(error: HTTPException) -> Response:
    """Quart's and Werkzeug's own refusals, as problems."""
    if isinstance(error, NotFound):
        return _response(problem(UNKNOWN_ROUTE, "no such route: see /docs"))
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        return _response(
            problem(METHOD_NOT_ALLOWED, f"this route takes {allowed}", headers=[("Allow", allowed)])
        )
    return _response(problem(MALFORMED_REQUEST, error.description or error.name))


async def _fault(error: Exception) -> Response:
    log.error(REQUEST_FAILED, problem=repr(error), exc_info=error)
    scope: Any = (websocket if has_websocket_context() else request).scope
    scope[FAULT] = True
    return _response(internal_error())
