"""`CommandError`: how a handler says to a client, in the author's own words, that its command has failed."""

from __future__ import annotations


class CommandError(Exception):
    """Raise it in a command's handler: the client gets `code` and `message` as they are, and nothing is logged."""

    def __init__(self, code: str, message: str) -> None:
        if not isinstance(code, str) or not isinstance(message, str):
            raise TypeError(f"CommandError takes a code and a message, both text: got {code!r} and {message!r}")
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
