"""The report: five files for people, spreadsheets and scripts."""

from __future__ import annotations

import csv
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from reactor_runtime.profiling.page import page
from reactor_runtime.profiling.recording import Recording
from reactor_runtime.profiling.samples import PERCENTILES, Samples


def write(recording: Recording) -> None:
    """Write `profiling_<ms>.json` and, with the same beginning, `_summary.md`, `_sections.csv`, `_meta.json`
    and `_timeline.html`.

    Writes nothing when nothing was recorded. Raises `OSError`.
    """
    paths = {path: samples for path, samples in sorted(recording.paths.items()) if samples.count}
    if not paths:
        return
    stem = recording.directory / f"profiling_{recording.began * 1000:.0f}"
    began = datetime.fromtimestamp(recording.began, UTC).isoformat()
    data = {
        "timestamp": recording.began,
        "timestamp_iso": began,
        "output_dir": str(recording.directory),
        "total_sections": len(paths),
        "total_samples": sum(samples.count for samples in paths.values()),
        "sections": {path: samples.as_json() for path, samples in paths.items()},
    }
    meta = {
        "timestamp": recording.began,
        "timestamp_iso": began,
        "duration_seconds": time.time() - recording.began,
        "pid": os.getpid(),
        "host": platform.node(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "runtime_version": _version(),
        "torch": getattr(sys.modules.get("torch"), "__version__", None),
        **recording.facts,
    }
    stem.with_suffix(".json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    stem.with_name(f"{stem.name}_meta.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    stem.with_name(f"{stem.name}_summary.md").write_text(_summary(paths, began), encoding="utf-8")
    timeline = page(paths, list(recording.spans), meta)
    stem.with_name(f"{stem.name}_timeline.html").write_text(timeline, encoding="utf-8")
    with stem.with_name(f"{stem.name}_sections.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        percentiles = [f"p{percent}_ms" for percent in PERCENTILES]
        rows.writerow(["path", "kind", "count", "total_ms", "mean_ms", "min_ms", *percentiles, "max_ms"])
        rows.writerows([path, samples.kind, samples.count, *_figures(samples)] for path, samples in paths.items())


def _figures(samples: Samples) -> list[str]:
    values = [samples.total, samples.total / samples.count, samples.least]
    values += [samples.percentile(percent) for percent in PERCENTILES]
    return [f"{value * 1000:.3f}" for value in (*values, samples.most)]


def _summary(paths: dict[str, Samples], began: str) -> str:
    lines = [
        f"# Profile of {began}",
        "",
        "Milliseconds. Percentiles are of the newest samples, all else is of all.",
        "",
    ]
    heads = ["section", "count", "total", "mean", "min", *(f"p{percent}" for percent in PERCENTILES), "max"]
    lines += [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    for path, samples in paths.items():
        shown = path.replace("|", "\\|") + (" (timer)" if samples.kind == "timer" else "")
        lines.append(f"| {shown} | {samples.count} | {' | '.join(_figures(samples))} |")
    return "\n".join(lines) + "\n"


def _version() -> str | None:
    try:
        return version("open-reactor")
    except PackageNotFoundError:
        return None
