"""The little that we read and write of SDP ourselves (RFC 8866, RFC 8839)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from reactor_runtime.media.encoder import Codec

_REPAIR = frozenset({"RTX", "RED", "ULPFEC", "FLEXFEC-03"})
_PROFILE = re.compile(r"[ ;]profile(?:-id)?=([1-9]\d*)")
_CHUNKING = "a=x-reactor-dc-chunking:1"
CHUNKED_BYTES = 256 * 1024
"""Of a client that does not say."""


@dataclass(slots=True)
class Section:
    """One media section of an offer; one that is rejected is inactive. `formats` are its codecs by payload type, in
    capitals; one of VP9 or AV1 that is not of profile 0, which is all that we send, has its profile in the name.
    """

    kind: str
    mid: str = ""
    direction: str = "sendrecv"
    formats: dict[str, str] = field(default_factory=dict)

    @property
    def receives(self) -> bool:
        """Whether its end takes something."""
        return self.direction in ("recvonly", "sendrecv")

    @property
    def sends(self) -> bool:
        """Whether its end brings something."""
        return self.direction in ("sendonly", "sendrecv")

    @property
    def codecs(self) -> set[str]:
        """What is offered, without the formats that only repair others."""
        return set(self.formats.values()) - _REPAIR


def sections(sdp: str) -> list[Section]:
    """The media sections of a description, in order."""
    return [_section(block) for block in _blocks(sdp)[1:]]


def _section(block: list[str]) -> Section:
    kind, *listed = block[0][2:].split(" ")  # A port, a protocol, and the payload types.
    section, payloads = Section(kind), set(listed[2:])
    for line in block:
        if line.startswith("a=mid:"):
            section.mid = line[6:].strip()
        elif line.startswith("a=rtpmap:"):
            payload, _, encoding = line[9:].partition(" ")
            if payload in payloads:
                section.formats[payload] = encoding.split("/", 1)[0].upper()
        elif line.startswith("a=fmtp:"):
            payload = line[7:].split(" ", 1)[0]
            if section.formats.get(payload) in ("VP9", "AV1") and (profile := _PROFILE.search(line)):
                section.formats[payload] += f" profile {profile[1]}"
        elif line[2:] in ("sendrecv", "sendonly", "recvonly", "inactive"):
            section.direction = line[2:]
    if listed[:1] == ["0"] and "a=bundle-only" not in block:
        section.direction = "inactive"
    return section


def ice_ufrags(sdp: str) -> frozenset[str]:
    """The names that the other end gave its ICE transports: fresh ones restart ICE (RFC 8839 §4.4.1.1.1)."""
    return frozenset(_values(sdp, "a=ice-ufrag:"))


def same_end(one: str, other: str) -> bool:
    """Whether two offers come from one end of one connection: it has the same certificate, and numbers its offers on
    (RFC 8829 §5.2.2) or has kept its ICE transports.
    """
    if set(_values(one, "a=fingerprint:")) != set(_values(other, "a=fingerprint:")):
        return False
    origins = [[line.split()[:2] for line in sdp.splitlines() if line.startswith("o=")] for sdp in (one, other)]
    return origins[0] == origins[1] or ice_ufrags(one) == ice_ufrags(other)


def choose_codec(offered: set[str], preference: Iterable[Codec], in_use: Iterable[Codec]) -> Codec | None:
    """The codec to send: one that is being encoded already costs nothing more, else the first preferred."""
    usable = [codec for codec in preference if codec.value in offered]
    busy = set(in_use)
    return next((codec for codec in usable if codec in busy), usable[0] if usable else None)


def max_message_size(sdp: str) -> int:
    """The longest message that the client takes on a data channel, in bytes (RFC 8841 §6: 64 KiB unless it says)."""
    for line in _of_channels(sdp):
        if (found := re.fullmatch(r"a=max-message-size: *([0-9]{1,20})\s*", line)) is not None:
            return int(found[1]) or sys.maxsize  # 0 means any length.
    return 65_536


def chunked_message_size(sdp: str) -> int | None:
    """The longest message, in bytes, of a client that cuts up its own and puts ours together; None of any other. It may
    say so of the whole description.
    """
    for line in sdp.splitlines():
        if (found := re.fullmatch(rf"{_CHUNKING}(?: max-message-size=([0-9]{{1,20}}))?\s*", line)) is not None:
            return int(found[1] or CHUNKED_BYTES)
    return None


def with_chunking(sdp: str, longest: int) -> str:
    """The description with the promise to do the same, for messages of at most `longest` bytes."""
    blocks = _blocks(sdp)
    for block in blocks:
        if block and block[0].startswith("m=application"):
            block.append(f"{_CHUNKING} max-message-size={longest}")
    return _joined(blocks)


def with_channels(sdp: str, channels: Literal[1, 2]) -> str:
    """The description with so many channels of sound preferred, unless it wants one where it may have two.

    A stack encodes what the other side prefers, and decodes what it prefers itself (RFC 7587 §6.1). In all sections it
    is the same: those of a bundle share their payload types, and so the parameters of these (RFC 9143 §9.1).
    """
    blocks = _blocks(sdp)
    for block in blocks:
        opus = next((line[9:].split(" ", 1)[0] for line in block if line.lower().endswith(" opus/48000/2")), None)
        at = next((i for i, line in enumerate(block) if line.startswith(f"a=fmtp:{opus} ")), None)
        if channels == 1:
            if at is not None:
                block[at] = re.sub(r"(?<=[ ;])stereo=1", "stereo=0", block[at])
        elif opus is not None and at is None:
            block.append(f"a=fmtp:{opus} stereo=1")
        elif at is not None and not re.search(r"[ ;]stereo=", block[at]):
            block[at] += ";stereo=1"
    return _joined(blocks)


def with_candidates(sdp: str, candidates: Iterable[tuple[str | None, int | None, str]]) -> str:
    """The description with `(mid, index, candidate)` lines put into their sections, as the browsers' own stacks do.

    A candidate of a bundled transport belongs to one section only, but some clients look for one in the first.
    """
    blocks = _blocks(sdp)
    mids = {line[6:]: i for i, block in enumerate(blocks) for line in block if line.startswith("a=mid:")}
    for mid, index, candidate in candidates:
        at = mids.get(mid or "", (index or 0) + 1)
        line = f"a={candidate}"
        if at < len(blocks) and line not in blocks[at]:
            blocks[at].append(line)
    return _joined(blocks)


def _values(sdp: str, prefix: str) -> list[str]:
    return [line[len(prefix) :].strip() for line in sdp.splitlines() if line.startswith(prefix)]


def _of_channels(sdp: str) -> list[str]:
    """The lines of the sections of data channels."""
    return [line for block in _blocks(sdp)[1:] if block[0].startswith("m=application") for line in block]


def _blocks(sdp: str) -> list[list[str]]:
    """The lines of a description: those before the first media section, then those of each section."""
    blocks: list[list[str]] = [[]]
    for line in sdp.splitlines():
        if line.startswith("m="):
            blocks.append([])
        blocks[-1].append(line)
    return blocks


def _joined(blocks: Iterable[Iterable[str]]) -> str:
    return "\r\n".join(line for block in blocks for line in block) + "\r\n"
