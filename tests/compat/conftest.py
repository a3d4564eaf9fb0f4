"""The fixtures of the service tests, for the checks that need the served surface."""

from __future__ import annotations

from tests.service.conftest import lamp, own_lamp, serve, shared_lamp, watch, workspace

__all__ = ["lamp", "own_lamp", "serve", "shared_lamp", "watch", "workspace"]
