"""The third generation's checklist: where each of its checks is tested.

A check has its number in the name of its tests, `test_NN_…`, in the files `test_gen3*.py` beside this one, with
`deviation` behind the number where we differ on purpose. What is tested elsewhere in full stands here.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKS = 44
OUT_OF_SCOPE = {40: "recording and clips", 44: "LiveKit"}
ELSEWHERE: dict[int, tuple[str, ...]] = {
    1: (
        "tests/service/test_http.py::test_while_the_model_loads_health_is_good_and_a_session_is_asked_for_later",
        "tests/service/test_start_up.py::test_a_load_that_fails_is_told_at_health_and_at_the_terminal_and_ends_with_1",
    ),
    5: ("tests/service/test_events.py::test_a_session_that_nobody_joins_times_out_and_is_told_to_have",),
    7: ("tests/service/test_events.py::test_since_and_last_event_id_replay_and_since_goes_first",),
    8: (
        "tests/unit/test_journal.py::test_a_reader_that_is_slow_holds_up_nobody_and_finds_a_gap",
        "tests/unit/test_journal.py::test_what_happens_often_never_pushes_out_what_tells_of_the_session",
    ),
    14: (
        "tests/service/test_stopping.py::test_a_signal_while_people_watch_tells_them_and_lets_the_model_clean_up",
        "tests/service/test_options.py::test_a_session_has_its_grace_when_the_service_is_terminated",
        "tests/driver/test_driver_app.py::test_an_error_that_nobody_takes_ends_the_model",
    ),
    18: (
        "tests/service/test_paths.py::test_who_offers_anew_on_the_same_connection_has_a_picture_at_once",
        "tests/service/test_paths.py::test_an_ice_restart_keeps_the_connection_its_channel_and_its_picture",
        "tests/service/test_paths.py::test_who_loses_the_path_is_missed_unless_an_ice_restart_brings_it_back_and_the_others_go_on",
        "tests/service/test_paths.py::"
        "test_a_session_whose_viewer_offers_anew_is_orphaned_meanwhile_only_if_no_other_is_there",
    ),
    22: (
        "tests/service/test_options.py::test_a_client_that_pings_no_more_is_gone_after_the_ping_timeout",
        "tests/service/test_options.py::test_what_cannot_be_read_is_a_sign_of_life_too",
        "tests/service/test_sessions.py::test_who_vanishes_is_missed_and_the_others_go_on",
    ),
    24: (
        "tests/unit/test_chunking.py::test_a_message_is_cut_as_the_other_side_expects",
        "tests/unit/test_chunking.py::test_what_the_other_side_cuts_is_put_together",
        "tests/unit/test_chunking.py::test_a_message_above_the_limit_is_dropped_and_the_next_one_is_not",
    ),
    26: ("tests/unit/test_conversation.py::test_a_binary_message_is_protobuf_whatever_its_request_id_is_long",),
    30: ("tests/driver/test_driver_app.py::test_nobody_disconnects_when_the_session_ends_and_the_state_goes_last",),
    36: (
        "tests/driver/test_driver_output.py::test_drop_never_waits_and_never_queues_more_than_the_buffer",
        "tests/driver/test_driver_output.py::test_a_rate_that_is_set_while_the_next_step_is_waited_for_counts_at_once",
    ),
    37: (
        "tests/unit/test_stream.py::test_a_flush_drops_what_waits_shows_black_and_loses_no_receipt",
        "tests/unit/test_stream.py::test_a_flush_that_holds_drops_what_waits_and_keeps_the_picture",
        "tests/driver/test_driver_output.py::test_whatever_makes_waiting_frames_obsolete_ends_a_blocked_emit_at_once",
    ),
    38: (
        "tests/driver/test_driver_app.py::test_what_was_published_before_everybody_left_is_not_read_after",
        "tests/service/test_input.py::test_published_sound_reaches_the_model_at_its_tracks_rate_and_without_a_gap",
    ),
    43: (
        "tests/service/test_metrics.py::test_a_session_its_viewers_and_its_commands_are_counted",
        "tests/service/test_metrics.py::test_a_session_that_a_crash_ends_is_counted_as_an_error",
    ),
}


def here() -> dict[int, list[str]]:
    """The tests of this folder by the numbers in their names: one test may have several."""
    found: dict[int, list[str]] = {}
    for path in sorted(Path(__file__).parent.glob("test_gen3*.py")):
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            for number in re.findall(r"(?:^test|_and)_(\d\d)(?=_)", name):
                found.setdefault(int(number), []).append(name)
    return found


def test_every_check_has_its_test() -> None:
    tested = here().keys() | ELSEWHERE.keys()
    assert set(range(1, CHECKS + 1)) - tested == OUT_OF_SCOPE.keys()


@pytest.mark.parametrize(
    ("number", "test"), [(number, test) for number, tests in ELSEWHERE.items() for test in tests], ids=str
)
def test_what_is_named_is_there(number: int, test: str) -> None:
    file, _, name = test.partition("::")
    code = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^(?:async )?def {name}\(", code, re.MULTILINE), f"check {number}: {test}"
