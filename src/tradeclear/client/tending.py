"""A nursery that ends with its body."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def tended_nursery() -> AsyncGenerator[trio.Nursery]:
    """Tasks that run beside the body and are cancelled at its end.

    What the body raises comes out as it is, not in a group: `except Refused` does what it says.
    """
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield nursery
        except trio.Cancelled:
            raise
        except BaseException as error:
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
