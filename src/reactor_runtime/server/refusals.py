"""How a refusal looks, for the description of the service that it gives of itself."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.responses import JSONResponse


class Refusal(BaseModel):
    """Why a request is refused."""

    detail: str


class Unfit(BaseModel):
    """What of a request is not as it should be: in words, or part by part."""

    detail: str | list[dict[str, Any]]


def refusals(**texts: str) -> dict[int | str, dict[str, Any]]:
    """The statuses, as `_404="…"`, that a route may answer beside the good one, each with its reason."""
    return {int(status.removeprefix("_")): {"model": Refusal, "description": text} for status, text in texts.items()}


def printable(text: str) -> str:
    """A text of a client's, with what is half a character spelt out: no response can carry that."""
    return text.encode(errors="backslashreplace").decode()


async def unfit(_request: Request, error: Exception) -> JSONResponse:
    """The answer to a `RequestValidationError`: what is wrong, and where. Not what came, which JSON may have no form
    for.
    """
    assert isinstance(error, RequestValidationError)
    found = [
        {
            "type": each["type"],
            "loc": [printable(part) if isinstance(part, str) else part for part in each["loc"]],
            "msg": printable(each["msg"]),
        }
        for each in error.errors()
    ]
    return JSONResponse({"detail": found}, 422)


EVERYWHERE = refusals(
    _401="A token is needed, and this is not it.",
    _403="Of a page that the service is not open to, or under a name that is not its own.",
)
UNREADY = refusals(_503="The model loads (with `Retry-After`), or could not be loaded.")
BODY = refusals(_400="The body is not UTF-8.", _413="The body is too long.")
SIGNALLING = refusals(
    _400="No session is running, or the body is not UTF-8.",
    _404="Another session, or a connection that has made no offer or is gone.",
    _413="The body is too long.",
    _429="As many watch as may.",
    _503="There are too many connections, or the offer could not be answered in time.",
) | {422: {"model": Unfit, "description": "What was sent is not what it should be, or the offer cannot be answered."}}
UPLOADS = refusals(
    _400="What was sent cannot be a file: its name, type or size, or the bytes are too few.",
    _404="Another session, or no such upload.",
    _408="Nothing came for too long.",
    _409="The model takes no files, or the bytes are here already.",
    _413="There is no room, or the bytes are too many.",
    _507="The disk is full.",
)
PENDING: dict[int | str, dict[str, Any]] = {202: {"description": "The answer is not there yet: ask again."}}
STEPS = refusals(_404="Nothing of that session, or of that step, or no such file of it.")
