"""What `/openapi.json` says beside the routes: how a token is brought, and where none is asked for."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from reactor_runtime.server.security import Access


def describe_access(app: FastAPI, access: Access) -> None:
    """Have the description of an app tell who may ask."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        document = plain()
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "description": "The token."},
            "cookie": {
                "type": "apiKey",
                "in": "cookie",
                "name": access.cookie[0],
                "description": "Set by opening `/?token=…`; for the service's own page.",
            },
            "query": {"type": "apiKey", "in": "query", "name": "token", "description": "The token."},
        }
        anybody: list[dict[str, Any]] = [] if access.token else [{}]
        document["security"] = [*anybody, {"bearer": []}, {"cookie": []}]
        document["paths"]["/events"]["get"]["security"] = [*document["security"], {"query": []}]
        document["paths"]["/health"]["get"]["security"] = []
        return document

    app.openapi = described  # type: ignore[method-assign]  # As FastAPI's own manual has it.
