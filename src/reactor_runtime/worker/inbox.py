"""What waits for the driver, in order of arrival. Belongs to the driver's loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from reactor_runtime.link import CommandCall, LinkMessage, SessionEnd, SessionStart, StepCall


class EdgeGone:
    """The edge is dead, and so everybody is gone who joined before."""


class Stop:
    """The process ends."""


Inbox = deque[LinkMessage | EdgeGone | Stop]


def presses(message: LinkMessage | EdgeGone | Stop) -> bool:
    """Whether a message is a reason for the step in hand to end early: another step, which is no less due, is not."""
    return not isinstance(message, StepCall)


def newest(inbox: Inbox, call: CommandCall, ready: Callable[[CommandCall], bool]) -> tuple[CommandCall, list[int]]:
    """Of the same command that waits from the same client, the newest; and the ids of those it supersedes. All of them
    leave the inbox. One that is not `ready` ends the search: it waits for its turn.
    """
    same: list[CommandCall] = []
    for message in inbox:
        if isinstance(message, SessionEnd | SessionStart | EdgeGone):
            break  # Beyond it, the same number is somebody else.
        if isinstance(message, CommandCall) and (message.name, message.client) == (call.name, call.client):
            if not ready(message):
                break
            same.append(message)
    if not same:
        return call, []
    taken = {message.id for message in same}
    kept = [m for m in inbox if not (isinstance(m, CommandCall) and m.id in taken)]
    inbox.clear()
    inbox.extend(kept)
    return same[-1], [call.id, *(message.id for message in same[:-1])]
