"""`InputBuffer`: what a reader gets, and when it stops waiting."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

from reactor_runtime.authoring import BufferClosed, InputBuffer, InputFrame, ReadMode


def frame(n: int) -> InputFrame:
    return InputFrame(np.full((2, 2, 3), n, np.uint8), pts=float(n))


def filled(count: int, capacity: int = 128) -> InputBuffer:
    buffer = InputBuffer(capacity)
    for n in range(count):
        buffer.push(frame(n))
    return buffer


def numbers(frames: list[InputFrame] | None) -> Any:
    return None if frames is None else [f.pts for f in frames]


def test_too_few_frames_is_none_and_takes_nothing() -> None:
    buffer = filled(2)
    assert buffer.try_read(3) is None
    assert buffer.available == 2


def test_latest_takes_the_newest_and_drops_the_rest() -> None:
    buffer = filled(5)
    assert numbers(buffer.try_read(2)) == [3, 4]
    assert buffer.available == 0


def test_fifo_takes_the_oldest_and_keeps_the_rest() -> None:
    buffer = filled(5)
    assert numbers(buffer.try_read(2, mode=ReadMode.FIFO)) == [0, 1]
    assert buffer.available == 3


def test_a_full_buffer_pushes_the_oldest_out() -> None:
    buffer = filled(130)
    assert (buffer.available, buffer.total_received) == (128, 130)
    assert numbers(buffer.try_read(1, mode=ReadMode.FIFO)) == [2]


@pytest.mark.parametrize("n", [0, -1, 129])
def test_a_read_that_can_never_be_filled_is_a_value_error(n: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 128"):
        InputBuffer().try_read(n)


async def test_read_waits_for_a_frame_from_another_thread_while_the_loop_lives() -> None:
    buffer = InputBuffer()
    reading = asyncio.create_task(buffer.read(2))
    await asyncio.sleep(0)
    thread = threading.Thread(target=lambda: [buffer.push(frame(n)) for n in range(2)])
    thread.start()
    assert numbers(await asyncio.wait_for(reading, 20)) == [0, 1]
    thread.join()


async def test_a_read_times_out_and_takes_nothing() -> None:
    buffer = filled(1)
    with pytest.raises(TimeoutError):
        await buffer.read(2, timeout=0.01)
    assert buffer.available == 1
    assert not buffer._waiters


async def test_close_ends_a_read_that_waits() -> None:
    buffer = InputBuffer()
    reading = asyncio.create_task(buffer.read())
    await asyncio.sleep(0)
    buffer.close()
    with pytest.raises(BufferClosed):
        await asyncio.wait_for(reading, 20)


async def test_a_closed_buffer_gives_what_it_holds_takes_no_more_and_reopens_empty() -> None:
    buffer = filled(1)
    buffer.close()
    buffer.push(frame(9))
    with pytest.raises(BufferClosed):
        buffer.try_read()
    assert numbers(await buffer.read()) == [0]
    with pytest.raises(BufferClosed):
        await buffer.read()
    buffer.reset()
    assert (buffer.closed, buffer.available, buffer.total_received) == (False, 0, 0)
    buffer.push(frame(3))
    assert numbers(buffer.try_read()) == [3]


async def test_a_cancelled_read_leaves_the_frame_to_the_next() -> None:
    buffer = InputBuffer()
    reading = asyncio.create_task(buffer.read())
    await asyncio.sleep(0)
    reading.cancel()
    buffer.push(frame(1))
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert numbers(await buffer.read()) == [1]


def test_clear_drops_what_waits() -> None:
    buffer = filled(3)
    buffer.clear()
    assert (buffer.available, buffer.total_received) == (0, 3)


def test_a_frame_is_taken_for_its_array() -> None:
    one = frame(7)
    assert np.asarray(one) is one.data
    assert np.stack([one, one]).shape == (2, 2, 2, 3)  # type: ignore[call-overload]
    assert np.asarray(one, dtype=np.float32).dtype == np.float32
