"""The clock that the testing kit stands on."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from reactor_runtime.worker.testing.virtual_time import Deadlock, Livelock, VirtualTimeLoop, run_virtual, spend


def test_an_hour_passes_in_no_time_and_timers_keep_their_order() -> None:
    async def main() -> list[int]:
        order: list[int] = []

        async def at(seconds: int) -> None:
            await asyncio.sleep(seconds)
            order.append(seconds)

        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(at(seconds) for seconds in (3000, 10, 200)))
        assert loop.time() - began == pytest.approx(3000)
        return order

    real = time.monotonic()
    assert run_virtual(main()) == [10, 200, 3000]
    assert time.monotonic() - real < 30


def test_spent_time_delays_the_timers_that_it_passes() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        began = loop.time()
        fired: list[float] = []
        loop.call_later(0.1, lambda: fired.append(loop.time() - began))
        loop.spend(0.5)
        assert not fired
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert fired == [pytest.approx(0.5)]

    run_virtual(main())


def test_what_can_never_end_is_an_error() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(TimeoutError):
        run_virtual(wait(), limit=5)
    with pytest.raises(Livelock):
        run_virtual(spin())
    loop = VirtualTimeLoop()
    with pytest.raises(Deadlock):
        loop.run_until_complete(wait())
    loop.close()


def test_a_thread_is_waited_for_in_real_time() -> None:
    async def main() -> int:
        return await asyncio.to_thread(lambda: threading.active_count() and 7)

    loop = VirtualTimeLoop(patience=10)
    assert loop.run_until_complete(main()) == 7
    loop.close()


def test_work_in_a_thread_takes_no_virtual_time_and_no_timer_overtakes_it() -> None:
    release = threading.Event()

    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        loop.call_later(5.0, release.set)
        threading.Timer(0.05, release.set).start()
        await asyncio.wait_for(asyncio.to_thread(release.wait, 10), 1.0)
        return loop.time() - began

    assert run_virtual(main()) == 0.0


def test_spend_is_for_code_on_such_a_loop() -> None:
    async def main() -> float:
        spend(2.5)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 1002.5
    with pytest.raises(RuntimeError, match="spend"):
        spend(1.0)
    with pytest.raises(RuntimeError, match="spend"):
        asyncio.run(main())
