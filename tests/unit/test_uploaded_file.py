"""An uploaded file in the author's state and messages: clients see its reference, never its bytes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from reactor_runtime.authoring import InputField, InputState, ModelMessage, UploadedFile, state_values

FILE = UploadedFile("cat.png", "image/png", 3, b"\x00\xff\x01", "u1")
REFERENCE = {"upload_id": "u1", "name": "cat.png", "mime_type": "image/png", "size": 3}


def test_a_state_field_that_holds_a_file_is_told_as_its_reference() -> None:
    class State(InputState):
        image: UploadedFile | None
        strength: float = 0.5

    state = State()
    assert state_values(state) == {"image": None, "strength": 0.5}
    state.image = FILE
    assert state_values(state) == {"image": REFERENCE, "strength": 0.5}


def test_a_message_may_name_files_wherever_they_sit() -> None:
    @dataclass
    class Layer:
        mask: UploadedFile | None

    class Took(ModelMessage):
        files: list[UploadedFile]
        layer: Layer

    assert Took(files=[FILE], layer=Layer(FILE)).wire_data() == {"files": [REFERENCE], "layer": {"mask": REFERENCE}}


def test_a_file_that_no_client_brought_has_no_id() -> None:
    made = UploadedFile("a", "b", 1, b"x")
    assert made.reference() == {"upload_id": "", "name": "a", "mime_type": "b", "size": 1}
    # Two are the same file if they have the same content, wherever it came from.
    assert made == UploadedFile("a", "b", 1, b"x", "u2")


def test_a_file_cannot_be_a_default() -> None:
    with pytest.raises(TypeError, match=r"image.*None is the only default"):

        class State(InputState):
            image: UploadedFile = InputField(default=FILE)
