"""One loaded model under the worker's driver, on virtual time: what the kit stands on."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import inspect
import itertools
from collections.abc import Callable
from typing import Any

from reactor_runtime.authoring import Description, Hook, HookName
from reactor_runtime.link import CommandCall, CommandDone, LinkMessage, SessionEnd, SessionOver
from reactor_runtime.worker.driver import Driver
from reactor_runtime.worker.styles import Rules
from reactor_runtime.worker.testing.edge import Edge
from reactor_runtime.worker.testing.virtual_time import Deadlock, Livelock, VirtualTimeLoop, loading

_PATIENCE_S = 10.0
"""Real seconds that the end of a test waits for a thread of the author's."""
_LAST_S = 0.001
"""Virtual seconds in which a driver that has failed while the session ended says so."""
_NOBODY = ""
"""A command that no model has: its answer says that all that was delivered before it has been handled."""


class Stuck(AssertionError):
    """What the test waits for does not come; the text says what the model did instead."""


class Stage:
    """The model runs only inside `settle`, `until`, `pause` and `close`; else it stands still. One thread.

    `edge` takes what the driver sends. Of the `rules` those hold that virtual time leaves. Raises what `load` raises.
    """

    def __init__(self, description: Description, config: Any, edge: Edge, rules: Rules) -> None:
        self._edge = edge
        self._rules = dataclasses.replace(rules, lockstep=True)
        self._done: Callable[[], bool] | None = None
        self._ids = itertools.count(1)
        self._marks: set[int] = set()
        self._hook_errors: list[Exception] = []
        self._crash: BaseException | None = None
        self.steps = 0
        """The steps of `inference` so far."""
        self._runner = asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(patience=_PATIENCE_S))
        loop = self._runner.get_loop()
        assert isinstance(loop, VirtualTimeLoop)
        self.loop = loop
        self.zero = loop.time()
        try:
            with loading(loop):
                self.model = description.make(config)
            self.driver = self._runner.run(self._make_driver(description))
            with loading(loop):
                description.load(self.model, config)
            self._running = self._runner.run(self._begin())
        except BaseException:
            self._runner.close()
            raise

    async def _make_driver(self, description: Description) -> Driver:
        hooks: dict[HookName, Hook] = {name: self._watched(hook) for name, hook in description.hooks.items()}
        sink = self._edge.sink(self.loop.time, self.zero, self._news)
        watched = dataclasses.replace(description, hooks=hooks)
        return Driver(self.model, watched, self._take, sink, self._edge.files, self._rules)

    async def _begin(self) -> asyncio.Future[None]:
        self.driver.on_step = self._count
        running = asyncio.ensure_future(self.driver.run())
        running.add_done_callback(self._ended)
        return running

    def _ended(self, _: object) -> None:
        self.loop.stop()

    def _watched(self, hook: Hook) -> Hook:
        """The same hook, whose errors come out of the call that ran it; the driver only logs them."""

        def call(model: Any, **given: Any) -> Any:
            try:
                result = hook.function(model, **given)
            except Exception as error:
                self._hook_errors.append(error)
                raise
            return wait(result) if inspect.isawaitable(result) else result

        async def wait(result: Any) -> Any:
            try:
                return await result
            except Exception as error:
                self._hook_errors.append(error)
                raise

        return dataclasses.replace(hook, function=call)

    # The driver's side ------------------------------------------------------------------------------------------------

    def _take(self, message: LinkMessage) -> None:
        if isinstance(message, CommandDone) and message.id in self._marks:
            self._marks.discard(message.id)
        else:
            self._edge.take(message)
        if isinstance(message, SessionOver):  # As the service does.
            self.driver.deliver(SessionEnd(message.session, message.reason))
        self._news()

    def _count(self) -> None:
        self.steps += 1
        self._news()

    def _news(self) -> None:
        """Something has happened that a test may wait for. On the loop."""
        if self._done is not None and self._done():
            self.loop.stop()  # Once all has run that is ready: no step begins after the one that was waited for.

    # The test's side --------------------------------------------------------------------------------------------------

    @property
    def time(self) -> float:
        """Seconds of virtual time since the stage was made."""
        return self.loop.time() - self.zero

    @property
    def place(self) -> str | None:
        """Where the step in hand stands, as `file:line`; None between steps."""
        return self.driver.style.place()

    def next_id(self) -> int:
        """For a command."""
        return next(self._ids)

    def deliver(self, message: LinkMessage) -> None:
        """Put a message into the driver's inbox, to be handled when the model runs."""
        self._check()
        self.driver.deliver(message)

    def settle(self, seconds: float, failure: Callable[[], str]) -> None:
        """Let the model run until it has handled all that was delivered, and not a step further.

        Raises what a hook raised meanwhile, and as `until` does.
        """
        mark = self.next_id()
        self._marks.add(mark)
        self.deliver(CommandCall(mark, 0, _NOBODY, {}))
        self.until(lambda: mark not in self._marks, seconds, failure)

    def until(self, done: Callable[[], bool], seconds: float, failure: Callable[[], str]) -> None:
        """Let the model run until `done()`, which is asked whenever something has happened.

        Raises `Stuck` with the text of `failure()` after so many seconds of virtual time, and what `inference`, `run`
        or a hook raised meanwhile.
        """
        if not done():
            self._done = done
            self._run(self.loop.time() + seconds)
        if not done():
            raise Stuck(failure())

    def pause(self, until: float) -> None:
        """Let the model run until `time` is that. Raises what it raises."""
        if until > self.time:
            self._run(self.zero + until)

    def _run(self, when: float) -> None:
        self._check()
        timer = self.loop.call_at(when, self.loop.stop)
        try:
            self.loop.run_forever()
        except Livelock:
            raise Stuck(
                "no time passes: a task waits for nothing again and again, as `await asyncio.sleep(0)` in a loop does"
            ) from None
        except Deadlock as error:
            raise Stuck(str(error)) from None
        finally:
            self._done = None
            timer.cancel()
        self._raise()

    def _check(self) -> None:
        if self._crash is not None:
            raise RuntimeError(f"the model has crashed: {type(self._crash).__name__}: {self._crash}") from self._crash
        if self.loop.is_closed():
            raise RuntimeError("the test is over: its `with` block has ended")

    def _raise(self) -> None:
        if self._running.done() and not self._running.cancelled() and self._crash is None:
            self._crash = self._running.exception()
            if self._crash is not None:
                raise self._crash
        if self._hook_errors:
            error = self._hook_errors[0]
            self._hook_errors.clear()
            raise error

    def close(self) -> None:
        """End the session with all of the author's clean-up, and everything that the model has left on the loop.

        Raises what a hook, or the model, raised meanwhile. Idempotent.
        """
        if self.loop.is_closed():
            return
        try:
            if not self._running.done():
                with contextlib.suppress(Livelock):  # Whoever spins is cancelled with the rest.
                    self._runner.run(self._end())
            self._raise()
        finally:
            self._runner.close()

    async def _end(self) -> None:
        self._running.remove_done_callback(self._ended)
        await self.driver.close("the test is over")
        await asyncio.wait([self._running], timeout=_LAST_S)
        self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([self._running])
