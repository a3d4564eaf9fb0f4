"""`describe`: from a class to its contract, without a word from any other class in the process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import types
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reactor_runtime.authoring import (
    Idle,
    InputState,
    Output,
    ReactorModel,
    ReactorPipeline,
    Video,
    describe,
)
from reactor_runtime.contract import Track

# The documents' example, with the imports that its excerpt leaves out.
TUTORIAL = """
from dataclasses import dataclass
from typing import Any
import numpy as np
from reactor_runtime.interface import InputField, InputState, Output, ReactorPipeline, Video

{decorator}
class MyOutput(Output):
    main_video: Video

{decorator}
class MyState(InputState):
    brightness: float = InputField(default=1.0, ge=0.0, le=2.0, description="Brightness multiplier")

class MyModel(ReactorPipeline):
    state: MyState
    buffer_size = 8

    def load(self, config: dict[str, Any]) -> None:
        self.width = config.get("width", 640)

    def inference(self):
        while True:
            yield MyOutput(main_video=np.zeros((4, 8, self.width, 3), np.uint8))
"""
# What an author's modules start with here, run apart so that it takes up no lines.
PREAMBLE = """
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from reactor_runtime.interface import *
"""
STATE = """
class State(InputState): ...
"""


def author(source: str, name: str = "author") -> types.ModuleType:
    """A module of the author's, as the loader would import it."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(PREAMBLE, module.__dict__)
    exec(compile(source, f"{name}.py", "exec", dont_inherit=True), module.__dict__)
    return module


@pytest.mark.parametrize("decorator", ["@dataclass", ""])
@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
def test_the_documented_model_is_described(decorator: str, future: str) -> None:
    model_class = author(future + TUTORIAL.format(decorator=decorator)).MyModel
    description = describe(model_class)
    contract = description.contract
    assert contract.name == "MyModel"
    assert contract.tracks == (Track("main_video", "video", "out"),)
    assert [command.name for command in contract.commands] == ["set_brightness"]
    assert (contract.fps, description.fps, contract.buffer_size) == (None, 30.0, 8)
    assert contract.state == {"brightness": 1.0}
    assert not contract.accepts_uploads
    model = model_class()
    model.load({"width": 16})
    assert next(model.inference()).main_video.shape == (4, 8, 16, 3)
    assert model.state is None
    assert description.new_state().brightness == 1.0


def test_models_of_two_modules_do_not_see_each_other() -> None:
    source = STATE + "class O(Output): {track}: Video\nclass M(ReactorPipeline):\n    state: State\n"
    source += "class Said(ModelMessage): {track}: int\n"
    first, second = (author(source.format(track=t), f"author_{t}") for t in ("a", "b"))
    assert [t.name for t in describe(first.M).contract.tracks] == ["a"]
    assert [t.name for t in describe(second.M).contract.tracks] == ["b"]
    assert [m.fields[0].name for m in describe(first.M).contract.messages] == ["a"]


def test_outputs_and_messages_that_the_module_imports_count() -> None:
    author("class Shared(Output): shared: Video\nclass Said(ModelMessage): ...", "author_lib")
    module = author("from author_lib import Shared, Said\n" + STATE + "class M(ReactorPipeline):\n    state: State")
    assert [t.name for t in describe(module.M).contract.tracks] == ["shared"]
    assert [m.name for m in describe(module.M).contract.messages] == ["said"]


def test_outputs_of_the_module_of_a_base_class_count_after_the_own_ones() -> None:
    author(STATE + "class BaseOut(Output): base: Video\nclass Base(ReactorPipeline):\n    state: State", "author_base")
    module = author("from author_base import Base\nclass Own(Output): own: Audio\nclass M(Base): ...")
    assert [t.name for t in describe(module.M).contract.tracks] == ["own", "base"]


