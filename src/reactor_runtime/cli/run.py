"""`reactor run`: from options to a supervisor at work."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NoReturn

from reactor_runtime.logs import say
from reactor_runtime.server.settings import TOKEN_VARIABLE, EdgeSettings
from reactor_runtime.supervisor import Commands, ListenError, Supervisor, listen

CODECS = ("AV1", "VP8", "VP9")
RUNTIMES = ("http", "headless")
ICE_POLICIES = ("all", "relay")
MAX_GRACE_S = 7 * 86_400.0
JOURNAL_GAP = 1 << 32
"""An edge that is started again counts its facts from so many on: more than the one before has told, and few enough for
JavaScript's integers."""

IceServer = tuple[tuple[str, ...], str, str]


class RunError(Exception):
    """An option cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of `reactor run`, as given: `environment` has a say where they are empty or None.

    `turn_servers` are `user;password;url`, `webrtc_port_range` is `min:max`, times are in seconds. `overrides` maps
    dotted keys of the model's config to values. With a `debug_port` the model's process waits for a debugger.
    """

    path: Path
    host: str = "127.0.0.1"
    port: int = 8080
    runtime: str = "http"
    config: Path | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    orphan_timeout: float = 30.0
    ping_timeout: float = 20.0
    max_session_duration: float = 0.0
    session_grace: float | None = None
    check_leaks: bool = False
    codecs: tuple[str, ...] = ()
    stun_servers: tuple[str, ...] = ()
    turn_servers: tuple[str, ...] = ()
    webrtc_port_range: str = ""
    ice_transport_policy: str = ""
    profiling_dir: Path | None = None
    debug_port: int | None = None
    token: str | None = None
    cors_origins: tuple[str, ...] = ()
    log_level: str = "warning"
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


def serve(options: RunOptions) -> int:
    """Serve until a signal; returns the exit code. Raises `RunError`."""
    grace = _seconds(options, "SIGTERM_GRACE_PERIOD", 0.0)
    edge_settings = _edge_settings(options)
    # By the environment, and not on a command line, which all users of the machine see.
    if (token := _token(options)) is not None:
        os.environ[TOKEN_VARIABLE] = token
    worker_settings = _worker_settings(options)
    try:
        sockets = listen(options.host, options.port)
    except ListenError as error:
        raise RunError(str(error)) from None
    port = sockets[0].getsockname()[1]
    edge_settings["loopback"] = all(ip_address(sock.getsockname()[0]).is_loopback for sock in sockets)
    journal_starts = itertools.count(0, JOURNAL_GAP)
    shown = f"[{options.host}]" if ":" in options.host else options.host

    def edge(control_fd: int) -> Sequence[str]:
        fds, start = tuple(sock.fileno() for sock in sockets), next(journal_starts)
        settings = EdgeSettings(listen_fds=fds, control_fd=control_fd, journal_start=start, **edge_settings)
        return [sys.executable, "-P", "-m", "reactor_runtime.server", settings.dumps()]

    def worker(control_fd: int) -> Sequence[str]:
        settings = json.dumps({"control_fd": control_fd, **worker_settings})
        # Or breakpoints in what CPython has frozen would be missed.
        debugging = ["-X", "frozen_modules=off"] if options.debug_port is not None else []
        return [sys.executable, "-P", *debugging, "-m", "reactor_runtime.worker", settings]

    os.environ.setdefault("PYTHONUNBUFFERED", "1")  # What the author prints is seen when it is printed.
    supervisor = Supervisor(
        Commands(edge, worker),
        sockets,
        say,
        f"http://{shown}:{port}",
        grace=grace,
        debugged=options.debug_port is not None,
    )
    with _folder_of_steps() as worker_settings["steps_folder"]:
        return supervisor.run()


