"""A synthesiser that is seen as it is heard: each frame goes out with exactly the sound that belongs to it."""

import colorsys
from collections.abc import Iterator
from typing import Any, Literal

import cv2
import numpy as np

from reactor_runtime.interface import Audio, InputField, InputState, Output, ReactorPipeline, Video

RATE = 24_000  # samples a second
FPS = 30
MINUTE = 60 * FPS  # in frames
SAMPLES = RATE // FPS  # what is heard while one frame is seen
SCOPE = 360  # how many of them are drawn; before them there is room for a whole period of the lowest tone
HARMONICS = np.arange(1, 13)  # of 880 Hz the twelfth is below RATE / 2, so nothing folds back

# How strong each harmonic is: sums of sines, which are free of the aliases of a drawn saw or square.
WAVEFORMS = {
    "sine": HARMONICS == 1,
    "triangle": (HARMONICS % 2) * np.where(HARMONICS % 4 == 1, 1, -1) / HARMONICS**2,
    "square": (HARMONICS % 2) / HARMONICS,
    "saw": 0.6 / HARMONICS,
}


class Mono24k(Audio):
    sample_rate = RATE


class Performance(Output):
    main_video: Video
    main_audio: Mono24k


class Knobs(InputState):
    pitch: float = InputField(default=220.0, ge=55.0, le=880.0, description="Hertz; it glides to a new one")
    waveform: Literal["sine", "triangle", "square", "saw"] = InputField(default="saw", description="The timbre")
    # At most 160: more than three flashes a second can harm people who are sensitive to them.
    tempo: float = InputField(default=100.0, ge=40.0, le=160.0, description="Beats a minute: a click, and a flash")
    volume: float = InputField(default=0.5, ge=0.0, le=1.0, description="Of the tone; the click stays")


class Synth(ReactorPipeline):
    """A tone and a beat. The picture flashes on the very frame with whose first sample the click begins."""

    state: Knobs
    fps = FPS  # pinned: every frame brings a thirtieth of a second of sound

    def load(self, config: dict[str, Any]) -> None:
        self.click = click()
        self.size = config.get("width", 640), config.get("height", 360)

    def inference(self) -> Iterator[Performance]:
        voice, screen = Voice(self.state), Screen(*self.size)
        due = MINUTE  # a beat when the tempo, summed up over the frames, has filled a minute: whole numbers add up
        while True:
            state = self.state
            on_beat = due >= MINUTE
            sound, trigger = voice.play(state)
            if on_beat:
                due -= MINUTE
                sound = sound + self.click
            due += state.tempo

            picture = screen.draw(sound[trigger : trigger + SCOPE], state.pitch, on_beat)
            samples = (sound.clip(-1, 1) * 32767).astype(np.int16)
            yield Performance(main_video=picture, main_audio=samples[np.newaxis])


class Voice:
    """The tone. What changes does so along the samples of a frame, and the phase runs on: no step, so no crackle."""

    def __init__(self, knobs: Knobs) -> None:
        self.phase, self.frequency, self.harmonics = 0.0, knobs.pitch, np.zeros(len(HARMONICS))

    def play(self, knobs: Knobs) -> tuple[np.ndarray, int]:
        """The next frame's sound, (SAMPLES,) from -1 to 1, and the sample at which a period of it begins."""
        frequency = self.frequency + 0.4 * (knobs.pitch - self.frequency)
        harmonics = 0.5 * knobs.volume * WAVEFORMS[knobs.waveform]

        ramp = np.arange(1, SAMPLES + 1) / SAMPLES
        phase = self.phase + np.cumsum(self.frequency + ramp * (frequency - self.frequency)) * (2 * np.pi / RATE)
        strengths = self.harmonics[:, None] + ramp * (harmonics - self.harmonics)[:, None]
        sound = (strengths * np.sin(HARMONICS[:, None] * phase)).sum(axis=0)

        self.phase, self.frequency, self.harmonics = phase[-1] % (2 * np.pi), frequency, harmonics
        return sound, int(np.argmax(phase >= 2 * np.pi))


def click() -> np.ndarray:
    """A wooden tick that fills one frame."""
    seconds = np.arange(SAMPLES) / RATE
    return 0.45 * np.sin(2 * np.pi * 1760 * seconds) * np.exp(seconds / -0.004)


class Screen:
    """An oscilloscope whose trace glows on, before a light that beats."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        x, y = np.linspace(-1, 1, width // 4), np.linspace(-1, 1, height // 4)[:, None]
        self.lamp = np.exp(-3 * (x**2 + (0.7 * y) ** 2)).astype(np.float32)[..., None]
        self.trace = np.zeros((height, width, 3), np.uint8)
        self.light = 0.0

    def draw(self, sound: np.ndarray, pitch: float, on_beat: bool) -> np.ndarray:
        """The next frame, uint8 RGB. On a beat it is several times as bright as on any other frame."""
        self.light = 1.0 if on_beat else 0.72 * self.light
        hue = np.log2(pitch / 55) / 4  # once around the wheel in four octaves
        tone, line = (255 * np.float32(colorsys.hsv_to_rgb(hue % 1, *shade)) for shade in ((0.75, 1.0), (0.25, 1.0)))
        glow = tone * self.lamp * (0.14 + 0.5 * self.light) + 8
        if on_beat:
            glow += 100 + 0.35 * tone
        picture = cv2.resize(glow, (self.width, self.height)).clip(0, 255).astype(np.uint8)

        across = np.linspace(0, self.width, len(sound))
        points = np.stack([across, self.height * (0.5 - 0.9 * sound)], axis=-1)
        self.trace = cv2.convertScaleAbs(self.trace, alpha=0.8)
        cv2.polylines(self.trace, [np.int32(points * 16)], False, line.tolist(), 2, cv2.LINE_AA, shift=4)
        halo = cv2.GaussianBlur(cv2.resize(self.trace, None, fx=0.25, fy=0.25), (0, 0), 3)
        halo = cv2.resize(halo, (self.width, self.height))
        return cv2.add(cv2.add(picture, self.trace), cv2.convertScaleAbs(halo, alpha=1.5))
