"""`ModelTest`: a model under its real driver, played by a test as its clients would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reactor_runtime.authoring import InputFrame, ReactorApp, ReactorPipeline
from reactor_runtime.authoring.video_model import VideoModel
from reactor_runtime.contract import Contract, Rejection, Track, validate
from reactor_runtime.link import ClientJoined, ClientLeft, CommandCall, Demand, FileAnnounced, SessionEnd, SessionStart
from reactor_runtime.worker.styles.style import Rules
from reactor_runtime.worker.testing.client import Client
from reactor_runtime.worker.testing.edge import Edge
from reactor_runtime.worker.testing.media import Frame
from reactor_runtime.worker.testing.receipts import Receipt
from reactor_runtime.worker.testing.stage import Stage, Stuck
from reactor_runtime.worker.testing.uploads import MemoryFiles
from reactor_runtime.worker.testing.workspace import opened


class ModelTest:
    """A loaded model, and all that the service would be to it. Use it in a `with` block, on one thread.

    `model` is a class, or the folder of a workspace, whose `reactor.yaml` and config file are read; `config` is what
    `load` gets, or what lies on top of the config file, in whose place `config_file` may come. Nothing listens, and
    nothing waits: time is virtual (see `spend`), and the model runs only inside the calls below. A call that gets
    nowhere for `timeout` seconds of virtual time raises `Stuck`. What `load`, `inference`, `run` and the hooks raise
    comes out of the call that ran into it; what a command's handler raises is in the receipt, as for a client. `rules`
    are those of `reactor run` for code that has a thread of its own.
    """

    def __init__(
        self,
        model: type[Any] | str | Path,
        config: Mapping[str, Any] | None = None,
        *,
        config_file: Path | None = None,
        timeout: float = 60.0,
        rules: Rules | None = None,
    ) -> None:
        self._source = model
        self._config = dict(config or {})
        self._config_file = config_file
        self._timeout = timeout
        self._rules = rules or Rules()
        self._stack = ExitStack()
        self._stage: Stage | None = None
        self._sessions = 0
        self._joined = 0
        self._contract: Contract | None = None
        self._edge = Edge()
        self.shown = self._edge.shown
        """All frames of the session, in the order in which they were made."""
        self.sounds = self._edge.sounds
        """All sound of the session."""
        self.messages = self._edge.messages
        """All that the model has said in the session, to whomever: `{"type": …, "data": {…}}`, or what a `VideoModel`
        has sent as it is."""
        self.receipts = self._edge.receipts
        """Of all commands of the session."""
        self.faults = self._edge.faults
        """What went wrong in the session without ending it, as clients are told: `code` and `message`."""

    def __enter__(self) -> ModelTest:
        """Load the model. Raises what `load` raises, and `WorkspaceError`, `TypeError` or `ValueError` for its code."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError("ModelTest runs the model on a loop of its own: use it in a plain `def` test")
        with ExitStack() as stack:
            description, config = stack.enter_context(opened(self._source, self._config, self._config_file))
            self._contract = description.contract
            self._stage = Stage(description, config, self._edge, self._rules)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """End the session and whatever the model has left running. Raises what that raises, unless the test has."""
        with self._stack:
            try:
                if self._stage is not None:
                    self._stage.close()
            except Exception:
                if error is None:
                    raise

    # What is known ----------------------------------------------------------------------------------------------------

    @property
    def model(self) -> Any:
        """The model object."""
        return self._on_stage.model

    @property
    def state(self) -> Any:
        """The session's `InputState`; None between sessions and for models without one."""
        return getattr(self.model, "state", None)

    @property
    def contract(self) -> Contract:
        """What the model promises its clients: tracks, commands, messages."""
        if self._contract is None:
            raise RuntimeError("the model is not loaded: use ModelTest in a `with` block")
        return self._contract

    @property
    def files(self) -> MemoryFiles:
        """What clients have uploaded in the session, or for the one to come."""
        return self._edge.files

    @property
    def time(self) -> float:
        """Seconds of virtual time since the model began to load, which takes none of it unless it calls `spend`."""
        return self._on_stage.time

    @property
    def steps(self) -> int:
        """How many steps have been made, those that showed nothing included, in all sessions."""
        return self._on_stage.steps

    @property
    def client(self) -> Client:
        """Of those who are there, the one who came first. Raises `RuntimeError` if nobody is."""
        if not self._edge.clients:
            raise RuntimeError("nobody is connected: call connect() first")
        return self._edge.clients[0]

    # Sessions and clients ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin a session without a client, `@session_started` included. Raises `RuntimeError` if there is one."""
        if self._edge.session is not None:
            raise RuntimeError("a session is running already; end() ends it")
        self._sessions += 1
        session = f"test-{self._sessions}"
        self._on_stage.deliver(SessionStart(session))
        self._edge.begin(session)
        self._settle("@session_started does not end")

    def connect(self) -> Client:
        """A client comes, in a new session if none is running. Returns when `@connected` is done, before any step."""
        if self._edge.session is None:
            self.start()
        stage = self._on_stage
        self._joined += 1
        client = Client(self, 1000 + self._joined)
        stage.deliver(ClientJoined(client.id, stage.loop.time()))
        self._edge.clients.append(client)
        try:
            self._settle("@connected does not end")
        finally:
            stage.driver.deliver(Demand(len(self._edge.clients)))
        return client

    def disconnect(self) -> None:
        """The client who came first leaves. See `Client.disconnect`."""
        self._leave(self.client)

    def end(self) -> None:
        """End the session: `@disconnected`, the generator's end, `@session_ended`. The model stays loaded.

        The next `connect` begins a new session. Raises `RuntimeError` if there is none, and what the hooks raise.
        """
        self._on_stage.deliver(SessionEnd(self._running, "the test ends it"))
        self._until(lambda: self._edge.session is None, "the session does not end")

    # Commands ---------------------------------------------------------------------------------------------------------

    def command(self, name: str, /, **args: Any) -> Receipt:
        """Send a command from `client` and let the model run until its handler is done, and not a step further.

        Frames that were made before and not looked at yet are dropped: the next `frame()` shows what the command did.
        Never raises for what is wrong with the command: that is in the receipt.
        """
        return self.client.command(name, **args)

    def set(self, **fields: Any) -> Receipt:
        """Send `set_<field>` for each field. Returns the last one's receipt, or that of the first that went wrong."""
        return self.client.set(**fields)

    def send(self, name: str, args: Any = None) -> Receipt:
        """Send raw JSON `args` from `client` without letting the model run. See `Client.send`."""
        return self.client.send(name, args)

    # Frames and sound -------------------------------------------------------------------------------------------------

    def frame(self, track: str | None = None) -> Frame:
        """The next frame of the only video track, or of `track`. See `frames`."""
        return self.frames(1, track)[0]

    def frames(self, count: int, track: str | None = None) -> list[Frame]:
        """The next `count` frames of a track; the model runs as far as it must, and time passes until they are due.

        Raises `Stuck` if they do not come, and at once when an output cannot be shown.
        """
        stage, waiting = self._on_stage, self._edge.waiting
        name = _chosen(self.contract.outputs("video"), "video tracks", track).name
        self._watched()
        steps, faults = stage.steps, len(self.faults)

        def here() -> list[Frame]:
            return [frame for frame in waiting if frame.track == name][:count]

        def failure() -> str:
            what = "no frame came" if count == 1 else f"{len(here())} of {count} frames came"
            return f"{what} on track {name!r}: {self._standstill(steps, faults)}"

        while (have := len(here())) < count:
            stage.until(lambda: len(here()) > have or len(self.faults) > faults, self._timeout, failure)
            if len(here()) == have:
                raise Stuck(failure())
        frames = here()
        waiting[:] = [frame for frame in waiting if frame not in frames]
        stage.pause(frames[-1].due)
        return frames

    def step(self, count: int = 1) -> list[Frame]:
        """Let the model make `count` steps. Returns the frames that they made: of all tracks, none for `Idle`.

        Frames that were made before and not looked at yet are dropped. An output that cannot be shown is in `faults`.
        Raises `TypeError` for a model that has no steps.
        """
        if not self._steps:
            raise TypeError(f"{type(self.model).__name__} has no steps: its run() emits when it likes; use frames()")
        self._watched()
        stage, waiting = self._on_stage, self._edge.waiting
        waiting.clear()
        for _ in range(count):
            made = stage.steps
            self._until(lambda: stage.steps > made, f"{self._steps} does not get to its next step")  # noqa: B023
        frames = list(waiting)
        waiting.clear()
        return frames

    def play(self, seconds: float) -> list[Frame]:
        """Let the model run for so many seconds of virtual time. Returns the frames, of all tracks, due by then.

        A step that is running then runs to its end.
        """
        until = self.time + seconds
        self._on_stage.pause(until)
        waiting = self._edge.waiting
        frames = [frame for frame in waiting if frame.due <= until]
        waiting[:] = [frame for frame in waiting if frame.due > until]
        return frames

    def set_fps(self, fps: float) -> None:
        """Pin the playback rate, whatever the model's own is. Raises `ValueError` unless positive and finite."""
        self._on_stage.driver.set_fps(fps)

    def at(self, time: float, call: Callable[[], None]) -> None:
        """Call something when it is that `time`, or later if a step holds it up; as soon as may be, if that is past.

        It is for what comes from outside while the model runs, such as `push`; it may call `at` again, and nothing
        else that lets the model run.
        """
        stage = self._on_stage
        stage.loop.call_at(stage.zero + time, call)

    def sound(self, track: str | None = None) -> NDArray[np.int16]:
        """What the only audio track, or `track`, has played in this session: int16 `(channels, M)`."""
        found = _chosen(self.contract.outputs("audio"), "audio tracks", track)
        pieces = [sound.samples for sound in self.sounds if sound.track == found.name]
        return np.concatenate(pieces, axis=1) if pieces else np.zeros((found.channels, 0), np.int16)

    def push(self, track: str, data: Any, pts: float | None = None) -> None:
        """Put a frame of a viewer into an input track; the model runs later.

        Video is RGB uint8 `(H, W, 3)`, sound int16 `(channels, M)` or `(M,)` at the track's rate. The model gets a
        copy. `pts` is in seconds, by default the time that it is. Raises `ValueError` for a track that the model does
        not have, and `TypeError` for data that it would never get.
        """
        found = _chosen(self.contract.inputs(), "input tracks", track)
        _ = self._running
        frame = InputFrame(_received(found, np.array(data)), self.time if pts is None else pts)
        self._on_stage.driver.buffers[track].push(frame)

    def upload(self, name: str, data: bytes, mime_type: str = "application/octet-stream") -> dict[str, Any]:
        """Bring a file, for the session or the one to come. Returns its reference: an argument for a command, or for
        `announce`.
        """
        return self._edge.files.add(name, data, mime_type)

    def announce(self, upload: dict[str, Any]) -> None:
        """Tell the model of a file, from `client`. See `Client.announce`."""
        self.client.announce(upload)

    # For the client and the stage -------------------------------------------------------------------------------------

    def _send(self, client: Client, name: str, args: Any) -> Receipt:
        if not client.connected:
            raise RuntimeError(f"client {client.id} has left")
        receipt = Receipt(name, client.id)
        client.receipts.append(receipt)
        self.receipts.append(receipt)
        command = self.contract.command(name)
        if command is None:
            receipt.status, receipt.reason = "rejected", "unknown command"
            return receipt
        try:
            complete = validate(command, json.loads(json.dumps(args)))
            self._edge.files.check(command, complete)
        except Rejection as rejection:
            receipt.status, receipt.field, receipt.reason = "rejected", rejection.field, rejection.reason
            return receipt
        number = self._on_stage.next_id()
        self._edge.open(number, receipt)
        self._on_stage.deliver(CommandCall(number, client.id, name, complete))
        return receipt

    def _handle(self, receipt: Receipt) -> None:
        if receipt.status != "rejected":
            self._until(lambda: receipt.handled, f"command {receipt.command!r} is not handled")

    def _announce(self, client: Client, upload: dict[str, Any]) -> None:
        if not client.connected:
            raise RuntimeError(f"client {client.id} has left")
        if not self._edge.files.has(upload["upload_id"]):
            raise ValueError(f"there is no upload {upload['upload_id']!r}: upload() brings one")
        self._on_stage.deliver(FileAnnounced(client.id, upload["upload_id"]))
        self._settle("@file_uploaded does not end")

    def _leave(self, client: Client) -> None:
        if not client.connected:
            raise RuntimeError(f"client {client.id} has left already")
        client.connected = False
        self._edge.clients.remove(client)
        self._on_stage.deliver(ClientLeft(client.id))
        self._on_stage.deliver(Demand(len(self._edge.clients)))
        self._settle("@disconnected does not end")

    # Small parts ------------------------------------------------------------------------------------------------------

    @property
    def _on_stage(self) -> Stage:
        if self._stage is None:
            raise RuntimeError("the model is not loaded: use ModelTest in a `with` block")
        return self._stage

    @property
    def _running(self) -> str:
        if self._edge.session is None:
            raise RuntimeError("no session is running: call connect() first")
        return self._edge.session

    @property
    def _steps(self) -> str:
        """Which method makes a step; empty for a model that has none."""
        model = self.model
        if isinstance(model, ReactorApp) and type(model).run is ReactorApp.run:
            return "generate"
        return "inference" if isinstance(model, ReactorPipeline) else ""

    def _watched(self) -> None:
        """Without a client nothing is ever made."""
        _ = self.client

    def _settle(self, what: str) -> None:
        self._on_stage.settle(self._timeout, lambda: self._never(what))

    def _until(self, done: Callable[[], bool], what: str) -> None:
        self._on_stage.until(done, self._timeout, lambda: self._never(what))

    def _never(self, what: str) -> str:
        place = self._on_stage.place
        behind = f"; {self._steps} waits at {place}, and nothing is handled during a step" if place else ""
        refusal = getattr(self._on_stage.driver.style, "refusal", None)
        behind = behind or (f"; process_input refuses it: {refusal}" if refusal is not None else "")
        return f"{what} in {self._timeout:g} s of virtual time{behind}"

    def _standstill(self, steps: int, faults: int) -> str:
        """What the model did instead, since it had made so many steps and there were so many faults."""
        if len(self.faults) > faults:
            return f"an output cannot be shown: {self.faults[-1].message}"
        seconds = f"in {self._timeout:g} s of virtual time"
        if not self._steps:
            return f"{'start_session' if isinstance(self.model, VideoModel) else 'run'}() emitted nothing {seconds}"
        if (made := self.steps - steps) > 0:
            what = "yielded Idle or None" if self._steps == "inference" else "process_output gave nothing to show"
            return f"{self._steps} made {made} steps {seconds}, and {what}"
        place = self._on_stage.place
        if place:
            return f"{self._steps} waits at {place} and made no step {seconds}"
        refusal = getattr(self._on_stage.driver.style, "refusal", None)
        return f"no step was made {seconds}" + (f": process_input refuses it: {refusal}" if refusal is not None else "")


def _chosen(tracks: tuple[Track, ...], what: str, name: str | None) -> Track:
    found = [track for track in tracks if name in (None, track.name)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(track.name for track in tracks) or "none"
    if name is None:
        raise ValueError(f"the model has {len(tracks)} {what} ({known}): say which one")
    raise ValueError(f"the model has no track {name!r} among its {what}: {known}")


def _received(track: Track, data: NDArray[Any]) -> NDArray[Any]:
    """`data` as a viewer's frame comes in; raises `TypeError` for what never does."""
    if track.kind == "video":
        if data.dtype == np.uint8 and data.ndim == 3 and data.shape[2] == 3:
            return data
        raise TypeError(f"track {track.name!r} takes RGB uint8 (H, W, 3), got {data.dtype} {data.shape}")
    sound = data[np.newaxis] if data.ndim == 1 else data
    if sound.dtype == np.int16 and sound.ndim == 2 and sound.shape[0] == track.channels:
        return sound
    raise TypeError(f"track {track.name!r} takes int16 ({track.channels}, M), got {data.dtype} {data.shape}")
