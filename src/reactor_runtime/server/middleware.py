"""What holds for every request: how much of a body is read, and the headers of the page."""

from __future__ import annotations

import re

from fastapi import HTTPException
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 1 << 20
_UPLOAD = re.compile(r"/uploads/[^/]+")
PAGE_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "style-src 'self' 'unsafe-inline'",
        "frame-ancestors 'self'",
    )
)
"""The playground loads nothing from elsewhere."""


class BodyLimit:
    """Answers 413 to a body above `MAX_BODY` bytes, whether it says so or is streamed; but for the bytes of an
    upload, which go to disk, and which the session bounds.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"] == "PUT" and _UPLOAD.fullmatch(scope["path"])):
            return await self._app(scope, receive, send)
        text = f"a request body of at most {MAX_BODY} bytes is taken"
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > MAX_BODY:
            return await JSONResponse({"detail": text}, 413)(scope, receive, send)
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BODY:
                raise HTTPException(413, text)  # Of all that reading raises, FastAPI answers this alone as it is.
            return message

        return await self._app(scope, counted, send)


class PageHeaders:
    """The playground's files are never stale, for its modules belong together, and load nothing from elsewhere. No
    answer is taken for anything but what it says it is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        page = scope["path"] == "/" or scope["path"].startswith("/playground/")

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                if page:
                    headers["Cache-Control"] = "no-cache"
                    headers["Content-Security-Policy"] = PAGE_POLICY
                    headers["Referrer-Policy"] = "no-referrer"
            await send(message)

        return await self._app(scope, receive, with_headers)
