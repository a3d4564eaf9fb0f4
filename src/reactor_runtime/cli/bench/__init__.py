"""`reactor bench`: the served path measured from outside, with a synthetic model and real WebRTC viewers."""

from reactor_runtime.cli.bench.options import BenchError, BenchOptions
from reactor_runtime.cli.bench.report import report
from reactor_runtime.cli.bench.run import run_bench

__all__ = ["BenchError", "BenchOptions", "report", "run_bench"]
