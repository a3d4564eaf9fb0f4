"""A module beside a model's own, from which the context is asked for."""

from __future__ import annotations

from reactor_runtime.context_api import ReactorContext, get_ctx


def helpers_context() -> ReactorContext:
    return get_ctx()
