"""From the options to a run: which way to drive the model, where its frames go, and how the process ends."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from reactor_runtime.cli.headless.options import HeadlessError, HeadlessOptions
from reactor_runtime.cli.headless.recording import Folder, Recording, new_folder
from reactor_runtime.contract import Contract
from reactor_runtime.logs import configure
from reactor_runtime.profiling import get_profiler
from reactor_runtime.worker.prepare import prepare
from reactor_runtime.workspace import WorkspaceError, read_manifest


def run_headless(options: HeadlessOptions) -> int:
    """Run a model in this process until its script, or the person at the terminal, ends it; returns the exit code.

    Prints on stdout what happens, and on stderr what stands in the way. Takes over SIGINT. Raises `HeadlessError`.
    """
    configure(options.log_level)
    try:
        return _run(options)
    except WorkspaceError as error:
        raise HeadlessError(str(error)) from None
    finally:
        get_profiler().shutdown()


def leave(code: int) -> NoReturn:
    """End the process; a thread of the author's that does not end does not keep it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def make_recording(options: HeadlessOptions, contract: Contract, number: int) -> Recording:
    """Where the `number`th session goes, from 1. Raises `OSError`."""
    if options.output is None:
        return Folder(new_folder(options.output_root), contract)
    from reactor_runtime.cli.headless.movie import Movie

    output = options.output if number == 1 else options.output.with_stem(f"{options.output.stem}-{number}")
    return Movie(output, contract)


def _run(options: HeadlessOptions) -> int:
    if options.scripted:
        from reactor_runtime.cli.headless.scripted import read_lines, scripted

        lines = read_lines(options)
        _prepare(options)
        return scripted(options, lines, lambda contract: make_recording(options, contract, 1))
    from reactor_runtime.cli.headless.repl import Repl
    from reactor_runtime.worker.testing.workspace import opened

    _prepare(options)
    with opened(options.path, options.overrides, options.config) as (description, config):
        repl = Repl(options, lambda contract, number: make_recording(options, contract, number))
        return repl.run(description, config)


def _prepare(options: HeadlessOptions) -> None:
    settings = {
        "profiling_dir": str(options.profiling_dir) if options.profiling_dir is not None else None,
        "debug_port": options.debug_port,
    }
    prepare(read_manifest(options.path, options.config), settings)
