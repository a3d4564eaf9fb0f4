"""A run by script: its lines, its bar, its last words, and how it went as an exit code."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

from reactor_runtime.cli.headless.interrupts import EXIT_INTERRUPTED, Interrupts, interruptible
from reactor_runtime.cli.headless.options import FileError, HeadlessError, HeadlessOptions
from reactor_runtime.cli.headless.play import Play
from reactor_runtime.cli.headless.recording import Recording, Shared
from reactor_runtime.cli.headless.script import End, Line, check_script, read_script
from reactor_runtime.cli.headless.terminal import tell, told_frames
from reactor_runtime.contract import Contract
from reactor_runtime.logs import say
from reactor_runtime.worker.styles.conductor import sleep_in_step
from reactor_runtime.worker.testing.model_test import ModelTest
from reactor_runtime.worker.testing.stage import Stuck
from reactor_runtime.worker.tracebacks import author_traceback
from reactor_runtime.workspace import WorkspaceError

EXIT_PROBLEMS = 1


def read_lines(options: HeadlessOptions) -> list[Line]:
    """The script's lines, if there is one. Raises `HeadlessError`."""
    lines = read_script(options.script) if options.script is not None else []
    ends = options.seconds is not None or options.frames is not None or options.max_session_duration > 0
    if not ends and not any(isinstance(line.action, End) for line in lines):
        raise HeadlessError(
            f'--script {options.script}: does not say when it ends; add {{"at": 4, "end": true}}, or use --seconds or '
            "--frames"
        )
    return lines


def scripted(options: HeadlessOptions, lines: list[Line], record: Callable[[Contract], Recording]) -> int:
    """Load the model, play the lines, record; returns the exit code. Takes over SIGINT.

    Raises `HeadlessError` or `WorkspaceError` for what can be known before the model runs.
    """
    problems = 0
    rules = options.rules
    with sleep_in_step(), interruptible(options.path, rules.session_grace, lambda: None) as interrupts:
        try:
            with ModelTest(options.path, options.overrides, config_file=options.config, rules=rules) as test:
                check_script(lines, test.contract)
                if options.frames is not None and not test.contract.outputs("video"):
                    raise HeadlessError("--frames: the model shows no frames; use --seconds")
                if options.fps is not None:
                    test.set_fps(options.fps)
                try:
                    recording = record(test.contract)
                except OSError as error:
                    place = options.output or options.output_root
                    raise HeadlessError(f"{place} cannot be written: {error.strerror or error}") from None
                problems = _play(options, test, lines, Shared(recording), interrupts)
        except (Stuck, FileError) as error:
            problems = _failed(f"error: {error}")
        except (HeadlessError, WorkspaceError):
            raise
        except Exception as error:
            problems = _failed(author_traceback(error, options.path))
        if interrupts.came:
            return EXIT_INTERRUPTED
    return EXIT_PROBLEMS if problems else 0


def _play(
    options: HeadlessOptions, test: ModelTest, lines: list[Line], recording: Shared, interrupts: Interrupts
) -> int:
    """Returns how many things went wrong that did not end it."""
    lock, told = threading.Lock(), False

    def complete() -> None:
        nonlocal told
        with lock:
            if told:
                return
            told = True
            recording.close()
            tell("INFO", told_frames(play.frames))
            if recording.place.exists():
                tell("INFO", f"Wrote {recording.place}")

    with _progress(options, lines) as progress:
        play = Play(test, recording, lambda: interrupts.came, progress)
        interrupts.complete = complete
        try:
            limits = [limit for limit in (options.seconds, options.max_session_duration or None) if limit is not None]
            play.run(lines, min(limits, default=None), options.frames)
        finally:
            complete()
    return play.problems


def _failed(text: str) -> int:
    say(text, "ERROR")
    return 1


@contextlib.contextmanager
def _progress(options: HeadlessOptions, lines: Sequence[Line]) -> Iterator[Callable[[float, int], None]]:
    """A bar on stderr, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda seconds, frames: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    end = lines[-1] if lines else None
    frames, seconds = options.frames, options.seconds
    if frames is None and seconds is None and end is not None:
        frames, seconds = end.frame, end.at
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task("", total=seconds if frames is None else frames)

        def show(now: float, made: int) -> None:
            bar.update(task, completed=now if frames is None else made, description=f"{now:6.1f} s, {made} frames")

        yield show
