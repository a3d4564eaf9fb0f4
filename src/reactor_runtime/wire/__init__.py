"""What clients say and hear, as bytes on a channel."""

from reactor_runtime.wire.v0 import (
    Call,
    ClientMessage,
    FileUploaded,
    Ping,
    RequestSchema,
    Subscribe,
    Unknown,
    WireError,
    application,
    decode,
    problem,
    runtime,
)

__all__ = [
    "Call",
    "ClientMessage",
    "FileUploaded",
    "Ping",
    "RequestSchema",
    "Subscribe",
    "Unknown",
    "WireError",
    "application",
    "decode",
    "problem",
    "runtime",
]
