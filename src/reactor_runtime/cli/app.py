"""The commands and their options; each imports what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

import importlib.metadata
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from reactor_runtime.cli.overrides import OverrideError, WithOverrides, overrides_of

OVERRIDES_HELP = "--model.KEY=VALUE sets a value of the model's config; dots lead into its blocks, VALUE is YAML."

app = typer.Typer(
    name="reactor",
    help="Serve a Python video model live: people watch its frames as they are generated, and steer it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """The console script."""
    app()


def _version(wanted: bool) -> None:
    if wanted:
        print(importlib.metadata.version("open-reactor"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _fail(text: str, code: int = 2) -> typer.Exit:
    print(f"error: {text}", file=sys.stderr)
    return typer.Exit(code)


@app.command(cls=WithOverrides, epilog=OVERRIDES_HELP)
def run(
    context: typer.Context,
    path: Annotated[Path, typer.Option("--path", "-p", help="The folder with reactor.yaml.")] = Path(),
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 lets the system choose.")] = 8080,
    runtime: Annotated[str, typer.Option(help="How to run: http, or headless without a network.")] = "http",
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="In place of the config file that reactor.yaml names.")
    ] = None,
    config_help: Annotated[bool, typer.Option("--config-help", help="Print the model's config and exit.")] = False,
    orphan_timeout: Annotated[
        float, typer.Option(help="Seconds that a session without viewers lives; 0 means for ever.")
    ] = 30.0,
    ping_timeout: Annotated[
        float, typer.Option(min=0, help="Seconds after which a client that pings no more is gone; 0 means never.")
    ] = 20.0,
    max_session_duration: Annotated[
        float, typer.Option(min=0, help="Seconds that a session may last from its first viewer on; 0 means for ever.")
    ] = 0.0,
    session_grace: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Seconds that start_session (10), or a blocking step (60), may take to return when a session is over.",
        ),
    ] = None,
    check_leaks: Annotated[
        bool, typer.Option("--check-leaks", help="Tell what each session leaves changed on a VideoModel.")
    ] = False,
    codec: Annotated[
        list[str] | None, typer.Option(help="Video codecs to offer, best first: AV1, VP8, VP9. May be repeated.")
    ] = None,
    stun_server: Annotated[
        list[str] | None, typer.Option(help="stun:HOST:PORT; none by default. May be repeated.")
    ] = None,
    turn_server: Annotated[
        list[str] | None, typer.Option(help="USER;PASSWORD;turn:HOST:PORT. May be repeated.")
    ] = None,
    webrtc_port_range: Annotated[str, typer.Option(help="MIN:MAX of the UDP ports to use.")] = "",
    ice_transport_policy: Annotated[
        str, typer.Option(help="all, as by default, or relay: only by way of the TURN servers.")
    ] = "",
    token: Annotated[
        str | None, typer.Option(help="What clients must bring; REACTOR_TOKEN sets it, too, unseen.")
    ] = None,
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="A page's origin that may ask, beside this machine's; * for all.")
    ] = None,
    script: Annotated[
        Path | None, typer.Option(help="Headless: what happens to the model, on virtual time; JSON, line by line.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="Headless: end after so many seconds.")] = None,
    frames: Annotated[int | None, typer.Option(min=1, help="Headless: end after so many frames.")] = None,
    fps: Annotated[float | None, typer.Option(min=0.1, max=240, help="Headless: pin the playback rate.")] = None,
    output_root: Annotated[
        Path, typer.Option(help="Headless: each session's frames go into a new folder in this one.")
    ] = Path("output"),
    output: Annotated[Path | None, typer.Option(help="Headless: write an MP4 file in place of the frames.")] = None,
    profiling_dir: Annotated[
        Path | None,
        typer.Option(
            "--profiling-dir",
            "--profiling-output-dir",
            help="Record the model's profiler sections, and write them here at the end.",
        ),
    ] = None,
    enable_profiling: Annotated[
        bool, typer.Option("--enable-profiling", help="The same as --profiling-dir profiling.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Wait for a debugger before the model is imported.")] = False,
    debug_port: Annotated[int, typer.Option(min=1, max=65535, help="Where --debug waits, on 127.0.0.1.")] = 5678,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log in detail.")] = False,
) -> None:
    """Load the model once, keep it warm, and serve it."""
    from reactor_runtime.cli import run as command

    try:
        options = command.RunOptions(
            path=path,
            host=host,
            port=port,
            runtime=runtime,
            config=config,
            overrides=overrides_of(context),
            orphan_timeout=orphan_timeout,
            ping_timeout=ping_timeout,
            max_session_duration=max_session_duration,
            session_grace=session_grace,
            check_leaks=check_leaks,
            codecs=tuple(codec or ()),
            stun_servers=tuple(stun_server or ()),
            turn_servers=tuple(turn_server or ()),
            webrtc_port_range=webrtc_port_range,
            ice_transport_policy=ice_transport_policy,
            profiling_dir=profiling_dir or (Path("profiling") if enable_profiling else None),
            debug_port=debug_port if debug else None,
            token=token,
            cors_origins=tuple(cors_origin or ()),
            log_level="debug" if verbose else "warning",
        )
        if config_help:
            print(command.config_help(options))
            return
        headless = {"--script": script, "--seconds": seconds, "--frames": frames, "--fps": fps, "--output": output}
        if runtime != "headless" and (given := [option for option, value in headless.items() if value is not None]):
            raise command.RunError(f"{given[0]} needs --runtime headless")
        if runtime == "headless":
            command.headless(
                options,
                script=script,
                seconds=seconds,
                frames=frames,
                fps=fps,
                output_root=output_root,
                output=output,
            )
        code = command.serve(options)
    except (command.RunError, OverrideError) as error:
        raise _fail(str(error)) from None
    raise typer.Exit(code)


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The folder to make; also the model's name.")],
    template: Annotated[str, typer.Option(help="What to begin with: pipeline or video-model.")] = "pipeline",
) -> None:
    """Write a workspace with a model that runs as it is."""
    from reactor_runtime.cli.init import InitError, write_workspace

    try:
        directory = write_workspace(Path(name), template)
    except InitError as error:
        raise _fail(str(error)) from None
    print(f"Wrote {directory}. Next:\n\n  cd {directory}\n  reactor run\n")


@app.command()
def schema(
    path: Annotated[Path, typer.Option("--path", "-p", help="The folder with reactor.yaml.")] = Path(),
    version: Annotated[str, typer.Option("--version", "-v", help="The model's version, X.Y.Z.")] = "0.0.0",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead of stdout.")] = None,
) -> None:
    """Print the model's commands, messages and tracks as an OpenAPI 3.1 document."""
    from reactor_runtime.cli.schema import WorkspaceError, document, normal_version

    try:
        text = document(path, normal_version(version))
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(text + "\n", encoding="utf-8")
    except (WorkspaceError, ValueError, OSError) as error:
        raise _fail(str(error), 1) from None
    print(f"Wrote {out}" if out is not None else text)