@contextlib.contextmanager
def _folder_of_steps() -> Iterator[str | None]:
    """Where the model's processes keep the results of steps: gone with the service, whichever process has died before.
    None where no folder can be made.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix="reactor-steps-", ignore_cleanup_errors=True)
    except OSError:
        yield None
        return
    with made as folder:
        yield folder


def headless(options: RunOptions, **choices: Any) -> NoReturn:
    """Run the model in this process, without a network, and exit. `choices` are `HeadlessOptions`' own.

    Raises `RunError`.
    """
    from reactor_runtime.cli.headless import HeadlessError, HeadlessOptions, leave, run_headless
    from reactor_runtime.worker.styles.style import Rules

    try:
        code = run_headless(
            HeadlessOptions(
                path=options.path,
                config=_config_file(options),
                overrides=options.overrides,
                max_session_duration=_max_session_duration(options),
                rules=Rules(**_rules(options)),
                profiling_dir=_profiling_dir(options),
                debug_port=_debug_port(options),
                log_level=options.log_level,
                **choices,
            )
        )
    except HeadlessError as error:
        raise RunError(str(error)) from None
    leave(code)


def config_help(options: RunOptions) -> str:
    """The values of the model's config, one a line: key, type, and what it is with all overrides. Raises `RunError`."""
    from reactor_runtime.workspace import WorkspaceError, leaves, read_config, read_manifest

    try:
        manifest = read_manifest(options.path, _config_file(options))
        if not manifest.entry and manifest.config is None:  # Its code alone says which file.
            from reactor_runtime.worker.loader import found as found_model

            with contextlib.redirect_stdout(sys.stderr):
                manifest = found_model(manifest)
        found = list(leaves(read_config(manifest.config, options.overrides, complete=False)))
    except WorkspaceError as error:
        raise RunError(str(error)) from None
    if not found:
        path = manifest.path if manifest.path.exists() else manifest.path.parent
        return f"{path} names no config file." if manifest.config is None else f"{manifest.config} is empty."
    rows = [(f"--model.{leaf.key}", leaf.type, json.dumps(leaf.value, ensure_ascii=False)) for leaf in found]
    keys, types = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "\n".join(f"{key:<{keys}}  {kind:<{types}}  {value}" for key, kind, value in rows)


def _edge_settings(options: RunOptions) -> dict[str, Any]:
    if options.runtime not in RUNTIMES:
        raise RunError(f"--runtime {options.runtime}: not in this version; there is {', '.join(RUNTIMES)}")
    codecs = tuple(codec.upper() for codec in options.codecs)
    for codec in codecs:
        if codec not in CODECS:
            raise RunError(f"--codec {codec}: choose from {', '.join(CODECS)}")
    environment = options.environment
    stun = _list("--stun-server", options.stun_servers, environment, "STUN_SERVERS")
    turn = _list("--turn-server", options.turn_servers, environment, "TURN_SERVERS")
    servers = [_stun(*server) for server in stun] + [_turn(*server) for server in turn]
    min_port, max_port = _port_range(
        *_one("--webrtc-port-range", options.webrtc_port_range, environment, "WEBRTC_PORT_RANGE")
    )
    source, policy = _one("--ice-transport-policy", options.ice_transport_policy, environment, "ICE_TRANSPORT_POLICY")
    if policy and policy not in ICE_POLICIES:
        raise RunError(f"{source} {policy!r}: choose from {', '.join(ICE_POLICIES)}")
    if policy == "relay" and not turn:
        raise RunError(f"{source} relay: no viewer can connect without a --turn-server")
    return {
        "orphan_timeout": options.orphan_timeout,
        "ping_timeout": _seconds(options, "WEBRTC_CLIENT_PING_TIMEOUT_SECONDS", options.ping_timeout),
        "max_session_duration": _max_session_duration(options),
        "ice_servers": tuple(servers),
        "relay_only": policy == "relay",
        "min_port": min_port,
        "max_port": max_port,
        "codecs": codecs,
        "host": options.host,
        "cors_origins": tuple(_origin(origin) for origin in options.cors_origins),
        "log_level": options.log_level,
    }


def _token(options: RunOptions) -> str | None:
    """None for none; a blank one is somebody's mistake, who believes that there is one."""
    source, token, otherwise = "--token", options.token, "leave it out"
    if token is None and (token := options.environment.get(TOKEN_VARIABLE)) is not None:
        source, token, otherwise = TOKEN_VARIABLE, token.strip(), "unset it"
    if token is None:
        return None
    if not token:
        raise RunError(f"{source} is empty: give a token, or {otherwise} to serve everybody")
    if not re.fullmatch(r"[!-~]+", token):
        raise RunError(f"{source}: use letters, digits and punctuation, without spaces")
    return token


