"""How long the published clients wait: `python -m benchmarks.clients`, in the development environment.

A service with the synthetic model of `reactor bench`, 640x480 at 30 frames a second, and two clients as people have
them: the Python one, also with a STUN server configured that never answers, and the JavaScript one in Chromium. Of each
figure the best of some rounds counts, for whatever else the machine does only adds to it; the JSON has all rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import browser
from reactor_runtime.cli.bench.figures import machine, quantiles
from reactor_runtime.cli.bench.options import BenchOptions
from reactor_runtime.cli.bench.process import Service
from reactor_runtime.cli.bench.workspace import write_workspace

Figures = dict[str, dict[str, float | None]]
BOUNDS: dict[str, dict[str, dict[str, float]]] = {
    "Python": {
        "ready": {"p50": 60},
        "first_frame": {"p50": 150},
        "command": {"p50": 30, "p95": 48},
        "reconnect": {"slowest": 500},
    },
    "Python, silent STUN server": {"ready": {"p50": 60}, "first_frame": {"p50": 150}},
    "Chromium, presented": {"command": {"p50": 55}},
}
"""Milliseconds, on two quiet cores."""
NAMES = {
    "ready": "connect() → ready",
    "first_frame": "connect() → first frame",
    "command": "command → first frame that shows it",
    "reconnect": "reconnect() → first frame",
}


@contextmanager
def service(**variables: str) -> Iterator[str]:
    """The address of a service, which sees these environment variables beside ours."""
    options = BenchOptions.of("640x480", 30.0, 1, 0.0, None, 1, 4, 0.0, 2)
    kept = {name: os.environ.get(name) for name in variables}
    with tempfile.TemporaryDirectory(prefix="reactor-bench-") as folder:
        workspace = write_workspace(Path(folder), options)
        os.environ.update(variables)
        try:
            running = Service(workspace, Path(folder) / "service.log", None)
        finally:
            for name, value in kept.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
        with running:
            yield running.address.replace("127.0.0.1", "localhost")


def sdk(what: str, address: str, trials: int) -> dict[str, list[float]]:
    """All figures that the Python client tells."""
    argv = [sys.executable, "-m", "benchmarks.sdk_client", what, address, str(trials)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True, timeout=60 + 3 * trials)
    found: dict[str, list[float]] = {}
    for line in done.stdout.splitlines():
        for name, value in json.loads(line).items():
            found.setdefault(name, []).append(value)
    return found


def of(found: dict[str, list[float]]) -> Figures:
    return {name: {**quantiles(sorted(values)), "slowest": round(max(values), 1)} for name, values in found.items()}


def python_round(connects: int, commands: int) -> Figures:
    with service() as address:
        asked = {"connect": connects, "reconnect": connects, "command": commands}
        return of({name: values for what, n in asked.items() for name, values in sdk(what, address, n).items()})


def silent_stun_round(connects: int, commands: int) -> Figures:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        with service(STUN_SERVERS=f"stun:127.0.0.1:{silent.getsockname()[1]}") as address:
            return of(sdk("connect", address, connects))


def chromium_round(connects: int, commands: int) -> Figures:
    with service() as address, tempfile.TemporaryDirectory(prefix="reactor-bench-") as folder:
        return of(asyncio.run(browser.measure(address, Path(folder), connects, commands)))


ROUNDS = {
    "Python": python_round,
    "Python, silent STUN server": silent_stun_round,
    "Chromium, presented": chromium_round,
}


def table(rounds: dict[str, list[Figures]]) -> Iterator[str]:
    """The best round of each figure, as Markdown."""
    yield "| client | figure | p50 | p95 | slowest | bound | each round |"
    yield "|---|---|---|---|---|---|---|"
    for client, all_rounds in rounds.items():
        for name in all_rounds[0]:
            best = min(
                (each[name] for each in all_rounds), key=lambda each: (each["p50"] or 0.0) + (each["p95"] or 0.0)
            )
            bounds = BOUNDS[client].get(name, {})
            bound = ", ".join(f"{quantile} ≤ {limit:g}" for quantile, limit in bounds.items())
            if any((best[quantile] or 0.0) > limit for quantile, limit in bounds.items()):
                bound += " **missed**"
            each = ", ".join(f"{one[name]['p50']:g} / {one[name]['p95']:g}" for one in all_rounds)
            told = " | ".join(f"{best[figure]:g} ms" for figure in ("p50", "p95", "slowest"))
            yield f"| {client} | {NAMES[name]} | {told} | {bound} | {each} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="How long the published clients wait.")
    parser.add_argument("--connects", type=int, default=20, help="connections of each round")
    parser.add_argument("--commands", type=int, default=100, help="commands of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--client", choices=list(ROUNDS), action="append", help="only this one; may be repeated")
    parser.add_argument("--json", type=Path, help="write all rounds there")
    options = parser.parse_args()
    rounds: dict[str, list[Figures]] = {client: [] for client in options.client or ROUNDS}
    for _ in range(options.rounds):
        for client, made in rounds.items():
            made.append(ROUNDS[client](options.connects, options.commands))
    print(f"reactor-sdk {version('reactor-sdk')}, js-sdk {browser.RELEASE}; {machine()}\n")
    print("\n".join(table(rounds)))
    if options.json is not None:
        result: dict[str, Any] = {"machine": machine(), "rounds": rounds}
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
