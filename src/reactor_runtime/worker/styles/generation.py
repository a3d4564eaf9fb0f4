"""One call of an app's `generate`, in whichever form the author has written it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

from reactor_runtime.authoring import StepOutcome
from reactor_runtime.worker.handling import cancelled_by_us


class Generation:
    """A step in hand. Belongs to the driver's loop; `clock` gives its seconds."""

    def __init__(self, generate: Callable[[Any], Any], clock: Callable[[], float]) -> None:
        self._generate = generate
        self._clock = clock
        self.elapsed = 0.0
        """How long it has run for, in seconds."""
        self._awaited: Any = None

    async def outcomes(self, given: Any) -> AsyncGenerator[StepOutcome]:
        """What the step comes to: a partial outcome for each value yielded, and at its end a last one that is not.

        A generator that ends without a value of its own has nothing to add to what it has yielded, and then there is
        no last outcome. What `generate` raises, be it in the middle, is the last outcome; only a cancellation of ours
        is raised, and what ends a process. The generator is closed when this is.
        """
        yielded, made = False, None
        try:
            result = made = await self._timed(lambda: self._generate(given))
            if _is_generator(made):
                result = None
                while True:
                    try:
                        value = await self._timed(lambda: _advance(made))
                    except (StopIteration, StopAsyncIteration):
                        break
                    except _Returned as returned:
                        result = returned.value
                        break
                    yielded = True
                    yield StepOutcome(value, elapsed=self.elapsed, partial=True)
                if yielded and result is None:
                    return
            last = StepOutcome(result, elapsed=self.elapsed)
        except asyncio.CancelledError as error:
            if cancelled_by_us():
                raise
            last = StepOutcome(error=_uncancelled(error), elapsed=self.elapsed)
        except Exception as error:
            last = StepOutcome(error=error, elapsed=self.elapsed)
        finally:
            await _close(made)
        yield last

    def place(self) -> str | None:
        """Where it waits, as `file:line`; None while it does not."""
        frame = next(
            (
                frame
                for name in ("cr_frame", "ag_frame", "gi_frame")
                if (frame := getattr(self._awaited, name, None)) is not None
            ),
            None,
        )
        return None if frame is None else f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"

    async def _timed(self, call: Callable[[], Any]) -> Any:
        began = self._clock()
        try:
            result = call()
            if inspect.isawaitable(result):
                self._awaited = result
                result = await result
            return result
        finally:
            self._awaited = None
            self.elapsed += self._clock() - began


class _Returned(Exception):
    """A generator has ended with a value: `StopIteration` does not travel through a coroutine."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.value = value


def _is_generator(made: Any) -> bool:
    return inspect.isgenerator(made) or inspect.isasyncgen(made)


def _advance(made: Any) -> Any:
    """The next value, or for an async generator the awaitable of it."""
    if hasattr(made, "__anext__"):
        return anext(made)
    try:
        return next(made)
    except StopIteration as stop:
        raise _Returned(stop.value) from None


async def _close(made: Any) -> None:
    if inspect.isasyncgen(made):
        await made.aclose()
    elif inspect.isgenerator(made):
        made.close()


def _uncancelled(error: BaseException) -> RuntimeError:
    made = RuntimeError("generate was cancelled from within")
    made.__cause__ = error
    return made
