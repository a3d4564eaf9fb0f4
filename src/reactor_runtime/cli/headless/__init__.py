"""`reactor run --runtime headless`: a model without a network, by a script on virtual time or by hand in real time."""

from reactor_runtime.cli.headless.options import HeadlessError, HeadlessOptions
from reactor_runtime.cli.headless.run import leave, run_headless

__all__ = ["HeadlessError", "HeadlessOptions", "leave", "run_headless"]