@app.command()
def capabilities(
    path: Annotated[Path, typer.Option("--path", "-p", help="The model's folder.")] = Path(),
) -> None:
    """Print the model's tracks, commands and messages as JSON."""
    from reactor_runtime.cli.capabilities import WorkspaceError, document, read_contract

    try:
        contract = read_contract(path)
    except WorkspaceError as error:
        raise _fail(str(error), 1) from None
    print(f"Model: {contract.name}", file=sys.stderr)
    print(document(contract))


@app.command()
def bench(
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT of the picture.")] = "1280x720",
    fps: Annotated[float, typer.Option(min=1, max=240, help="Frames per second of the model.")] = 30.0,
    viewers: Annotated[int, typer.Option(min=1, max=32, help="Viewers, each in a process of its own.")] = 1,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long to measure.")] = 10.0,
    codec: Annotated[str | None, typer.Option(help="AV1, VP8 or VP9; by default what the service prefers.")] = None,
    batch: Annotated[int, typer.Option(min=1, max=64, help="Frames per step.")] = 1,
    buffer_size: Annotated[int, typer.Option(min=1, max=256, help="The model's buffer_size.")] = 4,
    step_ms: Annotated[float, typer.Option(min=0, help="Milliseconds that a step computes, beside drawing.")] = 0.0,
    generation: Annotated[
        int, typer.Option(min=1, max=3, help="The model is a VideoModel (1), ReactorPipeline (2) or ReactorApp (3).")
    ] = 2,
    emit: Annotated[bool, typer.Option("--emit", help="Only what a frame of this size costs the model.")] = False,
    sessions: Annotated[
        int | None, typer.Option(min=1, help="Only what so many sessions in a row leave behind in the processes.")
    ] = None,
    path: Annotated[
        Path | None, typer.Option("--path", "-p", help="With --sessions: the folder of a model in place of ours.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure the served path on this machine: a synthetic model, real processes, real WebRTC viewers."""
    from reactor_runtime.cli.bench import BenchError, BenchOptions, report, run_bench
    from reactor_runtime.cli.bench.emit import measure_emit, report_emit
    from reactor_runtime.cli.bench.sessions import report_sessions, run_sessions

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # Or the service would outlive us.
    try:
        options = BenchOptions.of(size, fps, viewers, seconds, codec, batch, buffer_size, step_ms, generation)
        if path is not None and sessions is None:
            raise BenchError("--path needs --sessions: the other figures are read from a stamp in the pictures")
        if sessions is not None:
            report_sessions(run_sessions(options, sessions, path), as_json=as_json)
            return
        if emit:
            report_emit(measure_emit(options.width, options.height), size, as_json=as_json)
            return
        result = run_bench(options)
    except BenchError as error:
        raise _fail(str(error), 1) from None
    report(result, as_json=as_json)
