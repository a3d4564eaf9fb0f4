"""Who may ask: under which name the service is reached, from which pages, and with which token."""

from __future__ import annotations

import hashlib
import hmac
import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

ANY = "*"
_LOCAL_HOST = r"(?:localhost|(?:[a-z0-9-]+\.)+localhost|127(?:\.\d{1,3}){3}|\[::1\])"
_LOCAL_ORIGIN = rf"https?://{_LOCAL_HOST}(?::\d{{1,5}})?"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_OPEN = "/health"
_BY_QUERY = ("/", "/events")
"""Where a browser can send no header of its own: a page that is opened, and an `EventSource`."""


@dataclass(frozen=True, slots=True)
class Access:
    """What the surface is open to.

    `token` is empty for none. `origins` are pages, as `scheme://host[:port]`, beside the service's own and those of
    this machine; `*` is any. A service that is bound to `loopback` answers to the names of this machine alone, to
    `host`, which it was told to listen on, and to the hosts of `origins`.
    """

    token: str = ""
    origins: tuple[str, ...] = ()
    loopback: bool = False
    host: str = ""

    def takes_page(self, origin: str, host: str) -> bool:
        """Whether a page from `origin` may ask, of a service that it knows as `host`."""
        known = ANY in self.origins or origin.lower() in self.origins
        return known or re.fullmatch(_LOCAL_ORIGIN, origin.lower()) is not None or is_own_page(origin, host)

    def takes_host(self, host: str) -> bool:
        """Whether the service is known under this name. Only one that a browser was deceived about is not."""
        if not self.loopback or not host or ANY in self.origins:
            return True
        name = re.sub(r":\d*$", "", host.lower())
        known = {self.host.lower(), *(urlsplit(origin).hostname for origin in self.origins)}
        return name in known or re.fullmatch(_LOCAL_HOST, name) is not None

    def takes_token(self, tokens: Iterable[str]) -> bool:
        """Whether the token is among these. How long that takes says nothing of it."""
        return any(hmac.compare_digest(_digest(token), _digest(self.token)) for token in tokens)

    @property
    def cookie(self) -> tuple[str, str]:
        """Name and value of the cookie that stands for the token. Services of one host have each their own."""
        value = hmac.new(self.token.encode(), b"cookie", hashlib.sha256).hexdigest()
        return f"reactor_{_digest(self.token).hex()[:8]}", value


def is_own_page(origin: str, host: str) -> bool:
    """Whether a page comes from the service itself, which it knows as `host`; TLS may end before us."""
    scheme, _, authority = origin.lower().partition("://")
    port = _DEFAULT_PORTS.get(scheme)
    return port is not None and authority.removesuffix(port) == host.lower().removesuffix(port)


class OriginCheck:
    """Refuses requests under a name that is not the service's, and those of pages that it is not open to, before
    anything is done for them. Programs that are no browsers send no origin, and nor does whoever opens an address.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host, origin = headers.get("host", ""), headers.get("origin", _embedder(headers))
            if not self._access.takes_host(host):
                text = f"this service is not known as {_shown(host)}: --cors-origin http://{_shown(host)} opens it"
                return await JSONResponse({"detail": text}, 403)(scope, receive, send)
            if origin is not None and not self._access.takes_page(origin, host):
                text = f"this service takes no requests of pages from {_shown(origin)}: --cors-origin opens it to them"
                return await JSONResponse({"detail": text}, 403)(scope, receive, send)
        return await self._app(scope, receive, send)


class TokenCheck:
    """With a token, answers 401 to whoever does not bring it; anybody may ask for the health.

    It comes as `Authorization: Bearer`, as the cookie that opening `/?token=…` sets, and, where no header can be sent,
    as `token` in the query.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._access.token or scope["type"] != "http" or scope["path"] == _OPEN:
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        reads = scope["method"] in ("GET", "HEAD")
        asked = [value for key, value in query if key == "token"] if reads and scope["path"] in _BY_QUERY else []
        if self._access.takes_token([*asked, *_bearer(headers)]):
            if asked and scope["path"] == "/":
                rest = [item for item in query if item[0] != "token"]
                return await self._welcome(rest, secure=scope["scheme"] == "https")(scope, receive, send)
            return await self._app(scope, receive, send)
        if self._has_cookie(headers):
            return await self._app(scope, receive, send)
        text = "this service needs its token: open /?token=… in a browser, or send Authorization: Bearer …"
        refusal = JSONResponse({"detail": text}, 401, {"WWW-Authenticate": "Bearer"})
        return await refusal(scope, receive, send)

    def _has_cookie(self, headers: Headers) -> bool:
        """It is for the service's own page: a browser sends it from other pages of the same machine, too."""
        origin = headers.get("origin", _embedder(headers))
        if origin is not None and not is_own_page(origin, headers.get("host", "")):
            return False
        name, value = self._access.cookie
        found = cookie_parser("; ".join(headers.getlist("cookie"))).get(name, "")
        return hmac.compare_digest(_digest(found), _digest(value))

    def _welcome(self, rest: list[tuple[str, str]], *, secure: bool) -> Response:
        """Sets the cookie, and leads to the page without the token in its address.

        Not a redirect: to one that begins on another site, a browser sends no cookie that is `SameSite=Strict`.
        """
        there = html.escape("/" + (f"?{urlencode(rest)}" if rest else ""))
        page = HTMLResponse(
            f'<!doctype html><title>Reactor</title><meta http-equiv="refresh" content="0;url={there}">',
            headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"},
        )
        page.set_cookie(*self._access.cookie, httponly=True, samesite="strict", secure=secure)
        return page


def cors(app: ASGIApp, access: Access) -> CORSMiddleware:
    """Lets the pages that the service is open to read what it answers. No cookies: those are for its own page."""
    return CORSMiddleware(
        app,
        allow_origins=[ANY] if ANY in access.origins else list(access.origins),
        allow_origin_regex=_LOCAL_ORIGIN,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["Retry-After"],
        max_age=86_400,
    )


def _embedder(headers: Headers) -> str | None:
    """The page that has a browser load something without saying for whom, as an image or a script: by the address that
    it may tell, `null` if it does not. None if it is the service's own page, or none.
    """
    site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode")
    if site in ("none", "same-origin") or mode == "navigate":
        return None
    page = re.match(r"https?://[^/?#]+", headers.get("referer", ""))
    return page[0] if page else "null"


def _bearer(headers: Headers) -> list[str]:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return [token.strip()] if kind.lower() == "bearer" else []


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _shown(text: str) -> str:
    return ascii(text[:100])[1:-1]
