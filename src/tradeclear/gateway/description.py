"""The routes that describe the others. What they serve is made once."""

from collections.abc import Sequence
from typing import Final

import msgspec

from tradeclear.gateway.docs_page import page
from tradeclear.gateway.openapi import describe
from tradeclear.gateway.problems import Reply
from tradeclear.gateway.routing import Call, Route


class Description:
    """`GET /openapi.json` and `GET /docs`, of `routes` and of themselves."""

    def __init__(self, routes: Sequence[Route], version: str) -> None:
        document = describe([*routes, *self.routes()], version)
        self._json: Final = msgspec.json.encode(document)
        self._page: Final = page(document)

    def routes(self) -> tuple[Route, ...]:
        """What is mounted."""
        return (
            Route(
                method="GET",
                path="/openapi.json",
                name="openapi",
                summary="This description, for programs",
                tag="description",
                endpoint=self.openapi,
                replies={200: None},
                open_query=True,
            ),
            Route(
                method="GET",
                path="/docs",
                name="docs",
                summary="This description, for people",
                tag="description",
                endpoint=self.docs,
                replies={200: None},
                open_query=True,
            ),
        )

    async def openapi(self, _call: Call) -> Reply:
        """`GET /openapi.json`."""
        return Reply(200, self._json)

    async def docs(self, _call: Call) -> Reply:
        """`GET /docs`."""
        return Reply(200, self._page, content_type="text/html; charset=utf-8")
