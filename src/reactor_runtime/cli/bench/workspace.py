"""The workspace of a synthetic model. Its source is copied there, and served as any author's."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from reactor_runtime.cli.bench.options import BenchOptions

_SOURCES = {1: "video_model.py", 2: "pipeline.py", 3: "app.py"}
_DECORATED = """from bench_model import BenchVideoModel
from reactor_runtime import model


@model(name="bench", config="config.yml")
class Model(BenchVideoModel):
    emission_fps = {fps}
"""
_NAMED = """from bench_model import {base}


class Model({base}):
    fps = {fps}
    buffer_size = {buffer_size}
"""


def write_workspace(folder: Path, options: BenchOptions) -> Path:
    """Write the model of the options' generation into a new folder in `folder`; returns that."""
    folder = folder / "workspace"
    folder.mkdir()
    source = files("reactor_runtime.cli.bench") / "models" / _SOURCES[options.generation]
    (folder / "bench_model.py").write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    if options.generation == 1:
        entry = _DECORATED.format(fps=options.fps)
    else:
        base = "BenchPipeline" if options.generation == 2 else "BenchApp"
        entry = _NAMED.format(base=base, fps=options.fps, buffer_size=options.buffer_size)
        (folder / "reactor.yaml").write_text("model: bench_entry:Model\nname: bench\nconfig: config.yml\n")
    (folder / "bench_entry.py").write_text(entry)
    config = {"width": options.width, "height": options.height, "batch": options.batch, "step_ms": options.step_ms}
    (folder / "config.yml").write_text("".join(f"{key}: {value}\n" for key, value in config.items()))
    return folder
