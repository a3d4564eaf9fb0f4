"""What clients say and hear, as bytes on a channel."""

from reactor_runtime.wire.v0 import (
    Call,
    ClientMessage,
    Ping,
    RequestSchema,
    Subscribe,
    Unknown,
    WireError,
    application,
    decode,
    runtime,
)

__all__ = [
    "Call",
    "ClientMessage",
    "Ping",
    "RequestSchema",
    "Subscribe",
    "Unknown",
    "WireError",
    "application",
    "decode",
    "runtime",
]
