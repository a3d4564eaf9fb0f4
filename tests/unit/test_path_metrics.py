"""Totals of the viewers' paths, added up as they grow, to the end of each."""

from __future__ import annotations

import asyncio
from typing import Any

import prometheus_client as prom

from reactor_runtime.server.path_metrics import PathMetrics
from reactor_runtime.session.departures import Departures
from reactor_runtime.session.paths import LAST_LOOK_S, Paths
from reactor_runtime.transport.statistics import PathStatistics, TrackStatistics


def path(sent: int) -> PathStatistics:
    return PathStatistics(tracks=(TrackStatistics("main", "out", bytes=sent),))


def metrics() -> tuple[PathMetrics, prom.CollectorRegistry]:
    registry = prom.CollectorRegistry()
    return PathMetrics(registry), registry


def sent(registry: prom.CollectorRegistry) -> float | None:
    return registry.get_sample_value("runtime_webrtc_bytes_sent_total", {"track": "main", "direction": "out"})


class Viewer:
    """A viewer whose path has carried `bytes`; like a real one it knows nothing more once it is closed."""

    def __init__(self, carried: int = 0) -> None:
        self.carried, self.closed, self.asks = carried, False, 0

    async def statistics(self) -> PathStatistics | None:
        self.asks += 1
        if self.carried < 0:
            await asyncio.Event().wait()
        return None if self.closed else path(self.carried)

    async def close(self) -> None:
        self.closed = True


def test_a_report_that_is_overtaken_by_a_later_one_is_not_counted_twice() -> None:
    paths, registry = metrics()
    one: Any = Viewer()
    for total in (100, 150, 120, 160):
        paths.take(one, path(total))
    assert sent(registry) == 160


def test_each_viewer_is_counted_from_its_own_beginning() -> None:
    paths, registry = metrics()
    one: Any = Viewer()
    other: Any = Viewer()
    paths.take(one, path(100))
    paths.take(other, path(150))
    paths.take(one, path(110))
    assert sent(registry) == 260


async def test_what_a_path_has_carried_is_told_once_more_before_its_viewer_is_closed() -> None:
    counted, registry = metrics()
    paths = Paths()
    paths.listen(counted.take)
    departures = Departures(paths)
    one: Any = Viewer(100)
    await paths.look(one)
    one.carried = 170
    departures.close(one)
    await departures.wait(5.0)
    assert one.closed
    assert sent(registry) == 170


async def test_who_cannot_be_looked_at_is_closed_all_the_same() -> None:
    departures = Departures(Paths())
    one: Any = Viewer(-1)
    departures.close(one)
    await departures.wait(LAST_LOOK_S + 5.0)
    assert (one.asks, one.closed) == (1, True)
