"""The ring as the emitter fills it: growth, a dead edge, slots that come back on another thread."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from reactor_runtime.authoring import FrameError, Picture, PixelFormat
from reactor_runtime.link import Flushed, Frame, FrameDone, I420Layout, LinkMessage, Ring, RingReader
from reactor_runtime.media.convert import Converter
from reactor_runtime.worker.emitter import Emitter
from reactor_runtime.worker.pacing import Pacer
from reactor_runtime.worker.ring_sink import IN_FLIGHT, MAX_RING_BYTES, RingSink, Stamp
from tests.driver.kit import settle, virtual

STAMP = Stamp(0, 1.0, 1.0, "s", 1, 30.0, ())


class Edge:
    """Maps what it is told of, and keeps the frames that it gets."""

    def __init__(self) -> None:
        self.rings: dict[int, RingReader] = {}
        self.frames: list[Frame] = []
        self.flushes = 0

    def send(self, message: LinkMessage, fds: Sequence[int] = ()) -> None:
        match message:
            case Ring():
                assert message.ring not in self.rings
                self.rings[message.ring] = RingReader(os.dup(fds[0]), message.slots, message.slot_bytes)
            case Frame():
                assert message.ring in self.rings, "a ring is announced before its frames"
                self.frames.append(message)
            case Flushed():
                self.flushes += 1

    def luma(self, frame: Frame) -> np.ndarray[Any, Any]:
        layout = I420Layout(frame.width, frame.height)
        view = self.rings[frame.ring].view(frame.slot)
        rows = np.frombuffer(view, np.uint8, layout.planes[0][1]).reshape(frame.height, layout.strides[0])
        return rows[:, : frame.width]


def grey(value: int, width: int = 128, height: int = 96) -> Picture:
    return Picture(np.full((height, width, 3), value, np.uint8), height, width, PixelFormat())


def done(frame: Frame) -> FrameDone:
    return FrameDone(frame.ring, frame.slot, True)


def watched(sink: RingSink, fps: float | None = None, buffer_size: int = 4) -> Emitter:
    emitter = Emitter(sink, Pacer(fps, buffer_size), frozenset({"v"}))
    emitter.begin("s")
    emitter.watch(True)
    return emitter


@virtual
async def test_a_frame_lies_in_the_slot_that_its_message_names() -> None:
    edge = Edge()
    sink = RingSink(edge.send, 4)
    for value in (0, 128, 255):
        sink.put("v", grey(value), STAMP)
    assert [int(edge.luma(frame)[5, 5]) for frame in edge.frames] == [16, 126, 235]
    assert len({frame.slot for frame in edge.frames}) == 3
    assert {(frame.width, frame.height) for frame in edge.frames} == {(128, 96)}
    sink.close()


@virtual
async def test_a_larger_picture_opens_a_ring_and_the_old_frames_stay_readable() -> None:
    edge = Edge()
    sink = RingSink(edge.send, 4)
    sink.put("v", grey(255), STAMP)
    sink.put("v", grey(255, 640, 480), STAMP)
    sink.put("v", grey(0), STAMP)
    first, second, third = edge.frames
    assert first.ring != second.ring == third.ring, "a smaller picture fits"
    assert edge.luma(first).min() == 235
    assert edge.luma(second).min() == 235
    sink.done(done(first))  # Of a ring that is gone.
    assert sink._ring is not None
    assert sink._ring.free == 2
    sink.close()


@virtual
async def test_a_batch_gets_as_many_slots_as_it_has_frames_within_reason() -> None:
    edge = Edge()
    sink = RingSink(edge.send, 4)
    sink.put("v", grey(0), STAMP)
    sink.reserve(20)
    assert sink.room()
    for _ in range(20):
        assert sink.room()
        sink.put("v", grey(0), STAMP)
    assert edge.rings[edge.frames[-1].ring].slots == 20 + IN_FLIGHT
    sink.reserve(1_000_000)
    sink.put("v", grey(0, 640, 480), STAMP)
    ring = edge.rings[edge.frames[-1].ring]
    assert ring.slots * ring.slot_bytes <= MAX_RING_BYTES
    sink.close()


@virtual
async def test_a_full_ring_has_room_when_a_slot_comes_back_on_another_thread() -> None:
    edge = Edge()
    sink = RingSink(edge.send, 2)
    calls: list[str] = []
    sink.on_room = lambda: calls.append(threading.current_thread().name)
    sink.put("v", grey(0), STAMP)
    assert sink.room()
    sink.put("v", grey(0), STAMP)
    assert not sink.room()
    thread = threading.Thread(target=sink.done, args=(done(edge.frames[0]),))
    thread.start()
    thread.join(20)
    await settle()
    assert calls == [threading.current_thread().name]
    assert sink.room()
    sink.done(done(edge.frames[1]))
    await settle()
    assert len(calls) == 1, "nobody waited"
    sink.close()


@virtual
async def test_a_new_edge_gets_a_new_ring_and_the_dead_ones_answers_free_nothing() -> None:
    old = Edge()
    new: Edge | None = None

    def send(message: LinkMessage, fds: Sequence[int] = ()) -> None:
        (new or old).send(message, fds)

    sink = RingSink(send, 2)
    sink.put("v", grey(255), STAMP)
    sink.put("v", grey(255), STAMP)
    assert not sink.room()
    new = Edge()
    sink.attach()
    assert sink.room()
    sink.put("v", grey(0), STAMP)
    sink.put("v", grey(0), STAMP)
    for frame in old.frames:
        sink.done(done(frame))
        assert old.luma(frame).min() == 235, "what a dying edge still reads is not written to"
    assert not sink.room()
    assert [int(new.luma(frame).max()) for frame in new.frames] == [16, 16]
    sink.close()


@virtual
async def test_a_picture_that_cannot_be_converted_costs_no_slot() -> None:
    edge = Edge()
    sink = RingSink(edge.send, 2)
    emitter = watched(sink)
    with pytest.raises(FrameError, match="cannot be encoded"):
        await emitter.emit([{"v": grey(0, 70_000, 1)}])
    with pytest.MonkeyPatch.context() as patch:

        def fail(*_: object, **__: object) -> None:
            raise ValueError("no")

        patch.setattr(Converter, "write", fail)
        for _ in range(5):
            with pytest.raises(FrameError, match="no"):
                await emitter.emit([{"v": grey(0)}])
    assert await emitter.emit([{"v": grey(0)}]) == 1
    assert [frame.seq for frame in edge.frames] == [0]
    sink.close()


@virtual
async def test_a_tensor_whose_device_has_failed_costs_its_output_and_no_slot() -> None:
    class Failed:
        __module__ = "jaxlib"
        shape = (96, 128, 3)

        def devices(self) -> object:
            raise RuntimeError("the device is gone")

    edge = Edge()
    sink = RingSink(edge.send, 2)
    emitter = watched(sink)
    for _ in range(5):
        with pytest.raises(FrameError, match="track 'v': Failed cannot be read: the device is gone"):
            await emitter.emit([{"v": Picture(Failed(), 96, 128, PixelFormat())}])
    assert await emitter.emit([{"v": grey(0)}]) == 1
    sink.close()


@virtual
async def test_a_blocked_emit_goes_on_when_a_slot_comes_back() -> None:
    edge = Edge()
    sink = RingSink(edge.send, 2)
    sink.reserve = lambda frames: None  # type: ignore[method-assign]  # As for a batch beyond the most memory.
    emitter = watched(sink, fps=30)
    emitting = asyncio.ensure_future(emitter.emit([{"v": grey(value)} for value in (0, 85, 170, 255)]))
    await settle()
    assert len(edge.frames) == 2
    for expected in (3, 4):
        sink.done(done(edge.frames[expected - 3]))
        await settle()
        assert len(edge.frames) == expected
    assert await emitting == 4
    assert [int(edge.luma(frame)[0, 0]) for frame in edge.frames[2:]] == [162, 235]
    assert np.diff([frame.due_ns for frame in edge.frames]) == pytest.approx(1e9 / 30, abs=10)
    sink.close()


@virtual
async def test_a_cancelled_emit_leaves_the_emitter_usable() -> None:
    edge = Edge()
    sink = RingSink(edge.send, 2)
    sink.reserve = lambda frames: None  # type: ignore[method-assign]
    emitter = watched(sink, fps=30)
    emitting = asyncio.ensure_future(emitter.emit([{"v": grey(0)}] * 4))
    await settle()
    emitting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await emitting
    sink.done(done(edge.frames[0]))
    assert await emitter.emit([{"v": grey(9)}]) == 1
    assert not emitter._waiters
    sink.close()


@virtual
async def test_tracks_that_the_contract_lacks_are_not_sent() -> None:
    edge = Edge()
    sink = RingSink(edge.send, 4)
    emitter = watched(sink)
    await emitter.emit([{"v": grey(0), "sound": np.zeros((1, 100), np.int16)}])
    assert [frame.track for frame in edge.frames] == ["v"]
    sink.close()


@virtual
async def test_sinks_leave_no_descriptors() -> None:
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        edge = Edge()
        sink = RingSink(edge.send, 4)
        sink.put("v", grey(0), STAMP)
        sink.put("v", grey(0, 640, 480), STAMP)
        sink.attach()
        sink.put("v", grey(0), STAMP)
        sink.close()
    del edge, sink
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before, "those of tests before this one may go meanwhile"


@virtual
async def test_what_one_session_has_dropped_is_not_told_in_the_next() -> None:
    edge = Edge()
    sink = RingSink(edge.send, 2)
    sink.reserve = lambda frames: None  # type: ignore[method-assign]
    emitter = watched(sink, fps=30)
    assert await emitter.emit([{"v": grey(0)}] * 4, drop=True) == 2
    emitter.end()
    emitter.begin("t")
    sink.done(done(edge.frames[0]))
    assert await emitter.emit([{"v": grey(9)}]) == 1
    assert (edge.frames[-1].session, edge.frames[-1].shed) == ("t", 0)
    sink.close()
