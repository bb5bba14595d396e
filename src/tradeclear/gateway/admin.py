"""For those who run the exchange: is it alive, is it ready, what does it measure; snapshots."""

from typing import Final

import msgspec
from msgspec import Struct

from tradeclear.gateway.decode import RequestRefused
from tradeclear.gateway.problems import NOT_READY, OUTCOME_UNKNOWN, SNAPSHOT_FAILED, Reply, problem
from tradeclear.gateway.routing import Call, Route
from tradeclear.gateway.views import Time
from tradeclear.model.errors import OutcomeUnknown, TradeclearError
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.snapshotter import SnapshotInfo
from tradeclear.telemetry.metrics import CONTENT_TYPE, Metrics, exposition

RETRY_S: Final = 1.0


class AliveReply(Struct, frozen=True):
    """The process answers."""

    status: str


class ReadyReply(Struct, frozen=True):
    """Orders are taken. `parts` tells how each part is."""

    ready: bool
    parts: dict[str, str]


class SnapshotView(Struct, frozen=True):
    """A snapshot on disk: the state after record `seq`, and how long it took to make."""

    seq: int
    file: str
    bytes: int
    duration_s: float
    state_hash: str
    created_at: Time


class SnapshotsReply(Struct, frozen=True):
    """The snapshots on disk, newest first."""

    snapshots: list[SnapshotView]


_encode: Final = msgspec.json.Encoder().encode


class Admin:
    """The routes of operation."""

    def __init__(self, exchange: Exchange, metrics: Metrics) -> None:
        self._exchange: Final = exchange
        self._metrics: Final = metrics

    def routes(self) -> tuple[Route, ...]:
        """What is mounted."""
        return (
            Route(
                method="POST",
                path="/admin/snapshots",
                name="take_snapshot",
                summary="Write a snapshot of the state now",
                tag="operation",
                endpoint=self.take_snapshot,
                replies={201: SnapshotView},
                problems=(SNAPSHOT_FAILED, OUTCOME_UNKNOWN),
            ),
            Route(
                method="GET",
                path="/admin/snapshots",
                name="list_snapshots",
                summary="The snapshots on disk, newest first",
                tag="operation",
                endpoint=self.list_snapshots,
                replies={200: SnapshotsReply},
            ),
            Route(
                method="GET",
                path="/healthz",
                name="alive",
                summary="Whether the process answers",
                tag="operation",
                endpoint=self.alive,
                replies={200: AliveReply},
                limited=False,
                open_query=True,
            ),
            Route(
                method="GET",
                path="/readyz",
                name="ready",
                summary="Whether orders are taken, and how each part is",
                tag="operation",
                endpoint=self.ready,
                replies={200: ReadyReply},
                problems=(NOT_READY,),
                limited=False,
                open_query=True,
            ),
            Route(
                method="GET",
                path="/metrics",
                name="metrics",
                summary="Figures in Prometheus' text format",
                tag="operation",
                endpoint=self.metrics,
                replies={200: None},
                limited=False,
                open_query=True,
            ),
        )

    async def take_snapshot(self, _call: Call) -> Reply:
        """`POST /admin/snapshots`."""
        try:
            info = await self._exchange.snapshot()
        except OutcomeUnknown:
            raise
        except TradeclearError as error:
            raise RequestRefused(SNAPSHOT_FAILED, str(error)) from error
        return Reply(201, _encode(_view(info)))

    async def list_snapshots(self, _call: Call) -> Reply:
        """`GET /admin/snapshots`."""
        views = [_view(info) for info in await self._exchange.snapshots()]
        return Reply(200, _encode(SnapshotsReply(views)))

    async def alive(self, _call: Call) -> Reply:
        """`GET /healthz`."""
        return Reply(200, _encode(AliveReply("alive")))

    async def ready(self, _call: Call) -> Reply:
        """`GET /readyz`."""
        health = self._exchange.health()
        if not health.ready:
            return problem(
                NOT_READY, "see `parts`", parts=dict(health.parts), retry_after_s=RETRY_S
            )
        return Reply(200, _encode(ReadyReply(True, health.parts)))

    async def metrics(self, _call: Call) -> Reply:
        """`GET /metrics`."""
        return Reply(200, exposition(self._metrics), content_type=CONTENT_TYPE)


def _view(info: SnapshotInfo) -> SnapshotView:
    return SnapshotView(
        info.seq, info.file, info.bytes, info.duration_s, info.state_hash, info.created_at
    )