@pytest.mark.parametrize(
    ("body", "tracks"),
    [
        ("output: B", ["b"]),
        ("outputs = (C, A)", ["c", "a"]),
        ("def inference(self) -> Iterator[A]: yield", ["a"]),
        ("async def inference(self) -> AsyncIterator[A | C | None]: yield", ["a", "c"]),
        ("def inference(self) -> Iterator[Output]: yield", ["a", "b", "c"]),
        ("def inference(self) -> 'Iterator[Unknown]': yield", ["a", "b", "c"]),
        ("def inference(self): yield", ["a", "b", "c"]),
        ("outputs = 5", ["a", "b", "c"]),
    ],
)
def test_a_model_names_its_outputs_or_gets_those_in_sight(body: str, tracks: list[str]) -> None:
    classes = "".join(f"class {n.upper()}(Output): {n}: Video\n" for n in "abc")
    module = author(STATE + classes + f"class M(ReactorPipeline):\n    state: State\n    {body}\n")
    assert [t.name for t in describe(module.M).contract.tracks] == tracks


def test_outputs_defined_after_the_model_count_too() -> None:
    module = author(STATE + "class M(ReactorPipeline):\n    state: State\nclass O(Output): late: Video")
    assert [t.name for t in describe(module.M).contract.tracks] == ["late"]


def test_a_state_further_down_in_the_file_is_found() -> None:
    module = author(
        "from __future__ import annotations\n"
        "class M(ReactorPipeline):\n    state: Late\n    def inference(self): yield\n"
        "class Late(InputState): n: int = 1\n"
    )
    assert describe(module.M).contract.state == {"n": 1}


def local_model(track: str) -> type[ReactorPipeline]:
    class State(InputState):
        n: int = 0

    made = type("O", (Output,), {"__annotations__": {track: Video}, "__module__": __name__})

    class M(ReactorPipeline):
        state: State

        def inference(self) -> Any:
            yield made(**{track: 1})

    return M


def test_models_of_one_function_see_the_classes_of_their_own_call() -> None:
    first, second = local_model("a"), local_model("b")
    assert [t.name for t in describe(first).contract.tracks] == ["a"]
    assert [t.name for t in describe(second).contract.tracks] == ["b"]


def test_a_class_in_a_function_does_not_keep_the_functions_arrays_alive() -> None:
    big = np.zeros(3)

    class Out(Output):
        main: Video

    class M(ReactorModel): ...

    scope = M.__dict__["_reactor_scope"]
    assert "Out" in scope.local
    assert "big" not in scope.local
    assert big.size == 3


def test_one_name_as_input_and_output_is_a_value_error() -> None:
    module = author(
        STATE
        + "class I(Input): video: Video\nclass O(Output): video: Video\nclass M(ReactorPipeline):\n    state: State"
    )
    with pytest.raises(ValueError, match=r"M: track 'video' is an input in I and an output in O.*\(author\.py:5\)"):
        describe(module.M)


def test_outputs_may_share_a_track_if_they_agree() -> None:
    source = (
        STATE + "class A(Output): x: Video\nclass B(Output): x: {kind}\nclass M(ReactorPipeline):\n    state: State"
    )
    assert len(describe(author(source.format(kind="Video")).M).contract.tracks) == 1
    with pytest.raises(ValueError, match="track 'x' differs between A and B"):
        describe(author(source.format(kind="Audio")).M)


def test_two_messages_of_one_wire_name_are_a_value_error() -> None:
    messages = "class A(ModelMessage): ...\nclass B(ModelMessage):\n    name = 'a'\n"
    source = STATE + messages + "class M(ReactorPipeline):\n    state: State"
    with pytest.raises(ValueError, match="clients would know both A and B as 'a'"):
        describe(author(source).M)


INPUTS = """
@dataclass
class Camera(Input):
    camera: Video
class Mic(Input):
    mic: Audio
class M(ReactorModel):
    {body}
"""


def test_an_input_is_bound_to_whatever_attribute_is_annotated_with_it() -> None:
    module = author(INPUTS.format(body="eyes: Camera"))
    description = describe(module.M)
    assert description.inputs == (module.Camera,)
    model, other = module.M(), module.M()
    assert model.eyes.camera is description.buffers(model)["camera"]
    assert model.eyes is model.eyes
    assert other.eyes.camera is not model.eyes.camera


def test_an_input_is_bound_without_super_init_and_before_describe() -> None:
    module = author(INPUTS.format(body="eyes: Camera\n    def __init__(self): self.seen = self.eyes.camera"))
    model = module.M()
    assert describe(module.M).buffers(model)["camera"] is model.seen


