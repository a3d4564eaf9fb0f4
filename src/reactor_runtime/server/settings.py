"""What the edge is told at its start, as one JSON argument from the supervisor."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

TOKEN_VARIABLE = "REACTOR_TOKEN"


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """`listen_fds` are inherited listening sockets, `control_fd` leads to the supervisor.

    `ice_servers` are `(urls, username, credential)`; with `relay_only` no other candidates are used. `codecs` are names
    in order of preference, empty for the default. `ping_timeout` and `max_session_duration` are in seconds, 0 for none.
    `host` is what it listens on, `loopback` whether that is this machine alone, `cors_origins` whose pages may ask;
    the token is in the environment, where other users do not see it. The journal counts from `journal_start` on.
    """

    listen_fds: tuple[int, ...]
    control_fd: int
    orphan_timeout: float = 30.0
    ping_timeout: float = 20.0
    max_session_duration: float = 0.0
    ice_servers: tuple[tuple[tuple[str, ...], str, str], ...] = ()
    relay_only: bool = False
    min_port: int = 0
    max_port: int = 0
    codecs: tuple[str, ...] = ()
    host: str = ""
    loopback: bool = False
    cors_origins: tuple[str, ...] = ()
    journal_start: int = 0
    log_level: str = "warning"

    def dumps(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def loads(text: str) -> EdgeSettings:
        raw = json.loads(text)
        raw["listen_fds"], raw["codecs"] = tuple(raw["listen_fds"]), tuple(raw["codecs"])
        raw["cors_origins"] = tuple(raw["cors_origins"])
        raw["ice_servers"] = tuple((tuple(urls), user, credential) for urls, user, credential in raw["ice_servers"])
        return EdgeSettings(**raw)
