"""`reactor bench --emit`."""

from __future__ import annotations

import importlib.util
import json

import pytest

from reactor_runtime.cli.bench.emit import measure_emit, report_emit


def test_each_kind_of_frame_has_its_cost_or_a_word_why_not(capsys: pytest.CaptureFixture[str]) -> None:
    costs = measure_emit(320, 180)
    assert [cost.what.split()[:2] for cost in costs] == [["numpy", "uint8"], ["numpy", "float32"], ["torch", "float32"]]
    for cost in costs:
        if cost.what.startswith("torch") and importlib.util.find_spec("torch") is None:
            assert (cost.thread_ms, cost.wall_ms, cost.missing) == (None, None, "torch is not installed")
        else:
            assert cost.thread_ms is not None
            assert cost.wall_ms is not None
            assert cost.wall_ms > 0
    report_emit(costs, "320x180", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [entry["wall_ms"] for entry in told["emit"]] == [cost.wall_ms for cost in costs]
    report_emit(costs, "320x180", as_json=False)
    table = capsys.readouterr().out
    assert "emit 320x180" in table
    assert f"{costs[0].wall_ms} ms" in table
