"""Pixels as authors have them to I420 in a slot of the frame ring, and to the RGB that they mean. The worker's part.

A picture comes as an array or tensor of one frame, on any device, or as a PIL image, with what its track declares:

- `range`: the values of black and of white for floats; `uint8` is 0 to 255 and `bool` is black or white in any case.
- `layout`: `"HWC"` or `"CHW"`, for `(H, W, C)` or `(C, H, W)` with 1, 3 or 4 channels; `(H, W)` is grey in both.

Floats are clipped to the range and rounded to the nearest of 256 levels; NaN is black. Alpha is dropped. Nothing is
kept of a picture: its owner may overwrite it as soon as a call returns.
"""

from reactor_runtime.media.convert.i420 import Converter
from reactor_runtime.media.convert.rgb import to_rgb
from reactor_runtime.media.convert.size import MAX_SIDE, MIN_SIDE, layout_of

__all__ = ["MAX_SIDE", "MIN_SIDE", "Converter", "layout_of", "to_rgb"]
