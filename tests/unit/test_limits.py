"""How much a viewer may say."""

from __future__ import annotations

from reactor_runtime.transport.webrtc.limits import FRAME_BYTES, LONG_BYTES, MessageLimit


def test_so_many_messages_pass_at_once_and_no_more() -> None:
    limit = MessageLimit(rate=0.0, burst=3.0)
    assert [limit.admit(10) for _ in range(5)] == [True, True, True, False, False]


def test_a_long_message_counts_as_several() -> None:
    limit = MessageLimit(rate=0.0, burst=4.0)
    assert not limit.admit(4 * LONG_BYTES)
    assert limit.admit(2 * LONG_BYTES)
    assert limit.admit(LONG_BYTES - 1)
    assert not limit.admit(0)


def test_what_is_charged_afterwards_is_made_up_for_by_those_that_follow() -> None:
    limit = MessageLimit(rate=0.0, burst=5.0)
    assert limit.admit(0)
    limit.charge(2 * LONG_BYTES, FRAME_BYTES)
    assert limit.admit(0)
    assert not limit.admit(0)
