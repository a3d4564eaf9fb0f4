"""What a client of the protobuf wire tells of its own side of the connection, as JSON values and cut to bounds."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

MAX_TRACKS: Final = 32
MAX_METRICS: Final = 64
MAX_STAGES: Final = 32
MAX_TEXT: Final = 128
"""Characters of a name, or of any other text."""


def read_client_stats(body: Any) -> dict[str, Any]:
    """A `ClientStats` under the names of its fields; enumerations in lower case. What it leaves out is left out, and
    what is above a bound too.
    """
    found: dict[str, Any] = {"track_stats": [_track(track) for track in body.track_stats[:MAX_TRACKS]]}
    if body.HasField("connection_stat"):
        stat = body.connection_stat
        found["connection_stat"] = {
            "timestamp": stat.timestamp,
            "metrics": _metrics(stat.metrics),
            "environment": {field.name: value[:MAX_TEXT] for field, value in stat.environment.ListFields()},
            "message_stages": _stages(stat.message_stages, "messages"),
        }
    return found


def _track(stat: Any) -> dict[str, Any]:
    codec = stat.WhichOneof("codec")
    found: dict[str, Any] = {
        "timestamp": stat.timestamp,
        "track_name": stat.track_name[:MAX_TEXT],
        "kind": _enum(stat, "kind"),
        "direction": _enum(stat, "direction"),
        "paused": stat.paused,
        "metrics": _metrics(stat.metrics),
        "frame_stages": _stages(stat.frame_stages, "frames"),
    }
    if codec is not None:
        found["codec"] = _enum(stat, codec)
    if stat.codec_implementation:
        found["codec_implementation"] = stat.codec_implementation[:MAX_TEXT]
    if stat.HasField("hardware_codec"):
        found["hardware_codec"] = stat.hardware_codec
    return found


def _metrics(metrics: Any) -> dict[str, float]:
    return {name[:MAX_TEXT]: value for name, value in islice(metrics.items(), MAX_METRICS)}


def _stages(stages: Iterable[Any], unit: str) -> list[dict[str, Any]]:
    return [
        {
            "name": stage.name[:MAX_TEXT],
            "total_ms": stage.total_ms,
            unit: getattr(stage, unit),
            "part_of": stage.part_of[:MAX_TEXT],
        }
        for stage in islice(stages, MAX_STAGES)
    ]


def _enum(message: Any, field: str) -> str | int:
    """The last word of a value's name, `vp8` of `VIDEO_CODEC_VP8`; the number of one that is newer than we are."""
    value = getattr(message, field)
    known = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number.get(value)
    return int(value) if known is None else str(known.name).rsplit("_", 1)[-1].lower()
