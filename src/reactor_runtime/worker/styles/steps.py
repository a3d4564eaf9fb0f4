"""A pipeline's generator, advanced one step at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reactor_runtime.authoring import Idle, ReactorPipeline


class PipelineSteps:
    """The generator of one session. `inference` may be sync or async, a method or an attribute set in `load`."""

    def __init__(self, model: ReactorPipeline) -> None:
        self._model = model
        self._generator: Any = None

    async def advance(self) -> Any | None:
        """One iteration; a sync one blocks the loop, which is what keeps handlers out of it.

        Returns what was yielded, or None for `Idle`, None, and an end, after which a new generator takes over with
        the same state. Raises what the author's code raises.
        """
        if self._generator is None:
            made: Any = self._model.inference()
            self._generator = aiter(made) if hasattr(made, "__aiter__") else iter(made)
        try:
            if hasattr(self._generator, "__anext__"):
                yielded = await anext(self._generator)
            else:
                yielded = next(self._generator)
        except (StopIteration, StopAsyncIteration):
            self._generator = None
            return None
        except BaseException:
            self._generator = None
            raise
        return None if yielded is Idle else yielded

    def place(self) -> str | None:
        """Where the step in hand stands in the author's generator, as `file:line`; None between steps."""
        generator = self._generator
        running = getattr(generator, "ag_running", False)
        frame = getattr(generator, "ag_frame", None) if running else None
        return None if frame is None else f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"

    async def close(self) -> None:
        """End the generator: its `finally` blocks run now. Raises what they raise. Idempotent."""
        generator, self._generator = self._generator, None
        if hasattr(generator, "aclose"):
            await generator.aclose()
        elif hasattr(generator, "close"):
            generator.close()
