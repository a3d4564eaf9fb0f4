"""`@profile_fn`: a section around a function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, TypeVar, overload

from reactor_runtime.profiling.profiler import get_profiler
from reactor_runtime.profiling.timing import Buckets, CudaTimingMode

F = TypeVar("F", bound=Callable[..., Any])


@overload
def profile_fn(key: F) -> F: ...
@overload
def profile_fn(
    key: str | None = None, *, cuda_timing: CudaTimingMode = ..., bucket_boundaries: Buckets = ...
) -> Callable[[F], F]: ...
def profile_fn(
    key: Any = None, *, cuda_timing: CudaTimingMode = CudaTimingMode.NONE, bucket_boundaries: Buckets = None
) -> Any:
    """Put every call of a function into a section called `key`, by default the function's name.

    Use it as `@profile_fn`, `@profile_fn()` or `@profile_fn("name", cuda_timing=...)`, on functions and generator
    functions, sync or async. Of a generator every step is a section; it takes nothing that is sent or thrown into it.
    """
    if callable(key):
        return profile_fn()(key)

    def decorate(function: Any) -> Any:
        name = key or function.__name__

        def section() -> Any:
            return get_profiler().section(name, cuda_timing, bucket_boundaries)

        if inspect.isasyncgenfunction(function):

            async def agen(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
                generator = function(*args, **kwargs)
                try:
                    while True:
                        try:
                            with section():
                                item = await anext(generator)
                        except StopAsyncIteration:
                            return
                        yield item
                finally:
                    await generator.aclose()

            wrapper: Any = agen
        elif inspect.isgeneratorfunction(function):

            def gen(*args: Any, **kwargs: Any) -> Generator[Any, None, Any]:
                generator = function(*args, **kwargs)
                try:
                    while True:
                        try:
                            with section():
                                item = next(generator)
                        except StopIteration as end:
                            return end.value
                        yield item
                finally:
                    generator.close()

            wrapper = gen
        elif inspect.iscoroutinefunction(function):

            async def coroutine(*args: Any, **kwargs: Any) -> Any:
                with section():
                    return await function(*args, **kwargs)

            wrapper = coroutine
        else:

            def call(*args: Any, **kwargs: Any) -> Any:
                with section():
                    return function(*args, **kwargs)

            wrapper = call
        return functools.wraps(function)(wrapper)

    return decorate