def _origin(text: str) -> str:
    if text != "*" and not re.fullmatch(r"https?://[\w.:\[\]-]+", text):
        raise RunError(f"--cors-origin {text!r}: write https://HOST, https://HOST:PORT, or * for all")
    return text.lower()


def _worker_settings(options: RunOptions) -> dict[str, Any]:
    config, profiling = _config_file(options), _profiling_dir(options)
    return {
        "path": str(options.path.resolve()),
        "config": str(config) if config is not None else None,
        "overrides": dict(options.overrides),
        "rules": _rules(options),
        "profiling_dir": str(profiling) if profiling is not None else None,
        "debug_port": _debug_port(options),
        "log_level": options.log_level,
    }


def _max_session_duration(options: RunOptions) -> float:
    return _seconds(options, "MAX_SESSION_DURATION_SECONDS", options.max_session_duration)


def _rules(options: RunOptions) -> dict[str, Any]:
    """See `worker.styles.Rules`."""
    grace = options.session_grace
    if grace is not None and not grace <= MAX_GRACE_S:  # Which is true of what is no number, too.
        raise RunError(f"--session-grace {grace:g}: write seconds, at most {MAX_GRACE_S:g}, which is a week")
    graces = {} if grace is None else {"session_grace": grace, "step_grace": grace}
    return {**graces, "check_leaks": options.check_leaks}


def _config_file(options: RunOptions) -> Path | None:
    if options.config is None:
        return None
    if not options.config.is_file():
        raise RunError(f"--config {options.config}: there is no such file")
    return options.config.resolve()


def _profiling_dir(options: RunOptions) -> Path | None:
    if options.profiling_dir is None:
        return None
    directory = options.profiling_dir.resolve()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"--profiling-dir {options.profiling_dir}: {error.strerror or error}") from None
    return directory


def _debug_port(options: RunOptions) -> int | None:
    if options.debug_port is not None and importlib.util.find_spec("debugpy") is None:
        raise RunError("--debug needs the package debugpy: pip install debugpy")
    return options.debug_port


def _one(option: str, value: str, environment: Mapping[str, str], variable: str) -> tuple[str, str]:
    """Where the value comes from, and the value: the option's, else the variable's."""
    if value or not environment.get(variable, "").strip():
        return option, value
    return f"{variable}:", environment[variable].strip()


def _list(option: str, values: Sequence[str], environment: Mapping[str, str], variable: str) -> list[tuple[str, str]]:
    """As `_one`, for an option that may be repeated; the variable's values have commas between them."""
    if values:
        return [(option, value) for value in values]
    return [(f"{variable}:", value.strip()) for value in environment.get(variable, "").split(",") if value.strip()]


def _seconds(options: RunOptions, variable: str, default: float) -> float:
    text = options.environment.get(variable, "").strip()
    if not text:
        return default
    if not re.fullmatch(r"\d+(\.\d*)?", text):
        raise RunError(f"{variable}={text!r}: write seconds, 0 or more")
    return float(text)


def _stun(source: str, url: str) -> IceServer:
    if not re.match(r"stuns?:.", url):
        raise RunError(f"{source} {url!r}: write stun:HOST:PORT")
    return (url,), "", ""


def _turn(source: str, text: str) -> IceServer:
    parts = text.split(";")
    if len(parts) != 3 or not all(parts):
        raise RunError(f"{source} {text!r}: write USER;PASSWORD;turn:HOST:PORT")
    return (parts[2],), parts[0], parts[1]


def _port_range(source: str, text: str) -> tuple[int, int]:
    if not text:
        return 0, 0
    match = re.fullmatch(r"(\d*):(\d*)", text)
    low, high = (int(match[1] or 1024), int(match[2] or 65535)) if match and text != ":" else (0, 0)
    if not 1024 <= low <= high <= 65535:
        raise RunError(f"{source} {text!r}: write MIN:MAX, within 1024 and 65535")
    return low, high
