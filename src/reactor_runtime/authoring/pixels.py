"""Pixels as authors have them: the formats that a video track may declare, and the checks that need no pixel.

Nothing is converted here: `split` makes `Picture`s, which the worker converts one by one when each is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from reactor_runtime.authoring.arrays import FrameError, describe_array, is_array
from reactor_runtime.tensors import height_and_width, reading

Layout = Literal["HWC", "CHW"]

_CHANNELS = (1, 3, 4)
_BYTES = ("uint8", "bool")
_FLOATS = ("float16", "bfloat16", "float32", "float64")
_IMAGE_MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV")
"""Those of PIL that become 8-bit RGB without a choice to be made."""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """What a track declares of its arrays. `range` holds the values of black and of white, for floats; else None.

    A `fixed` one is that of a track which can declare no other.
    """

    range: tuple[float, float] | None = None
    layout: Layout = "HWC"
    fixed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One frame of a track, checked but not converted: as its library has it, and how it is to be read.

    `array` is an array or tensor of one frame, on any device, or a PIL image; it still belongs to the author.
    `metadata` goes with the frame.
    """

    array: Any
    height: int
    width: int
    format: PixelFormat
    metadata: bytes = b""


def is_picture(value: Any) -> bool:
    """Whether `value` is meant as pixels: an array, a tensor, a PIL image, or a list of them that is not empty."""
    if isinstance(value, list | tuple):
        return bool(value) and all(is_array(item) or _is_image(item) for item in value)
    return is_array(value) or _is_image(value)


def pictures(track: str, value: Any, declared: PixelFormat) -> Picture | list[Picture]:
    """The frames of `value`: a list for a batch. They are views of it; no pixel is read. Raises `FrameError`."""
    if not isinstance(value, list | tuple):
        return _pictures(track, value, declared)
    frames = [_listed(track, position, item, declared) for position, item in enumerate(value)]
    for frame in frames[1:]:
        if (frame.height, frame.width) != (frames[0].height, frames[0].width):
            raise FrameError(
                track,
                f"got a list with frames of {frames[0].width}x{frames[0].height} and {frame.width}x{frame.height} "
                "pixels, expected frames of one size; resize them to one",
            )
    return frames


def _listed(track: str, position: int, item: Any, declared: PixelFormat) -> Picture:
    if isinstance(item, list | tuple):
        hint = "a list is one batch of frames; emit one batch of yours at a time, such as frames[0]"
    elif is_array(item) or _is_image(item):
        frame = _pictures(track, item, declared)
        if isinstance(frame, Picture):
            return frame
        hint = "join batches with numpy.concatenate or torch.cat"
    else:
        hint = "a list holds frames: arrays, tensors or PIL images"
    expected = f"a list of single frames, {_expected(declared, alone=True)}"
    raise FrameError(track, f"got a list with {describe_array(item)} at {position}, expected {expected}; {hint}")


def _pictures(track: str, value: Any, declared: PixelFormat) -> Picture | list[Picture]:
    if _is_image(value):
        return _image(track, value)
    hint = _hint(track, value, declared)
    if hint is not None:
        raise FrameError(track, f"got {describe_array(value)}, expected {_expected(declared)}; {hint}")
    if len(value.shape) != 4:
        return _picture(value, declared)
    try:
        with reading(value):
            return [_picture(value[position], declared) for position in range(value.shape[0])]
    except ValueError as error:
        raise FrameError(track, f"got {describe_array(value)}, expected {_expected(declared)}; {error}") from error


def _picture(frame: Any, declared: PixelFormat) -> Picture:
    return Picture(frame, *height_and_width(frame.shape, declared.layout), declared)


def _image(track: str, image: Any) -> Picture:
    if image.mode not in _IMAGE_MODES:
        hint = f"mode {image.mode!r} does not say what black and white are, so make it 8-bit yourself"
        raise FrameError(track, f"got a PIL image of mode {image.mode!r}, expected RGB, RGBA or grey; {hint}")
    width, height = image.size
    if not (width and height):
        raise FrameError(track, f"got a PIL image of {width}x{height}, expected a frame; it needs at least one pixel")
    return Picture(image, height, width, PixelFormat())


def _is_image(value: Any) -> bool:
    """Whether `value` is an image of PIL or of what does as PIL does. PIL is not imported for it."""
    return isinstance(getattr(value, "mode", None), str) and hasattr(value, "size") and hasattr(value, "convert")


