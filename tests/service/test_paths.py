"""The path between a viewer and the service: it breaks off and comes back, moves, or is there for good."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.service.conftest import Watch
from tests.service.follower import following
from tests.service.lamp import Lamp
from tests.service.viewer import Viewer

GONE_S = 15.0
"""How long after its last packet a viewer is missed, as `docs/protocol.md` has it."""


@contextmanager
def silenced(viewer: Viewer) -> Iterator[float]:
    """Its process stands still, and with it all that it sends."""
    viewer.process.send_signal(signal.SIGSTOP)
    try:
        yield time.monotonic()
    finally:
        viewer.process.send_signal(signal.SIGCONT)


def test_a_viewer_whose_path_breaks_off_for_some_seconds_has_never_left(lamp: Lamp, watch: Watch):
    viewer = watch(lamp.service).watch()
    left = lamp.journal.count(f"disconnected {viewer.connection}")
    with silenced(viewer) as since:
        # The service has noticed by then that nothing comes, and waits.
        lamp.service.until(lambda: time.monotonic() - since > 8, "the eighth second")
        assert lamp.service.health()["viewers"] == 1
    viewer.wait_moving(after=time.monotonic())
    assert lamp.service.health()["viewers"] == 1
    assert lamp.journal.count(f"disconnected {viewer.connection}") == left


def test_who_loses_the_path_is_missed_unless_an_ice_restart_brings_it_back_and_the_others_go_on(
    lamp: Lamp, watch: Watch
):
    """In one outage, for it takes its time."""
    viewer = watch(lamp.service)
    viewer.connect(detour=True)
    viewer.wait_moving()
    lost, other = (watch(lamp.service).watch(start=False) for _ in range(2))
    viewer.cut()
    with silenced(lost) as since:
        lamp.service.until(lambda: time.monotonic() - since > 8, "the eighth second")
        assert viewer.frames[-1].at < since + 6, "what was on its way may come later where the machine is busy"
        viewer.restart()
        viewer.wait_moving(after=time.monotonic())
        lamp.happened(f"disconnected {lost.connection}")
        assert time.monotonic() - since > GONE_S - 4, "five seconds after its last packet it is not given up yet"
        lamp.service.until(lambda: time.monotonic() - since > GONE_S + 3, "the time when both would be missed")
        assert f"disconnected {viewer.connection}" not in lamp.journal
        assert lamp.service.health()["viewers"] == 2
        other.wait_moving()


@pytest.mark.parametrize("codec", ["VP8", "VP9", "AV1"])
def test_an_ice_restart_keeps_the_connection_its_channel_and_its_picture(codec: str, lamp: Lamp, watch: Watch):
    other = watch(lamp.service).watch()
    viewer = watch(lamp.service).watch(start=False, codec=codec)
    viewer.wait_moving()
    for number, brightness in enumerate((2.0, 0.5)):
        viewer.restart()
        viewer.wait_moving(after=time.monotonic())
        viewer.command("set_brightness", {"brightness": brightness}, id=number)
        viewer.receipt(number, "applied")
        viewer.wait_frame(lambda frame: frame.luma > 170 if brightness > 1 else frame.luma < 90)  # noqa: B023
    assert {frame.size for frame in viewer.frames} == {(160, 120)}
    assert (1, "closed") not in viewer.states
    assert f"disconnected {viewer.connection}" not in lamp.journal
    assert lamp.service.health()["viewers"] == 2
    other.wait_moving(after=time.monotonic())


AT_ONCE_S = 10.0
"""It takes 100 to 150 ms on a machine that has nothing else to do; to miss the old connection would take `GONE_S`."""


def test_who_offers_anew_on_the_same_connection_has_a_picture_at_once(lamp: Lamp, watch: Watch):
    viewer = watch(lamp.service).watch()
    before = viewer.connection
    viewer.connect(start=False, again=before)
    assert viewer.wait_frame().at - viewer.offered_at < AT_ONCE_S
    assert viewer.connection == before
    viewer.wait_moving()
    lamp.happened(f"disconnected {before}")
    lamp.happened(f"connected {before}", count=2)
    assert lamp.service.health()["viewers"] == 1


@pytest.mark.parametrize("others", [True, False])
def test_a_session_whose_viewer_offers_anew_is_orphaned_meanwhile_only_if_no_other_is_there(
    others: bool, lamp: Lamp, watch: Watch
):
    viewer = watch(lamp.service).watch()
    if others:
        watch(lamp.service).watch(start=False)
    with following(lamp.service) as events:
        viewer.connect(start=False, again=viewer.connection)
        closed = events.until("connection_closed")
        opened = events.until("connection_opened")
    meanwhile = "streaming" if others else "orphaned"
    assert (closed.body["from"], closed.body["to"]) == ("streaming", meanwhile)
    assert (opened.body["from"], opened.body["to"]) == (meanwhile, "streaming")
    assert closed.body["detail"]["conn_id"] == opened.body["detail"]["conn_id"] == viewer.connection


def test_who_offers_anew_while_the_old_path_is_dead_does_not_wait_for_it(lamp: Lamp, watch: Watch):
    viewer = watch(lamp.service).watch()
    left = viewer.connection
    viewer.vanish()
    viewer = watch(lamp.service)
    viewer.connect(start=False, again=left)
    assert viewer.wait_frame().at - viewer.offered_at < AT_ONCE_S
    assert lamp.service.health()["viewers"] == 1


@pytest.mark.parametrize("who", ["joins", "comes back", "comes back to nobody"])
def test_a_slow_model_keeps_nobody_from_the_last_picture(who: str, lamp: Lamp, watch: Watch):
    first = watch(lamp.service).watch()
    viewer = watch(lamp.service).watch(start=False) if who == "comes back" else first
    first.command("set_brightness", {"brightness": 2.0})
    first.wait_frame(lambda frame: frame.luma > 170)
    blocked = lamp.journal.count("does 300.0")
    first.command("block", {"seconds": 300.0}, id=1)
    # The step that has begun ends when the test says so: there is no other picture than the last.
    lamp.happened("does 300.0", blocked + 1)
    try:
        lamp.service.until(lambda: time.monotonic() - first.frames[-1].at > 1, "an end of the frames")
        if who == "joins":
            viewer = watch(lamp.service)
            viewer.connect(start=False)
        else:
            viewer.connect(start=False, again=viewer.connection)
        viewer.wait_frame(lambda frame: frame.luma > 170)
    finally:
        lamp.release()
