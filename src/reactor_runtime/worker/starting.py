"""Runs the commands that a session is started with, before anybody's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from reactor_runtime.authoring import ClientInfo, Runtime, UploadedFile
from reactor_runtime.link import CommandCall, CommandDone, LinkMessage, SessionStart
from reactor_runtime.worker.calls import Calls
from reactor_runtime.worker.reading import Reading
from reactor_runtime.worker.reporter import line_of

log = logging.getLogger("reactor.model")

NO_FILE = "a file that it refers to has not come"


async def run_starting(
    start: SessionStart,
    runtime: Runtime,
    calls: Calls,
    reading: Reading,
    send: Callable[[LinkMessage], None],
    ending: Callable[[], bool],
) -> tuple[str, str] | None:
    """Run the commands in order, each when its files are there, which may take `start.patience` seconds in all, and
    none once the session is `ending()`.

    One that fails is told. In a session of so many steps it ends the session: returns then why, and the cause.
    """
    now = asyncio.get_running_loop().time()
    until = now + start.patience
    for call in start.commands:
        files = await _files(call, reading, now if ending() else until)
        if files is None:
            send(CommandDone(call.id, NO_FILE, code="unresolved_upload"))
            error, cause = NO_FILE, "start_refused"
        else:
            client = ClientInfo(call.client, now, runtime, system=True)
            error, cause = await calls.run(call, client, files, ()) or "", "error"
        if error and start.steps is not None:
            return f"Session ended: the starting command {call.name!r} failed: {error}", cause
    return None


async def _files(call: CommandCall, reading: Reading, until: float) -> dict[str, UploadedFile] | None:
    if not await reading.arrived(call, until):
        return None
    try:
        return await reading.read(call)
    except Exception as error:
        log.warning("a file was not read: %s", line_of(error))
        return None
