"""The figures, for a person or for a program."""

from __future__ import annotations

import json
from typing import Any


def report(result: dict[str, Any], *, as_json: bool) -> None:
    """Print to stdout."""
    if as_json:
        print(json.dumps(result))
        return
    from rich.console import Console
    from rich.table import Table

    o = result["options"]
    codec = o["codec"] or "the service's choice"
    table = Table(
        title=f"{o['width']}x{o['height']} at {o['fps']:g} fps, batch {o['batch']}, buffer {o['buffer_size']}, "
        f"codec: {codec}",
        caption=f"{result['seconds']:g} s on {result['machine']}; {result['frames']} frames, "
        f"{result['commands']} commands",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("figure")
    table.add_column("value", justify="right")
    latency, command, cpu = result["latency_ms"], result["command_ms"], result["cpu_ms_per_frame"]
    rows = [
        ("viewers", str(result["viewers"])),
        ("time to first frame", f"{result['first_frame_ms']} ms"),
        ("frames per second, slowest viewer", f"{result['fps']}"),
        ("emit → decoded, p50 / p95", f"{latency['p50']} / {latency['p95']} ms"),
        ("command → first frame that shows it, p50 / p95", f"{command['p50']} / {command['p95']} ms"),
        ("frames not seen, all viewers", str(result["drops"])),
    ]
    if cpu is not None:
        rows.append(("CPU per frame: edge + worker", f"{cpu['edge']} + {cpu['worker']} = {cpu['total']} ms"))
    if "cpu_ms_per_frame_per_further_viewer" in result:
        rows.append(("CPU per frame for each further viewer", f"{result['cpu_ms_per_frame_per_further_viewer']} ms"))
    if (rss := result["rss_mb"]) is not None:
        rows.append(("memory: " + ", ".join(rss), ", ".join(f"{v:.0f}" for v in rss.values()) + " MB"))
    for name, value in rows:
        table.add_row(name, value)
    Console().print(table)
