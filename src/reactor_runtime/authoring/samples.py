"""Samples as authors have them, of any library: checked, and brought to int16 with the channels that the track has."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reactor_runtime.authoring.arrays import FrameError, describe_array, is_array
from reactor_runtime.contract import Track
from reactor_runtime.tensors import host_array

_ACCEPTED = {1: "mono, (1, M) or (M,)", 2: "stereo, (2, M), or mono, (1, M) or (M,)"}
_FULL_SCALE = 32767
_TOO_LOUD = 100.0
"""Floats beyond this are no clipping but 16-bit values that were never cast: played, they are a roar."""


def samples_of(track: Track, value: Any) -> NDArray[np.int16]:
    """What `value` sounds like on `track`: int16 `(track.channels, M)`.

    int16 is taken as it is, as a view where it is in the host's memory. Floats are full scale at -1 and 1: louder ones
    are clipped, NaN is silence. Mono on a stereo track is heard on both sides. Waits for a device that still computes.
    Raises `FrameError`, also for what its library does not hand over.
    """
    if not is_array(value):
        what = "every track of an output needs an array" if value is None else "use numpy.asarray(samples)"
        raise FrameError(track.name, f"got {describe_array(value)}, expected an array of {_expected(track)}; {what}")
    try:
        samples = host_array(value)
    except ValueError as error:
        raise FrameError(track.name, f"got {describe_array(value)}, expected {_expected(track)}; {error}") from error
    if (hint := _hint(samples, track.channels)) is not None:
        raise FrameError(track.name, f"got {describe_array(value)}, expected {_expected(track)}; {hint}")
    if samples.dtype != np.int16:
        samples, peak = _int16_of(samples)
        if peak > _TOO_LOUD:
            text = f"got {describe_array(value)} of up to {peak:.0f}, expected floats from -1 to 1"
            raise FrameError(track.name, f"{text}; for 16-bit samples use samples.astype(numpy.int16)")
    return np.broadcast_to(samples if samples.ndim == 2 else samples[np.newaxis], (track.channels, samples.shape[-1]))


def _expected(track: Track) -> str:
    return f"int16, or floats from -1 to 1, {_ACCEPTED[track.channels]}"


def _int16_of(samples: NDArray[Any]) -> tuple[NDArray[np.int16], float]:
    """The samples of floats, and the largest of those."""
    floats = np.nan_to_num(samples.astype(np.float32), copy=False, nan=0.0, posinf=1.0, neginf=-1.0)
    peak = float(np.abs(floats).max(initial=0.0))
    scaled = np.clip(floats, -1.0, 1.0, out=floats) * np.float32(_FULL_SCALE)
    return np.rint(scaled, out=scaled).astype(np.int16), peak


def _hint(samples: NDArray[Any], channels: int) -> str | None:
    """What to do about the first thing that is wrong, layout before values; None where nothing is."""
    shape = samples.shape
    if samples.ndim == 3 and shape[0] == 1:
        return "for a batch of one use samples[0]"
    if samples.ndim not in (1, 2):
        return "a track takes the samples of one channel, or channels first"
    if samples.ndim == 2 and shape[0] > channels:
        if shape[1] <= channels:
            return "for samples first use samples.T"
        if shape[0] == 2:
            return "for stereo declare Audio(channels=2), for mono use samples.mean(0).astype(samples.dtype)"
        if shape[1] == 2:
            return "for stereo, samples first, declare Audio(channels=2) and send samples.T"
        return f"{shape[0]} channels are more than a track has"
    if samples.ndim == 2 and not shape[0]:
        return "a track has at least one channel"
    if samples.dtype == np.int16 or np.issubdtype(samples.dtype, np.floating):
        return None
    if samples.dtype == np.uint8:
        return "for unsigned 8-bit samples use (samples.astype(numpy.int16) - 128) * 256"
    if samples.dtype == np.int32:
        return "for 16-bit samples use samples.astype(numpy.int16), for 32-bit ones (samples >> 16).astype(numpy.int16)"
    if np.issubdtype(samples.dtype, np.integer):
        return "for 16-bit samples use samples.astype(numpy.int16)"
    return "for samples from -1 to 1 use floats"
