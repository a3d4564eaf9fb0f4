"""What a viewer publishes reaches the model, and only within its session."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.service.conftest import Serve, Watch, Write
from tests.service.service import Service
from tests.service.viewer import Heard, Viewer

MIRROR = """
    import numpy as np
    from reactor_runtime.interface import (
        Input, InputState, ModelMessage, Output, ReactorPipeline, Video, session_started,
    )

    class Camera(Input):
        camera: Video

    class Picture(Output):
        picture: Video

    class Saw(ModelMessage):
        shape: list[int]
        rgb: list[int]

    class State(InputState):
        pass

    class Model(ReactorPipeline):
        '''Shows green and blue of what it sees swapped, and says what it saw.'''
        state: State
        camera: Camera
        fps = 20

        @session_started
        def began(self):
            print("waiting frames:", self.camera.camera.available, flush=True)

        async def inference(self):
            yield Picture(picture=np.zeros((120, 160, 3), np.uint8))
            while True:
                frame = (await self.camera.camera.read())[0]
                await self.send(Saw(list(frame.data.shape), frame.data.mean((0, 1)).round().astype(int).tolist()))
                yield Picture(picture=np.ascontiguousarray(frame.data[:120, :160, [0, 2, 1]]))
"""


@pytest.fixture
def mirror(workspace: Write, serve: Serve) -> Service:
    service = serve(workspace(MIRROR))
    service.ready()
    return service


def near(colour: list[int], wanted: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 24 for a, b in zip(colour, wanted, strict=True))


def test_a_published_picture_reaches_the_model_as_rgb_and_comes_back_changed(mirror: Service, watch: Watch) -> None:
    viewer = watch(mirror).watch()
    viewer.publish((200, 30, 160))
    saw = viewer.message(lambda m: m.type == "saw" and near(m.data["rgb"], (200, 30, 160)))
    assert saw.data["shape"] == [240, 320, 3]
    viewer.publish((30, 30, 200), (480, 360))
    viewer.message(
        lambda m: m.type == "saw" and near(m.data["rgb"], (30, 30, 200)) and m.data["shape"] == [360, 480, 3]
    )
    # Blue has become green, which is what the client measures.
    viewer.wait_frame(lambda frame: frame.luma > 150)


def test_a_session_ends_although_a_step_waits_for_a_picture_and_the_next_begins_empty(
    mirror: Service, watch: Watch
) -> None:
    viewer = watch(mirror).watch()
    viewer.publish((250, 250, 250))
    viewer.message(lambda m: m.type == "saw")
    assert mirror.http("POST", "/stop_session").status == 200
    mirror.state("READY")

    quiet = watch(mirror).watch()
    assert mirror.http("POST", "/stop_session").status == 200
    mirror.state("READY")
    assert not [message for message in quiet.messages if message.type == "saw"]
    mirror.line("waiting frames: ", count=2)
    assert [*mirror.stdout, *mirror.stderr].count("waiting frames: 0") == 2


def test_only_the_first_to_publish_is_seen_until_it_leaves(mirror: Service, watch: Watch) -> None:
    first = watch(mirror).watch()
    first.publish((250, 20, 20))
    first.message(lambda m: m.type == "saw" and near(m.data["rgb"], (250, 20, 20)))
    second = watch(mirror).watch(start=False)
    second.publish((20, 20, 250))
    later = len(second.messages)
    second.wait(lambda: len(second.messages) > later + 10, "ten more pictures to be seen")
    assert not [m for m in second.messages if m.type == "saw" and near(m.data["rgb"], (20, 20, 250))]
    first.disconnect()
    second.message(lambda m: m.type == "saw" and near(m.data["rgb"], (20, 20, 250)))


EAR = """
    import numpy as np
    from reactor_runtime.interface import (
        Audio, Input, InputState, ModelMessage, Output, ReactorPipeline, ReadMode, Video, session_started,
    )

    RATE = 16_000

    class Picture(Output):
        picture: Video

    class Ears(Input):
        voice: Audio(sample_rate=RATE)
        music: Audio(channels=2)

    class Said(ModelMessage):
        track: str
        shape: list[int]
        pitches: list[int]
        levels: list[int]
        began: float
        missing: float

    class State(InputState):
        pass

    class Model(ReactorPipeline):
        '''Says what it hears, half a second at a time, and shows how loud it is.'''
        state: State
        ears: Ears
        fps = 20

        @session_started
        def began(self):
            print("waiting sound:", self.ears.voice.total_received, flush=True)

        async def inference(self):
            level = 0
            while True:
                for name, rate in (("voice", RATE), ("music", 48_000)):
                    if (frames := getattr(self.ears, name).try_read(25, mode=ReadMode.FIFO)) is None:
                        continue
                    sound = np.concatenate([frame.data for frame in frames], axis=1)
                    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.shape[1]), rate, axis=1))
                    levels = np.sqrt(np.square(sound.astype(float)).mean(axis=1)).round().astype(int)
                    missing = frames[-1].pts - frames[0].pts - sum(f.data.shape[1] for f in frames[:-1]) / rate
                    level = min(255, int(levels[0]) // 12)
                    await self.send(Said(name, list(sound.shape), spectrum.argmax(axis=1).tolist(), levels.tolist(),
                                         frames[0].pts, missing))
                yield Picture(picture=np.full((120, 160, 3), level, np.uint8))
"""


@pytest.fixture
def ear(workspace: Write, serve: Serve) -> Service:
    service = serve(workspace(EAR))
    service.ready()
    return service


@dataclass(frozen=True)
class Said:
    """Half a second, as the model heard it. `began` is in seconds of the machine's clock, `missing` what was not."""

    at: float
    track: str
    shape: list[int]
    pitches: list[int]
    levels: list[int]
    began: float
    missing: float


def said(
    viewer: Viewer, track: str, *tones: tuple[float, float], shape: list[int] | None = None, in_a_row: int = 1
) -> Said:
    """What the model says as soon as it hears these tones, each a pitch in Hz and an effective value; in that `shape`
    and without a gap, which a machine that holds something up makes shorter, or breaks in two, for once. It is the last
    of so many `in_a_row`.
    """

    def fits(message: Heard) -> bool:
        if len(message.data["pitches"]) != len(tones):
            return False
        if shape is not None and (message.data["shape"] != shape or abs(message.data["missing"]) > 1e-6):
            return False
        pairs = zip(message.data["pitches"], message.data["levels"], tones, strict=True)
        return all(abs(pitch - p) <= 4 and abs(level - e) <= 0.1 * e for pitch, level, (p, e) in pairs)

    found: list[Said] = []

    def heard() -> bool:
        row = 0
        for message in viewer.messages:
            if message.type == "said" and message.data["track"] == track:
                row = row + 1 if fits(message) else 0
                if row == in_a_row:
                    found.append(Said(message.at, **message.data))
                    return True
        return False

    viewer.wait(heard, f"{tones} on {track}", 100)
    return found[0]


def test_published_sound_reaches_the_model_at_its_tracks_rate_and_without_a_gap(ear: Service, watch: Watch) -> None:
    viewer = watch(ear).watch()
    viewer.play("voice", (700, 4000))
    heard = said(viewer, "voice", (700, 2828), shape=[1, 8000], in_a_row=3)
    assert 0.4 < heard.at - heard.began < 60, "it is told in seconds of the machine's clock"
    viewer.wait_frame(lambda frame: frame.luma > 150)


def test_stereo_stays_stereo_where_it_is_declared_and_is_mixed_down_where_it_is_not(ear: Service, watch: Watch) -> None:
    viewer = watch(ear).watch()
    viewer.play("music", (500, 4000), (1500, 8000))
    viewer.play("voice", (500, 4000), (1500, 8000))
    said(viewer, "music", (500, 2828), (1500, 5657), shape=[2, 24_000])
    said(viewer, "voice", (1500, 3162), shape=[1, 8000])


def test_mono_is_heard_on_both_sides_where_stereo_is_declared(ear: Service, watch: Watch) -> None:
    viewer = watch(ear).watch()
    viewer.play("music", (500, 4000))
    said(viewer, "music", (500, 2828), (500, 2828))


def test_only_the_first_to_speak_is_heard_until_it_leaves(ear: Service, watch: Watch) -> None:
    first = watch(ear).watch()
    first.play("voice", (700, 4000))
    said(first, "voice", (700, 2828))
    second = watch(ear).watch(start=False)
    second.play("voice", (1900, 12_000))
    later = len(second.messages)
    second.wait(lambda: len(second.messages) > later + 3, "a second and a half more to be heard")
    # What is held up on its way may be of another pitch for once, but not of that one, which would drown it.
    assert not [m for m in second.messages if m.type == "said" and abs(m.data["pitches"][0] - 1900) < 200]
    first.disconnect()
    said(second, "voice", (1900, 8485))


def test_nothing_that_was_said_between_sessions_or_before_is_heard(ear: Service, watch: Watch) -> None:
    viewer = watch(ear).watch()
    viewer.play("voice", (700, 4000))
    said(viewer, "voice", (700, 2828))
    assert ear.http("POST", "/stop_session").status == 200
    ear.state("READY")
    quiet = watch(ear).watch()
    assert ear.http("POST", "/stop_session").status == 200
    ear.state("READY")
    assert not [message for message in quiet.messages if message.type == "said"]
    ear.line("waiting sound: ", count=2)
    assert [*ear.stdout, *ear.stderr].count("waiting sound: 0") == 2
