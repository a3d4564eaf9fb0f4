"""`GET /metrics`: what the journal tells, counted, and where the time of frames goes, for Prometheus."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import prometheus_client as prom
from fastapi import APIRouter, Response
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from reactor_runtime.media.timing import Distribution
from reactor_runtime.server.path_metrics import PathMetrics
from reactor_runtime.session import LIVE, Fact, SessionEngine, State

LOAD_BOUNDS: Final = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
SESSION_BOUNDS: Final = (1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14400)
CONNECT_BOUNDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
COMMAND_BOUNDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1)
UNKNOWN: Final = "unknown"
"""The label of every command that the model does not have: clients must not be able to make labels up."""

prom.disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The counters of one edge. Belongs to the event loop's thread."""

    def __init__(self, engine: SessionEngine) -> None:
        self._engine = engine
        self.registry = registry = prom.CollectorRegistry()
        self._info = prom.Info("runtime", "The service and its model.", registry=registry)
        self._version = importlib.metadata.version("open-reactor")
        self._sessions = _counter("sessions", "Sessions that are over.", registry, "reason")
        self._duration = _histogram(
            "session_duration_seconds", "From start to end.", SESSION_BOUNDS, registry, "reason"
        )
        self._first = _histogram(
            "session_time_to_first_client_seconds",
            "From a session's start to its first viewer.",
            SESSION_BOUNDS,
            registry,
        )
        self._teardown = _histogram(
            "session_teardown_seconds", "What the model takes to clean up.", CONNECT_BOUNDS, registry
        )
        self._errors = _counter("session_errors", "The model's errors, and commands that sessions refused.", registry)
        self._commands = _counter("commands", "Commands of viewers.", registry, "command", "outcome")
        self._ingress = _histogram(
            "command_ingress_seconds",
            "From a command's arrival to its way to the model.",
            COMMAND_BOUNDS,
            registry,
            "command",
        )
        self._load = _histogram("model_load_seconds", "Until the model was loaded.", LOAD_BOUNDS, registry, "outcome")
        self._negotiation = _histogram(
            "webrtc_negotiation_seconds", "From an offer to its answer.", CONNECT_BOUNDS, registry, "outcome"
        )
        self._connect = _histogram(
            "webrtc_connect_seconds", "From an answer to open channels.", CONNECT_BOUNDS, registry
        )
        self._paths = PathMetrics(registry)
        registry.register(_Now(engine))
        self._began: float | None = None
        self._ended: float | None = None
        self._lonely = False
        self._answered: dict[int, float] = {}
        engine.journal.listen(self._on_fact)
        engine.paths.listen(self._paths.take)

    def negotiated(self, seconds: float, *, answered: bool) -> None:
        """An offer has been answered, or could not be."""
        self._negotiation.labels("success" if answered else "failure").observe(seconds)

    def text(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        self._info.info({"version": self._version, "model": self._engine.model})
        return prom.generate_latest(self.registry)

    def _on_fact(self, fact: Fact, detail: Mapping[str, Any]) -> None:
        now = time.monotonic()
        match fact.event:
            case "initialization_success" | "initialization_fail":
                self._load.labels(fact.event.removeprefix("initialization_")).observe(detail["took_s"])
            case "start_session" | "session_adopted":
                self._began, self._lonely = now, fact.event == "start_session"
            case "connection_answered":
                self._answered[detail["conn_id"]] = now
            case "connection_opened" if not detail.get("system"):
                self._joined(detail["conn_id"], now)
            case "stop_session" | "timeout" | "eviction":
                self._over(detail["reason"], now)
            case "cleanup_complete" if self._ended is not None:
                self._teardown.observe(now - self._ended)
                self._ended = None
            case "command":
                self._commands.labels(detail["name"], "accepted").inc()
                if "ingress_s" in detail:
                    self._ingress.labels(detail["name"]).observe(detail["ingress_s"])
            case "error":
                self._erred(detail)

    def _joined(self, connection: int, now: float) -> None:
        if (answered := self._answered.pop(connection, None)) is not None:
            self._connect.observe(now - answered)
        if self._lonely and self._began is not None:
            self._lonely = False
            self._first.observe(now - self._began)

    def _over(self, reason: str, now: float) -> None:
        """A session is over, if there was one."""
        if self._began is None:
            return
        self._sessions.labels(reason).inc()
        self._duration.labels(reason).observe(now - self._began)
        self._began, self._ended = None, now
        self._answered.clear()

    def _erred(self, detail: Mapping[str, Any]) -> None:
        if self._began is not None or "command" not in detail:  # Why a model died is told when its session is over.
            self._errors.inc()
        outcome = {"invalid_command": "rejected", "unresolved_upload": "unresolved_upload"}.get(detail.get("code", ""))
        if outcome is not None and "command" in detail:
            contract = self._engine.contract
            known = contract is not None and contract.command(detail["command"]) is not None
            self._commands.labels(detail["command"] if known else UNKNOWN, outcome).inc()


class _Now(Collector):
    """What is read off the service at the moment of asking."""

    def __init__(self, engine: SessionEngine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        engine = self._engine
        state = GaugeMetricFamily("runtime_session_state", "1 for the state it is in.", labels=["state"])
        for each in State:
            state.add_metric([each.lower()], float(engine.state is each))
        yield state
        came, here = engine.viewers_in_all, engine.viewers
        yield CounterMetricFamily("runtime_connections_opened", "Viewers that came.", value=came)
        yield CounterMetricFamily(
            "runtime_connections_closed", "Viewers that left, or whose session ended.", value=came - here
        )
        yield GaugeMetricFamily("runtime_connections_active", "Viewers who are here.", value=here)
        yield GaugeMetricFamily("runtime_session_live", "Whether a session runs.", value=float(engine.state in LIVE))
        streams = {name: stream.times for name, stream in engine.tracks.video.items()}
        frames = CounterMetricFamily("runtime_media_frames", "Frames that were shown.", labels=["track"])
        dropped = CounterMetricFamily(
            "runtime_media_dropped_frames",
            "Frames that others overtook, or that nobody was left to see.",
            labels=["track"],
        )
        interval = HistogramMetricFamily(
            "runtime_media_emit_interval_seconds", "Between two frames of the model.", labels=["track"]
        )
        stages = HistogramMetricFamily(
            "runtime_media_stage_seconds",
            "What each stage of a frame's way takes: generate, convert, link, playout, encode, send; total.",
            labels=["track", "stage"],
        )
        shed = 0
        for track, times in streams.items():
            shed += times.shed
            frames.add_metric([track], times.shown)
            dropped.add_metric([track], times.dropped)
            interval.add_metric([track], _buckets(times.interval), times.interval.total)
            for stage, distribution in times.stages.items():
                stages.add_metric([track, stage], _buckets(distribution), distribution.total)
        samples = CounterMetricFamily(
            "runtime_media_dropped_samples",
            "Samples of sound, of each channel, that were never played.",
            labels=["track"],
        )
        silence = CounterMetricFamily(
            "runtime_media_silence_frames", "10 ms of silence that filled a gap of the sound.", labels=["track"]
        )
        for track, sound in engine.tracks.audio.items():
            stages.add_metric([track, "generate"], _buckets(sound.generate), sound.generate.total)
            samples.add_metric([track], sound.dropped)
            silence.add_metric([track], sound.silence)
        bundles = CounterMetricFamily(
            "runtime_media_dropped_bundles",
            "Frames of all tracks that the model wanted dropped where there was no room, and that were.",
            value=shed,
        )
        yield from (frames, dropped, interval, stages, samples, silence, bundles)


def metric_routes(metrics: Metrics) -> APIRouter:
    """The route of one edge."""
    routes = APIRouter()

    @routes.get(
        "/metrics",
        response_class=Response,
        responses={200: {"description": "The text format of Prometheus.", "content": {"text/plain": {}}}},
    )
    async def read() -> Response:
        """What the service has done, and how long it took."""
        return Response(metrics.text(), media_type=prom.CONTENT_TYPE_LATEST)

    return routes


def _buckets(distribution: Distribution) -> list[tuple[str, float]]:
    """Cumulative counts by upper bound, as Prometheus has them."""
    found, total = [], 0
    bounds: Iterable[float] = (*distribution.bounds, float("inf"))
    for bound, count in zip(bounds, list(distribution.counts), strict=True):
        total += count
        found.append(("+Inf" if bound == float("inf") else str(bound), float(total)))
    return found


def _counter(name: str, text: str, registry: prom.CollectorRegistry, *labels: str) -> prom.Counter:
    return prom.Counter(f"runtime_{name}", text, labels, registry=registry)


def _histogram(
    name: str, text: str, bounds: tuple[float, ...], registry: prom.CollectorRegistry, *labels: str
) -> prom.Histogram:
    return prom.Histogram(f"runtime_{name}", text, labels, registry=registry, buckets=bounds)
