"""The Quart-Trio app of a process that shows copies of books."""

from importlib.metadata import version
from typing import Final

from tradeclear.gateway.app import App, handle_errors, mount
from tradeclear.gateway.copies import socket
from tradeclear.gateway.copies.book import CopiedBooks
from tradeclear.gateway.description import Description
from tradeclear.gateway.rate_limits import RateLimits
from tradeclear.pipeline.ports import BookCopies
from tradeclear.telemetry.metrics import Metrics

BODY_BYTES_MAX: Final = 4096
BODY_TIMEOUT_S: Final = 10.0


def create_copies_app(
    copies: BookCopies, metrics: Metrics, limits: RateLimits, *, sockets_max: int
) -> App:
    """The app over `copies`, with at most so many connections of `WS /ws/depth`."""
    app = App(metrics, body_bytes_max=BODY_BYTES_MAX, body_timeout_s=BODY_TIMEOUT_S)
    described = CopiedBooks(copies, metrics).routes()
    for route in (*described, *Description(described, version("tradeclear")).routes()):
        mount(app, route, limits)
    app.add_websocket(socket.PATH, "depth", socket.copy_socket(copies, sockets_max))
    handle_errors(app)
    return app
