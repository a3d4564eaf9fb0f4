"""How Hypothesis makes its examples, in all tests."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# How long an example takes, or is drawn, says nothing of the code where a machine is busy. The same code is judged by
# the same examples each time; `make fuzz` looks for others.
settings.register_profile(
    "tests",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="FUZZ_EXAMPLES" not in os.environ,
)
settings.load_profile("tests")
