"""What the exchange counts and measures.

The hot path adds to plain integers; Prometheus' text is made from them only when it is asked for.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

LATENCY_BOUNDS_S: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5
)  # fmt: skip
COUNT_BOUNDS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)


class Histogram:
    """Counts by upper bound. Observing costs one bisection and three additions."""

    __slots__ = ("bounds", "count", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.count = 0
        self.sum: float = 0

    def observe(self, value: float) -> None:
        """Count one `value`, in the unit that the metric's name ends in."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.count += 1
        self.sum += value

    def cumulative(self) -> list[tuple[str, float]]:
        """Prometheus' buckets: (upper bound, observations at or under it)."""
        bounds = [*map(str, self.bounds), "+Inf"]
        return list(zip(bounds, accumulate(self.counts), strict=True))


class Metrics:
    """One exchange's figures. Add to the attributes; `gauges` are read when they are asked for."""

    def __init__(self) -> None:
        self.orders_received = 0
        self.orders_matched = 0
        self.trades = 0
        self.orders_rejected: Counter[str] = Counter()
        self.requests: Counter[tuple[str, int]] = Counter()
        self.replies_replayed = 0
        self.order_latency_s = Histogram(LATENCY_BOUNDS_S)
        self.log_batch_records = Histogram(COUNT_BOUNDS)
        self.log_sync_s = Histogram(LATENCY_BOUNDS_S)
        self.log_bytes = 0
        self.log_lines_dropped = 0
        self.stream_messages = 0
        self.stream_bytes = 0
        self.stream_cut_off = 0
        self.stream_resumes: Counter[str] = Counter()
        self.mirror_write_s = Histogram(LATENCY_BOUNDS_S)
        self.mirror_rebuilds = 0
        self.mirror_failures = 0
        self.feed_messages: Counter[str] = Counter()
        self.feed_polls: Counter[str] = Counter()
        self.feed_resyncs: Counter[str] = Counter()
        self.feed_reconnects = 0
        self.shadow_quotes = 0
        self.shadow_trades: Counter[str] = Counter()
        self.snapshots = 0
        self.snapshot_seconds_last = 0.0
        self.tasks_restarted: Counter[str] = Counter()
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        self.depth: Callable[[], list[tuple[str, str, int]]] = list
        """Levels with orders, as (instrument, side, levels)."""

    def gauge(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Have `name` read from `read` at every exposition."""
        self.gauges[name] = (documentation, read)


class _MetricsCollector(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        m = self._metrics
        yield _counter("orders_received", "Orders that reached the matcher.", m.orders_received)
        yield _counter("orders_matched", "Orders that traded on arrival.", m.orders_matched)
        yield _counter("trades", "Trades made.", m.trades)
        yield _counters(
            "orders_rejected", "Orders turned down, by reason.", "reason", m.orders_rejected
        )
        yield _counter(
            "replies_replayed", "Replies given again for a repeated key.", m.replies_replayed
        )
        requests = CounterMetricFamily(
            "http_requests", "Requests answered.", labels=["route", "status"]
        )
        for (route, status), count in m.requests.items():
            requests.add_metric([route, str(status)], count)
        yield requests
        yield _histogram("order_latency_seconds", "Submission to durable.", m.order_latency_s)
        yield _histogram("log_batch_records", "Records in a group commit.", m.log_batch_records)
        yield _histogram("log_sync_seconds", "Write and fdatasync of a commit.", m.log_sync_s)
        yield _counter("log_bytes", "Bytes appended to the log.", m.log_bytes)
        yield _counter("log_lines_dropped", "Order log lines shed.", m.log_lines_dropped)
        yield _counter("stream_messages", "Stream messages handed out.", m.stream_messages)
        yield _counter("stream_bytes", "Bytes of them, as sent.", m.stream_bytes)
        yield _counter("stream_cut_off", "Subscribers that were too slow.", m.stream_cut_off)
        yield _counters(
            "stream_resumes", "Subscriptions with from_sequence, by how they began.", "resume",
            m.stream_resumes,
        )  # fmt: skip
        yield _histogram("mirror_write_seconds", "A book's update in Redis.", m.mirror_write_s)
        yield _counter("mirror_rebuilds", "Books written whole to Redis.", m.mirror_rebuilds)
        yield _counter("mirror_failures", "Sessions with Redis that failed.", m.mirror_failures)
        yield _counters("feed_messages", "From the venue's stream.", "kind", m.feed_messages)
        yield _counters("feed_polls", "Requests for the venue's book.", "result", m.feed_polls)
        yield _counters("feed_resyncs", "Streamed books begun again.", "why", m.feed_resyncs)
        yield _counter("feed_reconnects", "Stream connections made again.", m.feed_reconnects)
        yield _counter("shadow_quotes", "Quotes of the shadow feed.", m.shadow_quotes)
        yield _counters(
            "shadow_trades", "The venue's trades, by what became of them.", "result",
            m.shadow_trades,
        )  # fmt: skip
        yield _counter("snapshots", "Snapshots written.", m.snapshots)
        yield GaugeMetricFamily(
            "snapshot_seconds", "How long the last snapshot took.", m.snapshot_seconds_last
        )
        yield _counters(
            "tasks_restarted", "Supervised tasks started again.", "task", m.tasks_restarted
        )
        depth = GaugeMetricFamily(
            "current_orderbook_depth", "Price levels.", labels=["instrument", "side"]
        )
        for instrument, side, levels in m.depth():
            depth.add_metric([instrument, side], levels)
        yield depth
        for name, (documentation, read) in m.gauges.items():
            yield GaugeMetricFamily(name, documentation, read())


def exposition(metrics: Metrics) -> bytes:
    """Everything in Prometheus' text format (`CONTENT_TYPE`)."""
    registry = CollectorRegistry()
    registry.register(_MetricsCollector(metrics))
    return generate_latest(registry)


def _counter(name: str, documentation: str, value: float) -> Metric:
    return CounterMetricFamily(name, documentation, value)


def _counters(name: str, documentation: str, label: str, values: Counter[str]) -> Metric:
    family = CounterMetricFamily(name, documentation, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def _histogram(name: str, documentation: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(
        name, documentation, buckets=histogram.cumulative(), sum_value=histogram.sum
    )
