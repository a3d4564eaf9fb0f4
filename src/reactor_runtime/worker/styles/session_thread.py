"""One session of a `VideoModel`: its thread, and what the author's code asks of the runtime from there."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from typing import Any

import numpy as np

from reactor_runtime.authoring import (
    BufferClosed,
    Bundle,
    FrameError,
    Picture,
    PixelFormat,
    ReadMode,
    describe_array,
    is_array,
    split_values,
)
from reactor_runtime.authoring.video_model import (
    Buckets,
    InputTrack,
    MediaBundle,
    OutputTrack,
    ReactorContext,
    Track,
    TrackData,
    TrackInfo,
    VideoModel,
    declared,
    default_track,
)
from reactor_runtime.link import Fault, ModelSent
from reactor_runtime.worker.styles.conductor import Conductor, Live, Lockstep, StopEvent, place
from reactor_runtime.worker.styles.copies import copied
from reactor_runtime.worker.styles.style import Host

log = logging.getLogger("reactor.model")

BLACK = (720, 1280)
"""Height and width of a black frame before there was another."""
MAX_ASIDE = 50
"""Outputs of commands and `on_frame` that wait; more of them are dropped."""
REPEAT_S = 5.0
"""What `on_frame` raises is logged at most this often."""


class SessionThread:
    """See `SessionPort`, which it is. Made and run on the driver's loop; what the port offers, on any thread."""

    def __init__(self, model: VideoModel, host: Host, session: str) -> None:
        self._model: Any = model
        self._host = host
        self._id = session
        self._loop = asyncio.get_running_loop()
        self._home = threading.get_ident()
        self._conductor: Conductor = Lockstep(lambda: host.ending) if host.rules.lockstep else Live()
        self.tracks: dict[str, Track] = type(model).get_tracks()
        self.default: Track | None = default_track(self.tracks)
        outputs = {name: track for name, track in self.tracks.items() if isinstance(track, OutputTrack)}
        self._declared = tuple(declared(name, track) for name, track in outputs.items())
        self._formats = {name: PixelFormat(fixed=True) for name, track in outputs.items() if track.kind == "video"}
        self._lock = threading.Lock()
        self._buckets = Buckets(frozenset(outputs), copied)
        self._newest: dict[str, Any] = {}
        self._size = BLACK
        self._since: float | None = None
        self._aside: set[asyncio.Task[None]] = set()
        self._complained_at = -REPEAT_S
        self._told_of_loss = False
        self._thread = threading.Thread(target=self._main, name="model-session", daemon=True)
        self.started = False
        self.error: BaseException | None = None
        """What `start_session` raised."""
        self.stopped: threading.Event = StopEvent(self._conductor)
        self.context = ReactorContext(self)

    async def run(self) -> None:
        """Run `start_session` in its thread, and what viewers publish beside it. Returns when it has ended."""
        self.started = True
        inputs = [track for track in self.tracks.values() if isinstance(track, InputTrack)]
        listening = [asyncio.ensure_future(self._listen(track)) for track in inputs]
        self._host.emitter.claim()
        try:
            await self._conductor.conduct(self._thread)
        finally:
            for task in [*listening, *self._aside]:
                task.cancel()

    @property
    def place(self) -> str:
        """Where the thread stands, as `file:line`."""
        return place(self._thread)

    def _main(self) -> None:
        self._conductor.began()
        try:
            self._model.start_session()
        except BaseException as error:
            self.error = error
        finally:
            self._conductor.ended()

    # The port ---------------------------------------------------------------------------------------------------------

    def emit(self, track: str, frame: Any, bucket: int | None) -> None:
        if track not in self.tracks:
            raise RuntimeError(
                f"track {track!r} is of another class: declare it in the body of the model's class; this one declares "
                f"{', '.join(self.tracks)}"
            )
        if not isinstance(self.tracks[track], OutputTrack):
            raise TypeError(f"track {track!r} is an input: the model receives on it and cannot emit")
        value = self._value(self.tracks[track], frame)
        with self._lock:
            self._newest[track] = value
            values = self._buckets.put(track, value, bucket)
            lost = bool(self._buckets.forgotten) and not self._told_of_loss
            self._told_of_loss = self._told_of_loss or lost
        if lost:
            self._tell_of_loss(self._buckets.lacking)
        if values is None:
            return
        if threading.get_ident() == self._home:
            self._show_aside(values)
            return
        since, self._since = self._since, None
        took = None if since is None else self._conductor.now() - since
        self._conductor.call(lambda: self._show(values, took))
        self._since = self._conductor.now()

    def latest(self, track: str) -> Any:
        return self._newest.get(track)

    def send(self, payload: Any) -> None:
        def act() -> None:
            if self._host.session == self._id:
                self._host.tell(ModelSent(payload))

        self._conductor.tell(act)

    def monitor(self, active: bool) -> None:
        if not active:
            self._since = None
        elif self._since is None:
            self._since = self._conductor.now()

    def spend(self, seconds: float) -> None:
        self._conductor.sleep(seconds)

    def _tell_of_loss(self, lacking: list[str]) -> None:
        """Once in a session. Any thread."""
        text = (
            f"frames are dropped: too many wait for what belongs to them on {', '.join(lacking)}; emit on each output "
            "track equally often, or give the same `bucket` to what belongs together"
        )
        log.error(text)

        def act() -> None:
            if self._host.session == self._id:
                self._host.tell(Fault("frame_rejected", text))

        self._conductor.tell(act)

    # Output -----------------------------------------------------------------------------------------------------------

    def _value(self, track: Track, frame: Any) -> Any:
        if frame is None:
            if track.kind == "audio":
                return np.zeros((1, round(track.rate)), np.int16)
            return np.zeros((*self._size, 3), np.uint8)
        if track.kind == "video" and is_array(frame) and len(frame.shape) not in (3, 4):
            raise ValueError(
                f"track {track.name!r}: got {describe_array(frame)}, expected a frame, (H, W, 3), or N of them, "
                "(N, H, W, 3)"
            )
        return frame

    async def _show(self, values: dict[str, Any], took: float | None) -> None:
        """Send what the thread has emitted, `took` seconds after the last; then wait until it should go on."""
        host, emitter = self._host, self._host.emitter
        if host.session != self._id:
            await asyncio.sleep(1 / emitter.pacer.fps)  # Or who goes on after the end would keep the loop busy.
            return
        try:
            bundles = self._split(values)
            seen = emitter.live
            measured = None if took is None else took / self._model._reactor_debuff
            await emitter.emit(bundles, lead=took, compute_time=measured)
        except (FrameError, TypeError) as error:
            await host.outputs.reject(error)
            return
        if seen:
            await emitter.until_next()
        else:
            await emitter.idle(bundles)
        # What is computed from here on shows all commands that have been handled.
        emitter.claim()

    def _show_aside(self, values: dict[str, Any]) -> None:
        """Send what a command or `on_frame` has emitted, on the loop, which must not wait for itself."""
        if self._host.session != self._id or not self._host.emitter.live or len(self._aside) >= MAX_ASIDE:
            return

        async def show(values: dict[str, Any]) -> None:
            try:
                await self._host.emitter.emit(self._split(values))
            except (FrameError, TypeError) as error:
                await self._host.outputs.reject(error)

        task = asyncio.ensure_future(show({name: copied(value) for name, value in values.items()}))
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    def _split(self, values: dict[str, Any]) -> list[Bundle]:
        bundles = split_values(self._declared, self._formats, values)
        picture = next((one for bundle in bundles for one in bundle.values() if isinstance(one, Picture)), None)
        if picture is not None:
            self._size = (picture.height, picture.width)
        return bundles

    # Input ------------------------------------------------------------------------------------------------------------

    async def _listen(self, track: Track) -> None:
        """Hand on what viewers publish on a track, as fast as the author takes it: the newest picture, all sound."""
        buffer = self._host.buffers[track.name]
        mode = ReadMode.LATEST if track.kind == "video" else ReadMode.FIFO
        info = TrackInfo(track.name, track.kind, track.rate)
        while True:
            try:
                [frame] = await buffer.read(1, mode=mode)
            except BufferClosed:
                return
            self._newest[track.name] = frame.data
            try:
                if track.kind == "video":
                    await _finished(self._model.on_frame(frame.data))
                await _finished(self._model.on_media(MediaBundle({track.name: TrackData(info, frame.data)})))
            except Exception:
                now = self._loop.time()
                if now - self._complained_at >= REPEAT_S:
                    self._complained_at = now
                    log.exception("the handler of what viewers publish raised; the session goes on")


async def _finished(result: Any) -> None:
    if inspect.isawaitable(result):
        await result
