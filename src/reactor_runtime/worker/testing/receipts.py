"""What became of a command that a test sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(eq=False)
class Receipt:
    """Of one command; it changes as the command goes its way. The words are those of the receipts that clients get.

    `rejected` (`field`, `reason`): it breaks the contract, and the model never saw it. `accepted`: it was sent to the
    model. `failed` (`reason`): its handler raised, with `code` a `CommandError`. `applied`: `frame` is the number of
    the first frame, of `track`, that shows it.
    """

    command: str
    client: int
    status: Literal["accepted", "applied", "rejected", "failed"] = "accepted"
    field: str | None = None
    reason: str | None = None
    code: str | None = None
    track: str | None = None
    frame: int | None = None
    handled: bool = False
    """Whether its handler has run."""

    @property
    def ok(self) -> bool:
        """Neither rejected nor failed."""
        return self.status in ("accepted", "applied")