def _kind(array: Any) -> str:
    """The name of its dtype: `torch.bfloat16` is `bfloat16`, and numpy's `>f4` is `float32`."""
    return str(getattr(array.dtype, "name", array.dtype)).rpartition(".")[2]


def _expected(declared: PixelFormat, *, alone: bool = False) -> str:
    values = "uint8 RGB"
    if declared.range is not None:
        values = f"floats from {declared.range[0]:g} to {declared.range[1]:g}, or uint8, RGB"
    shape = "(3, H, W)" if declared.layout == "CHW" else "(H, W, 3)"
    return f"{values}, {shape}" if alone else f"{values}, {shape} or (N, {shape[1:]}"


def _declaration(track: str, range: tuple[float, float] | None, layout: Layout) -> str:
    """What an author has to write for a track of such a format."""
    parts = [] if range is None else [f"range=({range[0]:g}, {range[1]:g})"]
    parts += ['layout="CHW"'] if layout == "CHW" else []
    return f"`{track}: Video({', '.join(parts)})`" if parts else f"`{track}: Video`"


def _hint(track: str, value: Any, declared: PixelFormat) -> str | None:
    """What to do about a value that holds no frame; None if it does."""
    if is_array(value):
        return _shape_hint(track, value, declared) or _dtype_hint(track, value, declared)
    if value is None:
        return "every track of an output needs an array"
    return "a frame is an array, a tensor, a PIL image, or a list of them"


def _shape_hint(track: str, array: Any, declared: PixelFormat) -> str | None:
    """What to do about a shape that is no frame's and no batch's; None if there is nothing to do."""
    shape = tuple(array.shape)
    if len(shape) == 5:
        return "a batch has four dimensions; emit one video at a time, such as frames[0]"
    if len(shape) not in (2, 3, 4):
        return "a frame has three dimensions (a grey one may have two), a batch of frames four"
    if len(shape) > 2:
        first, last = shape[-3], shape[-1]
        channels, other = (first, last) if declared.layout == "CHW" else (last, first)
        if channels not in _CHANNELS:
            return _channels_hint(track, array, channels, other, declared)
    if 0 in height_and_width(shape, declared.layout):
        return "a frame needs at least one pixel"
    return None


def _channels_hint(track: str, array: Any, channels: int, other: int, declared: PixelFormat) -> str:
    channels_first, dimensions = declared.layout == "CHW", len(array.shape)
    if other in _CHANNELS:
        if declared.fixed:
            axes = "1, 2, 0" if dimensions == 3 else "0, 2, 3, 1"
            return f"for channels first use frame.{'permute' if hasattr(array, 'permute') else 'transpose'}({axes})"
        layout: Layout = "HWC" if channels_first else "CHW"
        return f"for channels {'last' if channels_first else 'first'} declare " + _declaration(
            track, declared.range, layout
        )
    axis = "first" if channels_first else "last"
    if dimensions == 3:
        fix = "frames[:, None]" if channels_first else "frames[..., None]"
        return f"for a batch of grey frames use {fix}, which says so; else the {axis} axis holds red, green and blue"
    return f"the {axis} axis of a frame holds red, green and blue (and alpha), or grey; not {channels} values"


def _dtype_hint(track: str, array: Any, declared: PixelFormat) -> str | None:
    """What to do about a dtype that is no pixel's; None if there is nothing to do."""
    kind = _kind(array)
    if kind in _BYTES or (kind in _FLOATS and declared.range is not None):
        return None
    if kind in _FLOATS and declared.fixed:
        return f"for floats from 0 to 1 use {_bytes('(frame.clip(0, 1) * 255)', array)}"
    if kind in _FLOATS:
        unit = _declaration(track, (0, 1), declared.layout)
        return f"for floats declare {unit}, or whichever values are black and white"
    if kind.startswith(("int", "uint")):
        return f"for integers from 0 to 255 use {_bytes('frame', array)}"
    return f"a pixel is one of {', '.join((*_BYTES, *_FLOATS))}"


def _bytes(frame: str, array: Any) -> str:
    """What makes bytes of `frame`, an expression of the library that `array` is of."""
    return f"{frame}.byte()" if hasattr(array, "byte") else f"{frame}.astype('uint8')"
