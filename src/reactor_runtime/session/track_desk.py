"""Who takes which of the model's output tracks, and who publishes which of its inputs."""

from __future__ import annotations

from collections.abc import Callable

from reactor_runtime.session.audience import Attendance
from reactor_runtime.session.incoming import IncomingTracks
from reactor_runtime.session.tracks import OutgoingTracks
from reactor_runtime.transport import Viewer
from reactor_runtime.wire import PublishAnswer, TrackVerb


class TrackDesk:
    """Obeys what viewers say of tracks. Belongs to the event loop's thread.

    A viewer that has the verbs for it takes nothing until it resumes a track, and sends to an input only once that has
    been granted. Any other takes all tracks that its offer names, and its pictures and sound are welcome when they
    come. `demand()` is called when somebody takes or leaves a track.
    """

    def __init__(self, outgoing: OutgoingTracks, incoming: IncomingTracks, demand: Callable[[], None]) -> None:
        self._outgoing = outgoing
        self._incoming = incoming
        self._demand = demand

    def join(self, attendance: Attendance) -> None:
        """A viewer is in the session."""
        viewer = attendance.viewer
        self._incoming.join(viewer, asks=viewer.has_verbs)
        if not viewer.has_verbs:
            attendance.taking = {*viewer.video, *viewer.audio}
        self._outgoing.subscribe(viewer, attendance.taking)  # Those of a session before this one stay resumed.

    def leave(self, viewer: Viewer) -> None:
        """A viewer is gone."""
        self._outgoing.unsubscribe(viewer)
        self._incoming.leave(viewer)

    def obey(self, attendance: Attendance, message: TrackVerb) -> None:
        """Do what a viewer says; a request to publish is answered."""
        viewer, track = attendance.viewer, message.track
        match message.verb:
            case "resume":
                self._resume(attendance, track)
            case "pause" if track in attendance.taking:
                attendance.taking.discard(track)
                self._outgoing.unsubscribe(viewer, [track])
                self._demand()
            case "unpublish":
                self._incoming.unpublish(viewer, track)
            case "publish":
                error = self._publish(attendance, track)
                if message.request is not None:
                    viewer.send(PublishAnswer(message.request, None if error is None else ("publish_refused", error)))
            case _:
                pass

    def _resume(self, attendance: Attendance, track: str) -> None:
        offered = {*attendance.viewer.video, *attendance.viewer.audio}
        if track in offered - attendance.taking:
            attendance.taking.add(track)
            self._outgoing.subscribe(attendance.viewer, [track])
            self._demand()

    def _publish(self, attendance: Attendance, track: str) -> str | None:
        """Grant an input track; returns why not. Old clients ask for an output track in this way to have it sent."""
        if track in {*attendance.viewer.video, *attendance.viewer.audio}:
            self._resume(attendance, track)
            return None
        if not self._incoming.has(track):
            return f"the model has no input track {track!r}"
        return None if self._incoming.publish(attendance.viewer, track) else "track already published"
