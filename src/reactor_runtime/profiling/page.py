"""The report as one HTML page that needs nothing else: the timeline of the newest spans, and the figures."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from reactor_runtime.profiling.recording import TIMERS, Span
from reactor_runtime.profiling.samples import PERCENTILES, Samples

_DATA = "/*DATA*/null"


def page(paths: Mapping[str, Samples], spans: Sequence[Span], meta: Mapping[str, Any]) -> str:
    """The page. Times in it are milliseconds; those of the figures are the samples', those of the bars the host's."""
    index = {path: number for number, path in enumerate(paths)}
    # Whatever the main thread does first, timers last, the other threads as they came.
    named = dict.fromkeys(span.lane for span in spans)
    lanes = sorted(named, key=lambda lane: (lane == TIMERS, lane != threading.main_thread().name))
    bars = [
        [index[span.path], lanes.index(span.lane), _ms(span.start, 4), _ms(span.took, 4)]
        for span in sorted(spans, key=lambda span: (span.start, -span.took))
        if span.path in index
    ]
    data = {
        "meta": meta,
        "percentiles": PERCENTILES,
        "paths": [_row(path, samples, _depth(paths, path)) for path, samples in paths.items()],
        "lanes": lanes,
        "spans": bars,
    }
    # In a script nothing but its end tag ends it.
    text = json.dumps(data, separators=(",", ":"), default=str).replace("</", "<\\/").replace("<!--", "<\\!--")
    template = (files("reactor_runtime.profiling") / "page.html").read_text(encoding="utf-8")
    return template.replace(_DATA, text, 1)


def _depth(paths: Mapping[str, Samples], path: str) -> int:
    parent = paths[path].parent
    return 0 if parent is None or parent not in paths else 1 + _depth(paths, parent)


def _row(path: str, samples: Samples, depth: int) -> dict[str, Any]:
    figures = [samples.total, samples.total / samples.count, samples.least]
    figures += [samples.percentile(percent) for percent in PERCENTILES]
    return {
        "path": path,
        "key": samples.key,
        "kind": samples.kind,
        "depth": depth,
        "count": samples.count,
        "figures": [_ms(value, 3) for value in (*figures, samples.most)],
    }


def _ms(seconds: float, digits: int) -> float:
    return round(seconds * 1000, digits)
