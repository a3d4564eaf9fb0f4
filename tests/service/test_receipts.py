"""Every command gets its receipt: accepted and applied with a frame, or rejected, or failed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.conftest import Watch
from tests.service.lamp import Lamp


def test_a_command_is_accepted_and_then_applied_with_the_frame_that_shows_it(lamp: Lamp, watch: Watch):
    viewer = watch(lamp.service).watch()
    viewer.command("set_brightness", {"brightness": 1.5}, id="a1")
    applied = viewer.receipt("a1", "applied")
    assert applied.pop("frame") > 0
    assert applied == {"id": "a1", "command": "set_brightness", "status": "applied", "track": "video"}
    kinds = [m.data["status"] for m in viewer.messages if m.type == "receipt"]
    assert kinds == ["accepted", "applied"]
    viewer.wait_frame(lambda frame: frame.luma > 130)


def test_frame_numbers_of_receipts_rise_with_the_order_of_the_commands(lamp: Lamp, watch: Watch):
    viewer = watch(lamp.service).watch()
    for number in range(20):
        viewer.command("set_label", {"label": str(number)}, id=number)
    frames = [viewer.receipt(number, "applied")["frame"] for number in range(20)]
    assert frames == sorted(frames)


@pytest.mark.parametrize(
    ("command", "data", "field", "reason"),
    [
        ("set_colour", {"colour": "red"}, None, "unknown command"),
        ("set_brightness", {"brightness": 2.5}, "brightness", "2"),
        ("set_brightness", {"brightness": "bright"}, "brightness", "number"),
        ("set_brightness", {"brightness": None}, "brightness", ""),
        ("set_brightness", {"brightness": 1.0, "hue": 3}, "hue", "unexpected"),
        ("set_label", {"label": "x" * 21}, "label", "20"),
        ("paint", {"colour": "red", "times": 1.5}, "times", "integer"),
        ("paint", {"times": 1}, "colour", "missing"),
        ("paint", [1, 2], None, "object"),
    ],
)
def test_a_command_that_cannot_be_is_rejected_with_field_and_reason(
    command: str, data: Any, field: str | None, reason: str, lamp: Lamp, watch: Watch
):
    viewer = watch(lamp.service).watch()
    viewer.command(command, data, id="bad")
    receipt = viewer.receipt("bad", "rejected")
    assert receipt["command"] == command
    assert receipt.get("field") == field
    assert reason in receipt["reason"].lower()
    # It has not reached the model, which takes the next one.
    viewer.command("paint", {"colour": "red"}, id="good")
    viewer.receipt("good", "applied")
    assert [m.data["id"] for m in viewer.messages if m.type == "receipt"] == ["bad", "good", "good"]


def test_a_handler_that_raises_makes_a_failed_receipt_and_nothing_else(lamp: Lamp, watch: Watch):
    viewer = watch(lamp.service).watch()
    viewer.command("explode", id="e")
    receipt = viewer.receipt("e", "failed")
    assert receipt["reason"] == "ValueError: no such thing as a lamp"
    lamp.service.line("ValueError: no such thing as a lamp")
    viewer.wait_moving()
    assert lamp.service.health()["state"] == "STREAMING"


def test_a_command_without_an_id_is_obeyed_and_only_its_refusal_is_told(lamp: Lamp, watch: Watch):
    viewer = watch(lamp.service).watch()
    viewer.command("set_brightness", {"brightness": 2.0})
    viewer.wait_frame(lambda frame: frame.luma > 170)
    viewer.command("set_brightness", {"brightness": 3.0})
    viewer.message(lambda m: m.type == "receipt" and m.data["status"] == "rejected" and "id" not in m.data)
    assert len([m for m in viewer.messages if m.type == "receipt"]) == 1


def test_two_people_may_use_the_same_id_and_each_gets_their_own_receipt(lamp: Lamp, watch: Watch):
    viewers = [watch(lamp.service).watch(), watch(lamp.service).watch(start=False)]
    for viewer, colour in zip(viewers, ("red", "blue"), strict=True):
        viewer.command("paint", {"colour": colour}, id=7)
    for viewer in viewers:
        viewer.receipt(7, "applied")
        assert len([m for m in viewer.messages if m.type == "receipt"]) == 2


def test_what_the_model_says_reaches_everybody(lamp: Lamp, watch: Watch):
    viewers = [watch(lamp.service).watch(), watch(lamp.service).watch(start=False)]
    viewers[0].command("shout", {"size": 10})
    for viewer in viewers:
        told = viewer.message(lambda m: m.scope == "application")
        assert (told.type, told.data) == ("told", {"text": "x" * 10})


def test_a_message_of_the_model_that_is_too_large_for_the_channel_cuts_nobody_off(lamp: Lamp, watch: Watch):
    viewer = watch(lamp.service).watch()
    viewer.command("shout", {"size": 300_000}, id="shout")
    viewer.receipt("shout", "applied")
    viewer.command("paint", {"colour": "red"}, id="next")
    viewer.receipt("next", "applied")
    assert (viewer.number, "closed") not in viewer.states
    viewer.wait_moving()