def test_without_an_annotation_every_input_in_sight_has_a_buffer() -> None:
    module = author(INPUTS.format(body="pass"))
    assert list(describe(module.M).buffers(module.M())) == ["camera", "mic"]
    assert [t.direction for t in describe(module.M).contract.tracks] == ["in", "in"]


def test_without_an_annotation_one_track_in_two_inputs_is_a_value_error() -> None:
    source = "class A(Input): x: Video\nclass B(Input): x: Video\nclass M(ReactorModel):\n    {body}"
    assert describe(author(source.format(body="b: B")).M).inputs[0].__name__ == "B"
    with pytest.raises(ValueError, match="the inputs A and B both declare track 'x'"):
        describe(author(source.format(body="pass")).M)


def test_a_pipeline_with_inference_and_no_state_is_a_type_error_at_definition() -> None:
    with pytest.raises(TypeError, match=r"^M: a pipeline needs a state: .*\(test_describe\.py:\d+\)$"):

        class M(ReactorPipeline):
            def inference(self) -> Any:
                yield None


def test_a_pipeline_that_gets_its_inference_in_load_needs_its_state_when_described() -> None:
    class M(ReactorPipeline): ...

    with pytest.raises(TypeError, match="M: a pipeline needs a state"):
        describe(M)


def test_state_class_is_the_other_way_to_name_the_state() -> None:
    class State(InputState):
        n: int = 1

    class M(ReactorPipeline):
        state_class = State

        def inference(self) -> Any:
            yield None

    class Child(M): ...

    assert describe(M).state_class is State
    assert describe(Child).state_class is State


def test_a_state_that_is_none_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"M\.state: .*dict.* is not an InputState"):

        class M(ReactorPipeline):
            state: dict  # type: ignore[type-arg]

            def inference(self) -> Any:
                yield None


def test_input_state_itself_is_an_empty_state() -> None:
    class M(ReactorPipeline):
        state: InputState

    assert describe(M).contract.commands == ()
    assert isinstance(describe(M).new_state(), InputState)


def test_fps_is_pinned_by_the_concrete_body_alone() -> None:
    class Pinned(ReactorPipeline):
        state: InputState
        fps = 24

    class Inherited(Pinned): ...

    assert (describe(Pinned).contract.fps, describe(Pinned).fps) == (24.0, 24.0)
    assert (describe(Inherited).contract.fps, describe(Inherited).fps) == (None, 24.0)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), "30", True])
def test_a_rate_that_is_none_is_refused_at_definition(fps: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"M\.fps: "):
        type("M", (ReactorModel,), {"fps": fps})


@pytest.mark.parametrize("size", [0, -1, 2.5, True])
def test_a_buffer_size_that_is_none_is_refused_at_definition(size: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"M\.buffer_size: "):
        type("M", (ReactorModel,), {"buffer_size": size})


def test_an_async_load_is_refused_because_nobody_would_await_it() -> None:
    with pytest.raises(TypeError, match=r"M\.load: .*plain def"):

        class M(ReactorModel):
            async def load(self, config: dict[str, Any]) -> None: ...  # type: ignore[override]


@pytest.mark.parametrize("thing", [ReactorModel, ReactorPipeline, dict, "M", None])
def test_only_an_authors_model_can_be_described(thing: Any) -> None:
    with pytest.raises(TypeError, match="is not a model"):
        describe(thing)


def raw_frames(outputs: str) -> Any:
    module = author(STATE + outputs + "class M(ReactorPipeline):\n    state: State")
    return describe(module.M), module


def test_a_raw_array_becomes_the_one_output_with_a_single_video_track() -> None:
    description, module = raw_frames("class A(Output): x: Video\nclass B(Output):\n    x: Video\n    s: Audio\n")
    frame = np.zeros((2, 2, 3), np.uint8)
    wrapped = description.wrap(frame)
    assert type(wrapped) is module.A
    assert wrapped.x is frame


def test_a_raw_image_and_a_list_of_frames_do_too() -> None:
    image = Image.new("RGB", (4, 2))
    description, module = raw_frames("class A(Output): x: Video\n")
    for pixels in (image, [image, image], (np.zeros((2, 2, 3), np.uint8),)):
        wrapped = description.wrap(pixels)
        assert type(wrapped) is module.A
        assert wrapped.x is pixels


