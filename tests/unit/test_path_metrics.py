"""Totals of the viewers' paths, added up as they grow."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import prometheus_client as prom

from reactor_runtime.server.path_metrics import PathMetrics
from reactor_runtime.transport.statistics import PathStatistics, TrackStatistics


def path(sent: int) -> dict[str, Any]:
    return asdict(PathStatistics(tracks=(TrackStatistics("main", "out", bytes=sent),)))


def metrics() -> tuple[PathMetrics, prom.CollectorRegistry]:
    registry = prom.CollectorRegistry()
    return PathMetrics(registry), registry


def sent(registry: prom.CollectorRegistry) -> float | None:
    return registry.get_sample_value("runtime_webrtc_bytes_sent_total", {"track": "main", "direction": "out"})


def test_who_cannot_be_looked_at_once_is_not_counted_twice() -> None:
    paths, registry = metrics()
    for report in ({"7": path(100)}, {}, {"7": path(150)}):
        paths.take(report)
    assert sent(registry) == 150


def test_who_comes_with_the_id_of_another_is_counted_from_its_beginning() -> None:
    paths, registry = metrics()
    paths.take({"7": path(100)})
    paths.forget("7")
    paths.take({"7": path(150)})
    paths.clear()
    paths.take({"7": path(10)})
    assert sent(registry) == 260
