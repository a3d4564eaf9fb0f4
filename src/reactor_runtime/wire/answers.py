"""What a client that waits for an answer gets where the answer itself cannot travel."""

from __future__ import annotations

from reactor_runtime.wire.messages import Notice, PublishAnswer, Refusal, ServerMessage
from reactor_runtime.wire.steps import StepResult

CODE = "answer_failed"


def without_body(message: ServerMessage, why: str) -> ServerMessage | None:
    """The short form of an answer, which says why the whole one does not come; None of what answers no request."""
    request = getattr(message, "request", None)
    if request is None:
        return None
    text = f"the answer cannot be sent: {why}"
    if isinstance(message, StepResult):
        failure = message.failure or "RESULT_TOO_LARGE"
        return StepResult(request, message.step, elapsed=message.elapsed, error=text, failure=failure)
    return Refusal(request, CODE, text, "control" if isinstance(message, Notice | PublishAnswer) else "data")
