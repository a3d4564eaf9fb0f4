"""Sound: at the model's own rate, heard at its pitch, and with the picture that it was emitted with."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.service.conftest import Serve, Watch, Write
from tests.service.service import Service
from tests.service.viewer import Sounded

PIPS = """
    import numpy as np
    from reactor_runtime.interface import Audio, InputField, InputState, Output, ReactorPipeline, Video

    RATE, FPS = 16_000, 25

    class Mono16k(Audio):
        sample_rate = RATE

    class Pip(Output):
        picture: Video
        sound: Mono16k

    class State(InputState):
        pitch: int = InputField(default=600, ge=100, le=2000)

    class Model(ReactorPipeline):
        '''Half a second of light and tone, half a second of neither.'''
        state: State
        fps = FPS

        def inference(self):
            n, samples = 0, RATE // FPS
            while True:
                on = n % FPS < FPS // 2
                t = np.arange(n * samples, (n + 1) * samples) / RATE
                tone = 12_000 * np.sin(2 * np.pi * self.state.pitch * t) * on
                yield Pip(picture=np.full((120, 160, 3), 220 * on, np.uint8), sound=tone.astype(np.int16)[np.newaxis])
                n += 1
"""
LOUD, BRIGHT = 3000, 100


@pytest.fixture
def pips(workspace: Write, serve: Serve) -> Service:
    service = serve(workspace(PIPS))
    service.ready()
    return service


def test_sound_of_another_rate_is_heard_at_its_pitch(pips: Service, watch: Watch) -> None:
    viewer = watch(pips).watch()
    viewer.wait(lambda: sum(s.level > LOUD and abs(s.pitch - 600) <= 20 for s in viewer.sounds) > 20, "600 Hz")
    viewer.command("set_pitch", {"pitch": 1000})
    viewer.wait(lambda: sum(s.level > LOUD and abs(s.pitch - 1000) <= 20 for s in viewer.sounds) > 20, "1000 Hz")


def test_sound_and_picture_come_together(pips: Service, watch: Watch) -> None:
    """A fifth of a second is what a busy machine is allowed here, and some pips that it holds up altogether; the figure
    itself is measured elsewhere.
    """
    viewer = watch(pips).watch()

    def onsets() -> tuple[list[float], list[float]]:
        seen = [b.at for a, b in pairwise(viewer.frames) if a.luma < BRIGHT <= b.luma]
        # Silence is not told of, so a tone begins where it is loud after a pause as well.
        heard = [b.at for a, b in pairwise(viewer.sounds) if b.level > LOUD and (a.level < LOUD or b.at - a.at > 0.2)]
        return seen, heard

    def together() -> bool:
        seen, heard = onsets()
        offsets = [min((tone - light for tone in heard), key=abs) for light in seen[1:-1] if heard]
        near = [abs(offset) < 0.2 for offset in offsets]
        return any(sum(near[at : at + 5]) >= 3 for at in range(len(near) - 4))

    viewer.wait(together, "five pips in a row of which most are seen and heard at once", 100)


def test_a_viewer_who_joins_later_hears_it_too(pips: Service, watch: Watch) -> None:
    watch(pips).watch()
    late = watch(pips).watch(start=False)
    late.wait(lambda: sum(s.level > LOUD for s in late.sounds) > 20, "a tone")


STEREO = """
    import numpy as np
    from reactor_runtime.interface import Audio, InputState, Output, ReactorPipeline, Video

    RATE, FPS = 44_100, 25

    class Film(Output):
        picture: Video
        sound: Audio(sample_rate=RATE, channels=2)

    class State(InputState):
        pass

    class Model(ReactorPipeline):
        '''600 Hz on the left, 1500 Hz at half the level on the right, as floats.'''
        state: State
        fps = FPS

        def inference(self):
            n, samples = 0, RATE // FPS
            while True:
                t = np.arange(n * samples, (n + 1) * samples) / RATE
                both = np.stack([0.4 * np.sin(2 * np.pi * 600 * t), 0.2 * np.sin(2 * np.pi * 1500 * t)])
                yield Film(picture=np.full((120, 160, 3), n % 200, np.uint8), sound=both)
                n += 1
"""


def test_stereo_is_heard_on_either_side_and_mixed_down_where_one_channel_is_wanted(
    workspace: Write, serve: Serve, watch: Watch
) -> None:
    service = serve(workspace(STEREO))
    service.ready()
    both = watch(service).watch(stereo=True)
    one = watch(service).watch(start=False)

    def apart(sound: Sounded) -> bool:
        if len(sound.levels) != 2 or min(sound.levels) < 1000:
            return False
        (left, right), ratio = sound.pitches, sound.levels[0] / sound.levels[1]
        return abs(left - 600) <= 20 and abs(right - 1500) <= 20 and 1.6 < ratio < 2.4

    both.wait(lambda: sum(map(apart, both.sounds)) > 20, "600 Hz on the left and 1500 on the right")
    one.wait(lambda: sum(len(s.levels) == 1 and s.level > 2000 for s in one.sounds) > 20, "both in one")
