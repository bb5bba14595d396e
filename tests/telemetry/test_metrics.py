"""What is counted comes out in Prometheus' text format, under the names that were promised."""

from prometheus_client.parser import text_string_to_metric_families

from tradeclear.telemetry.metrics import Histogram, Metrics, exposition


def samples(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(exposition(metrics).decode())
        for sample in family.samples
    }


def test_the_promised_names_are_there() -> None:
    metrics = Metrics()
    metrics.orders_received = 3
    metrics.orders_matched = 2
    metrics.orders_rejected["no_liquidity"] += 1
    metrics.order_latency_s.observe(0.003)
    metrics.depth = lambda: [("BTC-USD", "buy", 7)]
    metrics.gauge("durable_lag", "Records not durable yet.", lambda: 4)
    found = samples(metrics)
    assert found["orders_received_total", ()] == 3
    assert found["orders_matched_total", ()] == 2
    assert found["orders_rejected_total", ("no_liquidity",)] == 1
    assert found["order_latency_seconds_count", ()] == 1
    assert found["order_latency_seconds_bucket", ("0.0025",)] == 0
    assert found["order_latency_seconds_bucket", ("0.005",)] == 1
    assert found["current_orderbook_depth", ("BTC-USD", "buy")] == 7
    assert found["durable_lag", ()] == 4


def test_a_histogram_counts_each_value_once_at_its_bound() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(value)
    assert histogram.cumulative() == [("1.0", 2), ("2.0", 3), ("+Inf", 4)]
    assert (histogram.count, histogram.sum) == (4, 12.0)
