"""The routes that files come in by: `POST …/uploads` reserves a slot, `PUT /uploads/{id}` fills it, and `DELETE` takes
it back.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from reactor_runtime.server.guard import check_session_id
from reactor_runtime.session import SessionEngine, State, UploadRefused


class Reservation(BaseModel):
    """A file that is to come; `size` is in bytes, and exact. Its id is `upload_id`, if the client has one for it."""

    name: str
    size: Annotated[int, Field(strict=True)]
    mime_type: str
    upload_id: str | None = None


_BYTES = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}


def upload_routes(engine: SessionEngine) -> APIRouter:
    """The routes of one edge. They need a model that takes files, but no running session."""
    routes = APIRouter()

    @routes.post("/sessions/{session}/uploads", status_code=201)
    async def reserve(session: str, body: Reservation, request: Request) -> dict[str, Any]:
        """Make a slot; the answer says where the bytes of the file go."""
        check_session_id(engine, session)
        if engine.contract is None and engine.state is State.TERMINATED:
            raise HTTPException(503, f"the model could not be loaded: {engine.detail}")
        if engine.contract is None:
            raise HTTPException(503, "the model is still loading", {"Retry-After": "1"})
        if not engine.contract.accepts_uploads:
            raise HTTPException(409, "this model takes no files")
        try:
            upload = engine.uploads.reserve(body.name, body.size, body.mime_type, body.upload_id)
        except UploadRefused as refused:
            raise HTTPException(refused.status, str(refused)) from None
        # By the name that the client reaches us under, whatever stands between.
        url = request.url_for("fill", upload=upload)
        return {"presigned_id": upload, "presigned_url": str(url), "path": url.path}

    @routes.put("/uploads/{upload}", openapi_extra={"requestBody": _BYTES})
    async def fill(upload: str, request: Request) -> None:
        """Take the bytes of a slot, as they are."""
        length = request.headers.get("content-length")
        try:
            await engine.uploads.take(upload, request.stream(), int(length) if length is not None else None)
        except UploadRefused as refused:
            raise HTTPException(refused.status, str(refused)) from None
        except ClientDisconnect:
            raise HTTPException(400, "the connection ended before the file did") from None

    @routes.delete("/uploads/{upload}", status_code=204)
    async def discard(upload: str) -> None:
        """Take a file back, or a slot: commands can name it no more."""
        try:
            engine.uploads.discard(upload)
        except UploadRefused as refused:
            raise HTTPException(refused.status, str(refused)) from None

    return routes
