"""`get_ctx()`: the session that runs, for the author's code, wherever it is called from."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from reactor_runtime.authoring.jsonable import to_json
from reactor_runtime.profiling import Profiler, get_profiler

if TYPE_CHECKING:
    from reactor_runtime.authoring.video_model.tracks import Track

_current: ReactorContext | None = None


class SessionPort(Protocol):
    """What runs a session offers its context. All of it may be called on any thread."""

    @property
    def tracks(self) -> dict[str, Track]:
        """The model's tracks by name."""

    @property
    def default(self) -> Track | None:
        """What `get_track()` means."""

    @property
    def stopped(self) -> threading.Event:
        """Set when the session is to end."""

    def emit(self, track: str, frame: Any, bucket: int | None) -> None:
        """See `OutputTrack.emit`."""

    def latest(self, track: str) -> Any:
        """See `Track.latest`."""

    def send(self, payload: Any) -> None:
        """JSON, to all clients. Never blocks."""

    def monitor(self, active: bool) -> None:
        """Measure the rate from this moment on, or forget since when."""

    def spend(self, seconds: float) -> None:
        """Let virtual time pass. Raises `RuntimeError` where time is real."""


class ReactorContext:
    """One session, as the author's code sees it: a new object each time. Every method works on any thread."""

    def __init__(self, port: SessionPort) -> None:
        self._port = port
        self._stop_evt = port.stopped
        """Models of the API's first days poll it."""

    def should_stop(self) -> bool:
        """Whether the session is to end: it was stopped, nobody came back, its time is up, or the runtime goes down.

        A viewer's leaving alone is no reason. Return quickly from `start_session` when it is true. Never blocks.
        """
        return self._stop_evt.is_set()

    def send(self, data: Any) -> None:
        """Send a JSON value to all clients. Queued, never blocks. Raises `TypeError` for what JSON cannot hold."""
        self._port.send(to_json(data, "send"))

    def emit_block(self, frames: Any) -> None:
        """Send a frame, `(H, W, 3)`, or N of them in order, `(N, H, W, 3)`, on the default track. None is a black one.

        RGB uint8 arrays, and whatever else is a picture: tensors, PIL images, lists of frames. Called from the
        session's thread it returns when the array may be overwritten and the next step should begin: just in time for
        what people will have seen by then. From a command or `on_frame` it returns at once. Raises `ValueError` for an
        array of another number of dimensions; any other array that cannot be shown costs nothing but itself.
        """
        self._emit(self.get_track().name, frames, None)

    def get_track(self, name: str | None = None) -> Track:
        """The track of that name; without one, the default track. Raises `RuntimeError`, listing what there is."""
        tracks = self._port.tracks
        track = self._port.default if name is None else tracks.get(name)
        if track is None:
            what = "there is no default track" if name is None else f"there is no track {name!r}"
            raise RuntimeError(f"{what}; the model declares {', '.join(tracks) or 'none'}")
        return track

    @property
    def is_media_configured(self) -> bool:
        """Whether tracks can be used: while this session lasts."""
        return _current is self

    def enable_monitoring(self) -> None:
        """Measure the rate from this moment on, unless it is being measured already."""
        self._port.monitor(True)

    def disable_monitoring(self) -> None:
        """A pause begins: the time until the next frame is not measured, and the rate stays as it is."""
        self._port.monitor(False)

    def profiler(self) -> Profiler:
        """The runtime's profiler; it does nothing unless profiling is on."""
        return get_profiler()

    def _emit(self, track: str, frame: Any, bucket: int | None) -> None:
        self._port.emit(track, frame, bucket)

    def _latest(self, track: str) -> Any:
        return self._port.latest(track)

    def _spend(self, seconds: float) -> None:
        self._port.spend(seconds)


def get_ctx() -> ReactorContext:
    """The context of the session that runs. On any thread, in any module. Raises `RuntimeError` outside a session."""
    if _current is None:
        raise RuntimeError(
            "get_ctx(): no session is running; call it in start_session, in a command or in on_frame, and not in "
            "__init__, which runs once before the first session"
        )
    return _current


def current() -> ReactorContext | None:
    """The context of the session that runs; None outside one."""
    return _current


def enter(context: ReactorContext) -> None:
    """A session begins. The runtime's to call."""
    global _current
    _current = context


def leave(context: ReactorContext) -> None:
    """A session is over; nothing happens if another has begun. The runtime's to call."""
    global _current
    if _current is context:
        _current = None