@pytest.mark.parametrize(
    ("outputs", "found"),
    [
        ("class A(Output): x: Video\nclass B(Output): y: Video\n", r"2 \(A, B\)"),
        ("class A(Output):\n    x: Video\n    y: Video\n", r"0 \(none\)"),
        ("class A(Output): s: Audio\n", r"0 \(none\)"),
    ],
)
def test_a_raw_array_without_one_such_output_is_a_type_error_naming_the_candidates(outputs: str, found: str) -> None:
    description, _ = raw_frames(outputs)
    with pytest.raises(TypeError, match=found):
        description.wrap(np.zeros((2, 2, 3), np.uint8))


@pytest.mark.parametrize("value", [5, "x", [], {}])
def test_what_is_neither_output_nor_array_is_a_type_error(value: Any) -> None:
    description, _ = raw_frames("class A(Output): x: Video\n")
    with pytest.raises(TypeError, match=r"M\.inference yielded"):
        description.wrap(value)


def test_idle_and_none_are_nothing_to_show() -> None:
    description, _ = raw_frames("class A(Output): x: Video\n")
    assert description.wrap(Idle) is None
    assert description.wrap(None) is None
    assert (bool(Idle), repr(Idle), type(Idle)()) == (False, "Idle", Idle)


def test_an_output_that_clients_were_not_told_of_is_a_type_error_with_the_fix() -> None:
    description, _ = raw_frames("class A(Output): x: Video\n")
    stranger = author("class Stranger(Output): z: Video\nclass Twin(Output): x: Video", "author_stranger")
    with pytest.raises(TypeError, match=r"M emitted Stranger, whose track 'z'.*outputs = \(Stranger,\)"):
        description.wrap(stranger.Stranger(z=1))
    assert isinstance(description.wrap(stranger.Twin(x=1)), stranger.Twin)


def test_a_model_that_does_not_run_says_so() -> None:
    class M(ReactorModel):
        def __init__(self) -> None:
            self.mine = 1

    class Out(Output):
        main: Video

    model = M()
    for use in (
        lambda: model.connected,
        lambda: model.output_buffer.fps,
        lambda: model.output_buffer.set_fps(3),
        lambda: model.output_buffer.flush(),
        lambda: asyncio.run(model.emit(Out(main=1))),
    ):
        with pytest.raises(RuntimeError, match=r"^M\.\S+: the model is not running"):
            use()  # type: ignore[no-untyped-call]
    with pytest.raises(ValueError, match="above 0"):
        model.output_buffer.set_fps(0)
    with pytest.raises(TypeError, match="expected an Output, got int"):
        asyncio.run(model.emit(5))  # type: ignore[arg-type]


def test_importing_the_package_costs_neither_numpy_nor_the_authoring_code() -> None:
    code = """
import sys
import reactor_runtime, reactor_runtime.contract
heavy = "numpy", "pydantic", "reactor_runtime.authoring", "reactor_runtime.interface"
loaded = [name for name in heavy if name in sys.modules]
assert not loaded, loaded
from reactor_runtime import ReactorPipeline, InputState, Idle, __version__
assert all(hasattr(reactor_runtime, name) for name in reactor_runtime.__all__)
try:
    reactor_runtime.nonsense
except AttributeError as error:
    assert "nonsense" in str(error)
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_public_names_are_the_same_under_both_paths() -> None:
    import reactor_runtime
    import reactor_runtime.interface as interface
    from reactor_runtime.authoring import video_model

    shared = {"Track"}  # The base of both generations' tracks.
    first_generation = set(reactor_runtime.__all__) & set(video_model.__all__) - shared
    assert set(reactor_runtime.__all__) - first_generation - {"__version__"} == set(interface.__all__)
    assert len(first_generation) == 12
    assert reactor_runtime.ReactorPipeline is interface.ReactorPipeline


def test_a_pipeline_that_has_no_inference_after_load_is_told_with_its_place() -> None:
    class Empty(ReactorPipeline):
        state: InputState

    class Assigned(ReactorPipeline):
        state: InputState

        def load(self, config: dict[str, Any]) -> None:
            self.inference = lambda: iter(())

    with pytest.raises(TypeError, match=r"Empty: it has no inference.*test_describe\.py:\d+"):
        describe(Empty).load(Empty(), {})
    describe(Assigned).load(Assigned(), {})
