"""The HTTP surface: session, signalling, health, and the playground."""

from __future__ import annotations

import importlib.metadata
import os
from importlib.resources import files

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from reactor_runtime.server.connections import Connections
from reactor_runtime.server.description import describe_access
from reactor_runtime.server.events import event_routes
from reactor_runtime.server.legacy import legacy_routes
from reactor_runtime.server.middleware import BodyLimit, PageHeaders
from reactor_runtime.server.refusals import EVERYWHERE, SIGNALLING, STEPS, UNREADY, UPLOADS, unfit
from reactor_runtime.server.security import Access, OriginCheck, TokenCheck, cors
from reactor_runtime.server.sessions import session_routes
from reactor_runtime.server.settings import EdgeSettings
from reactor_runtime.server.signalling import Signalling, signalling_routes
from reactor_runtime.server.steps import step_routes
from reactor_runtime.server.uploads import upload_routes
from reactor_runtime.session import SessionEngine


def create_app(
    engine: SessionEngine, connections: Connections, settings: EdgeSettings, access: Access | None = None
) -> FastAPI:
    """The application of one edge; open to all without `access`."""
    version = importlib.metadata.version("open-reactor")
    app = FastAPI(title="open-reactor", version=version, docs_url=None, redoc_url=None, responses=EVERYWHERE)
    app.add_exception_handler(RequestValidationError, unfit)
    access = access or Access(origins=("*",))
    app.add_middleware(BodyLimit)
    app.add_middleware(PageHeaders)
    app.add_middleware(TokenCheck, access=access)
    app.add_middleware(cors, access=access)
    app.add_middleware(OriginCheck, access=access)

    app.include_router(session_routes(engine, version))
    signalling = Signalling(engine, connections, settings)
    app.include_router(signalling_routes(signalling, engine), responses=SIGNALLING)
    app.include_router(legacy_routes(signalling, connections), responses=SIGNALLING)
    app.include_router(upload_routes(engine), responses=UPLOADS | UNREADY)
    app.include_router(step_routes(engine), responses=STEPS)
    app.include_router(event_routes(engine.journal))
    describe_access(app, access)

    playground = str(files("reactor_runtime") / "playground")

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(os.path.join(playground, "index.html"))

    app.mount("/playground", StaticFiles(directory=playground), name="playground")
    return app
