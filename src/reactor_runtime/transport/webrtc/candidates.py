"""The addresses of this machine at which a connection can be reached, as libwebrtc finds them."""

from __future__ import annotations

import asyncio
import contextlib

FIRST_WITHIN_S, NEXT_WITHIN_S = 0.5, 0.004
"""Host candidates come all at once: when the first has, the answer leaves as soon as there is no other for this long. A
server that cannot be reached never delays it."""
RELAYED_WITHIN_S = 3.0
"""Where only relayed candidates count: a TURN server takes a few round trips, and an answer without any is useless."""

Candidate = tuple[str | None, int | None, str]
"""The section by its mid and by its number, and the line."""


class LocalCandidates:
    """Belongs to the event loop's thread. With `relay_only` only those of TURN servers are looked for."""

    def __init__(self, *, relay_only: bool = False) -> None:
        self._first_within = RELAYED_WITHIN_S if relay_only else FIRST_WITHIN_S
        self._found: list[Candidate] = []
        self._all = False
        self._news = asyncio.Event()

    def found(self, candidate: Candidate) -> None:
        """One more."""
        self._found.append(candidate)
        self._news.set()

    def complete(self) -> None:
        """No more will come."""
        self._all = True
        self._news.set()

    def restart(self) -> None:
        """Those found so far hold no longer: they are looked for anew."""
        self._found = []
        self._all = False
        self._news.clear()

    async def first(self) -> list[Candidate]:
        """Those that come first: of this machine itself, whatever a STUN or TURN server does, or of a TURN server where
        only these are looked for. None if there is none in time.
        """
        with contextlib.suppress(TimeoutError):
            while not self._all:
                await asyncio.wait_for(self._news.wait(), NEXT_WITHIN_S if self._found else self._first_within)
                self._news.clear()
        return list(self._found)
