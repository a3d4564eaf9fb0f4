"""The first generation's checklist, the checks that need no network, under the testing kit on virtual time.

Check 1 is in `tests/headless/test_video_model.py` too. Checks 2 to 6, 10 to 12, 18, 22, 25 and 26 go on in
`test_gen1_service.py`, 19 and 21 are in `test_gen1_wire.py`, 20 in `test_gen1_http.py`, and the page on instancing in
`test_gen1_instancing.py`. Deviations from the original are marked.
"""

from __future__ import annotations

import textwrap
import threading
import time
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from omegaconf import OmegaConf
from pydantic import BaseModel, Field, ValidationError

from reactor_runtime import AudioOut, MediaBundle, VideoIn, VideoModel, VideoOut, command, get_ctx, model
from reactor_runtime.cli.overrides import take_overrides
from reactor_runtime.registry import MODEL_REGISTRY, clear_model_registry, get_registered_model
from reactor_runtime.testing import ModelTest, Stuck, spend
from reactor_runtime.worker.styles import Rules
from reactor_runtime.workspace import WorkspaceError, parse_value
from tests.compat.gen1_helper import helpers_context

SEED_PREFIX = """
class _Pipeline:
    def __init__(self, device):
        self.device = device


def load_my_diffusion_pipeline(device):
    return _Pipeline(device)


"""


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    clear_model_registry()
    yield
    clear_model_registry()


def flat(value: float, frames: int | None = None, size: tuple[int, int] = (8, 8)) -> Any:
    shape = (*size, 3) if frames is None else (frames, *size, 3)
    return np.full(shape, int(value), np.uint8)


class Base(VideoModel):
    """Shows a level, a step of 50 ms at a time; what it has gone through is in its lists."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.level = 100.0
        self.made = self.ended = 0
        self.log: list[Any] = []

    def start_session(self) -> None:
        try:
            while not get_ctx().should_stop():
                self.step()
        finally:
            self.ended += 1

    def step(self) -> None:
        spend(0.05)
        get_ctx().emit_block(flat(self.level))
        self.made += 1


def levels(frames: list[Any]) -> list[int]:
    return [int(frame.pixels[0, 0, 0]) for frame in frames]


# 1 ------------------------------------------------------------------------------------------------------------------


def test_01_a_solid_colour_keeps_its_order_of_channels() -> None:
    class Red(Base):
        def step(self) -> None:
            spend(0.05)
            get_ctx().emit_block(np.full((8, 8, 3), (255, 0, 0), np.uint8))

    with ModelTest(Red) as test:
        test.connect()
        frames = test.frames(3)
        assert all((frame.pixels == (255, 0, 0)).all() for frame in frames)
        assert [frame.number for frame in frames] == [0, 1, 2]


# 2, 3: the configuration --------------------------------------------------------------------------------------------


ECHO = """
    from reactor_runtime.model_api import VideoModel, model

    @model(name="echo"{config})
    class Echo(VideoModel):
        def __init__(self, config):
            self.config = config

        def start_session(self):
            pass
"""


def project(folder: Path, **files: str) -> Path:
    """A folder of the first generation; `a__yml` is `a.yml`."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(textwrap.dedent(text))
    return folder


@pytest.mark.parametrize(
    ("arguments", "key", "value"),
    [
        pytest.param(["--model.num_steps=4"], "num_steps", 4, id="--model.num_steps=4"),
        pytest.param(["--model.f=1e-3"], "f", 0.001, id="--model.f=1e-3"),
        pytest.param(["--model.nested.a=9"], "nested", {"a": 9, "z": 1}, id="--model.nested.a=9"),
        pytest.param(["--model.nested.b=true"], "nested", {"a": 0, "z": 1, "b": True}, id="--model.nested.b=true"),
        pytest.param(["--model.name=null"], "name", None, id="--model.name=null"),
        pytest.param(["--model.e="], "e", None, id="--model.e="),
        pytest.param(["--model.lst=[1,2,x]"], "lst", [1, 2, "x"], id="--model.lst=[1,2,x]"),
        pytest.param(["--model.s='5'"], "s", "5", id="--model.s='5'"),
        pytest.param(["--model.num_steps", "4"], "num_steps", 4, id="deviation: --model.num_steps 4"),
    ],
)
def test_02_each_row_of_the_overrides(tmp_path: Path, arguments: list[str], key: str, value: Any) -> None:
    """Rows of the reference's table. Of the last one the original makes None, and drops or refuses the 4."""
    base = "num_steps: 50\nnested: {a: 0, z: 1}\nlst: [7, 8, 9, 10]\nname: old\n"
    folder = project(tmp_path / "echo", model__py=ECHO.format(config=', config="c.yml"'), c__yml=base)
    rest, taken = take_overrides(arguments)
    assert rest == []
    with ModelTest(folder, {name: parse_value(text) for name, text in taken.items()}) as test:
        found = OmegaConf.to_container(test.model.config)
    assert isinstance(found, dict)
    assert found[key] == value
    assert type(found[key]) is type(value)
    assert {name for name in found if name != key} == {"num_steps", "nested", "lst", "name"} - {key}


def test_02_the_config_is_omegaconfs_and_its_interpolation_lazy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "steps: 4\ntwice: ${steps}\nhome: ${oc.env:NOT_SET_ANYWHERE}\n"
    folder = project(tmp_path / "echo", model__py=ECHO.format(config=', config="c.yml"'), c__yml=text)
    with ModelTest(folder, {"steps": 5}) as test:
        config = test.model.config
        assert (config.steps, config["twice"], config.get("other", 7)) == (5, 5, 7)
        monkeypatch.setenv("NOT_SET_ANYWHERE", "here")
        assert config.home == "here"


def test_03_without_a_config_it_is_empty(tmp_path: Path) -> None:
    with ModelTest(project(tmp_path / "echo", model__py=ECHO.format(config=""))) as test:
        assert type(test.model.config).__name__ == "DictConfig"
        assert test.model.config.get("x", 5) == 5
        assert not test.model.config


# 4, 5: construction and registration ---------------------------------------------------------------------------------


def test_04_a_class_without_a_constructor_is_named() -> None:
    class Bare(VideoModel):
        def start_session(self) -> None:
            pass

    with pytest.raises(TypeError, match=r"Bare.*__init__\(self, config\).*test_gen1\.py"), ModelTest(Bare):
        pass

    class Other(VideoModel):
        def __init__(self, settings: Any) -> None:
            pass

        def start_session(self) -> None:
            pass

    with pytest.raises(TypeError, match=r"Other\(config=\{'a': 1\}\)"), ModelTest(Other, {"a": 1}):
        pass


def test_04_what_a_constructor_raises_comes_through() -> None:
    class Raising(Base):
        def __init__(self, config: Any) -> None:
            raise OSError("no checkpoint")

    with pytest.raises(OSError, match="no checkpoint"), ModelTest(Raising):
        pass


def test_05_only_video_models_are_registered_and_each_name_once() -> None:
    with pytest.raises(TypeError, match="can only decorate VideoModel subclasses"):
        model("a")(dict)  # type: ignore[type-var]
    with pytest.raises(TypeError):
        model()  # type: ignore[call-arg]
    assert model("one", extra=3)(Base) is Base
    assert get_registered_model()["extra"] == 3
    with pytest.raises(ValueError, match=r"Duplicate model name 'one': Base \(test_gen1\.py:\d+\)"):
        model("one")(Base)


@pytest.mark.parametrize("name", ["Bad Name!!", "Upper", "under_score", "-dash", "dash-", "", "a--b"])
def test_05_deviation_a_name_that_breaks_the_rule_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="lowercase letters, digits and hyphens"):
        model(name)


def test_05_no_model_and_two_models_are_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no model is registered"):
        get_registered_model()
    two = ECHO.format(config="")
    folder = project(tmp_path / "two", one__py=two, other__py=two.replace('"echo"', '"other"'))
    with (
        pytest.raises(WorkspaceError, match=r"2 are registered: echo = Echo \(one\.py:\d+\), other = .*\(other\.py"),
        ModelTest(folder),
    ):
        pass
    same = project(tmp_path / "same", one__py=two, other__py=two)
    with pytest.raises(WorkspaceError, match=r"Duplicate model name 'echo': Echo \(one\.py"), ModelTest(same):
        pass
    none = project(tmp_path / "none", some__py="from reactor_runtime import VideoModel\nprint(1 / 0)\n")
    with pytest.raises(WorkspaceError, match=r"^ZeroDivisionError.*\(some\.py:2\)$"), ModelTest(none):
        pass


def test_05_a_file_is_never_run_twice_and_a_broken_one_hides_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = project(
        tmp_path / "several",
        aaa__py="from zmodel import Echo\n",
        broken__py="import not_there\n",
        worse__py="def f(:\n",
        _private__py="raise AssertionError\n",
        exits__py="raise SystemExit(3)\n",
        random__py="VALUE = 3\n",
        zmodel__py=ECHO.format(config="") + "    print('once')\n",
    )
    model("echo")(Base)  # Of another project in this process.
    with ModelTest(folder) as test:
        assert type(test.model).__name__ == "Echo"
        assert test.contract.name == "echo"
    assert "broken.py cannot be imported: ModuleNotFoundError" in caplog.text
    assert "worse.py:1" in caplog.text
    assert "AssertionError" not in caplog.text
    assert [entry["class"] for entry in MODEL_REGISTRY.values()] == [Base]


def test_the_documents_own_class_runs_unchanged(tmp_path: Path) -> None:
    """The page on instancing, with a pipeline that loads nothing. Its `start_session` is left to the reader."""
    code = """
        from reactor_runtime import VideoModel, model
        from omegaconf import DictConfig

        @model(name="my-diffusion-model", config="configs/default.yaml")
        class MyVideoModel(VideoModel):
            def __init__(self, config: DictConfig):
                # This runs ONCE when the runtime starts.
                # Load your weights here.

                # Access configuration values
                self.num_steps = config.get("num_steps", 5)
                self.compile = config.get("compile", False)

                # Load your pipeline (the expensive part)
                print("Loading model weights...")
                self.pipeline = load_my_diffusion_pipeline(device="cuda")
                print("Weights loaded!")

            def start_session(self):
                # This runs every time a user connects.
                # The pipeline is already loaded.
                ...
    """
    folder = project(tmp_path / "documented", main__py=textwrap.dedent(SEED_PREFIX) + textwrap.dedent(code))
    (folder / "configs").mkdir()
    (folder / "configs" / "default.yaml").write_text(
        'num_steps: 5\nresolution: 512\ncheckpoint_path: "./weights/model.safetensors"\ncompile: true\n'
    )
    with ModelTest(folder, {"num_steps": 4}) as test:
        assert (test.model.num_steps, test.model.compile) == (4, True)
        test.connect()
        test.play(0.1)
        with pytest.raises(RuntimeError, match="nobody is connected"):
            _ = test.client


# 6 to 9: commands ---------------------------------------------------------------------------------------------------


class Bright(Base):
    @command("set_brightness", description="How bright")
    def set_brightness(self, brightness: float = Field(..., ge=0, le=2, description="d")) -> None:
        self.level = 100 * brightness


def test_06_brightness() -> None:
    assert Bright.commands() == [
        {
            "name": "set_brightness",
            "description": "How bright",
            "schema": {
                "brightness": {"description": "d", "maximum": 2.0, "minimum": 0.0, "type": "number", "required": True}
            },
        }
    ]
    with ModelTest(Bright) as test:
        test.connect()
        assert levels(test.frames(2)) == [100, 100]
        bad = test.command("set_brightness", brightness=5)
        assert (bad.status, bad.field) == ("rejected", "brightness")
        assert "less than or equal to 2" in str(bad.reason)
        good = test.command("set_brightness", brightness=0.5)
        assert levels(test.frames(2)) == [50, 50]
        assert good.status == "applied"


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Box(BaseModel):
    width: int = 3
    colour: Colour = Colour.RED


class Typed(Base):
    @command("all")
    def everything(
        self,
        n: int = 3,
        f: float = 0.5,
        b: bool = False,
        s: str = "x",
        mode: Literal["a", "b"] = "a",
        items: list[int] | None = None,
        untyped=None,  # type: ignore[no-untyped-def]
        near: Annotated[float, Field(gt=0, lt=1)] = 0.5,
    ) -> None:
        self.log.append((n, f, b, s, mode, items, untyped, near))

    @command("needs")
    def needs(self, text: str, anything) -> None:  # type: ignore[no-untyped-def]
        self.log.append((text, anything))

    @command("boxed")
    def boxed(self, box: Box, colour: Colour = Colour.BLUE) -> None:
        self.log.append((box, colour))

    @command("nothing")
    def nothing(self) -> None:
        self.log.append("nothing")


def test_07_schemas_are_the_documented_ones() -> None:
    schemas = {found["name"]: found["schema"] for found in Typed.commands()}
    assert schemas["all"] == {
        "n": {"default": 3, "type": "integer"},
        "f": {"default": 0.5, "type": "number"},
        "b": {"default": False, "type": "boolean"},
        "s": {"default": "x", "type": "string"},
        "mode": {"default": "a", "enum": ["a", "b"], "type": "string"},
        "items": {"anyOf": [{"items": {"type": "integer"}, "type": "array"}, {"type": "null"}], "default": None},
        "untyped": {"default": None},
        # Deviation: what stands in `Annotated` counts.
        "near": {"default": 0.5, "exclusiveMaximum": 1, "exclusiveMinimum": 0, "type": "number"},
    }
    assert schemas["needs"] == {"text": {"type": "string", "required": True}, "anything": {"required": True}}
    assert schemas["nothing"] == {}
    # Deviation: `$defs` are put in place.
    assert schemas["boxed"]["colour"] == {"default": "blue", "enum": ["red", "blue"], "type": "string"}
    assert schemas["boxed"]["box"]["properties"]["colour"]["enum"] == ["red", "blue"]
    assert schemas["boxed"]["box"]["required"] is True


def test_07_arguments_are_coerced_as_pydantic_does() -> None:
    with ModelTest(Typed) as test:
        test.connect()
        assert test.command("all", n="7", items=["1", 2], stranger=1).ok
        assert test.command("boxed", box={"width": "4"}).ok
        assert test.command("nothing").ok
        assert test.model.log == [
            (7, 0.5, False, "x", "a", [1, 2], None, 0.5),
            (Box(width=4), Colour.BLUE),
            "nothing",
        ]
        for args, field in [({"s": 5}, "s"), ({"mode": "c"}, "mode"), ({"n": "x"}, "n"), ({"near": 1}, "near")]:
            assert (test.command("all", **args).status, test.receipts[-1].field) == ("rejected", field)
        assert test.command("needs", text="t").field == "anything"
        assert test.send("needs", 3).reason == "expected object, got integer"
        assert test.command("boxed", box={"width": {}}).reason == "['width']: Input should be a valid integer"
        assert test.command("never").reason == "unknown command"
        assert test.client.send("nothing", None).ok
        assert len(test.model.log) == 3


def test_07_send_dispatches_in_the_process() -> None:
    typed = Typed({})
    assert typed.send("needs", {"text": "t", "anything": 1}) is None
    assert typed.log == [("t", 1)]
    with pytest.raises(ValueError, match="Unknown command: no"):
        typed.send("no")
    with pytest.raises(TypeError, match="mapping"):
        typed.send("needs", [1])  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        typed.send("all", {"n": "x"})


class Answering(Base):
    @command("ask")
    def ask(self) -> dict[str, int]:
        return {"made": 3}

    @command("later")
    async def later(self) -> list[int]:
        return [1]

    @command("quiet")
    def quiet(self) -> None:
        pass

    @command("raise")
    def raises(self) -> None:
        raise KeyError("latent")

    @command("unsendable")
    def unsendable(self) -> object:
        return object()


def test_08_a_reply_goes_to_the_sender() -> None:
    with ModelTest(Answering) as test:
        first, second = test.connect(), test.connect()
        assert second.command("ask").ok
        assert second.command("quiet").ok
        # Deviation: async handlers are awaited.
        assert second.command("later").ok
        assert second.messages == [{"made": 3}, [1]]
        assert first.messages == []
        # Deviation: a failure is told, in a receipt.
        assert (second.command("raise").status, second.receipts[-1].reason) == ("failed", "KeyError: 'latent'")
        assert "can't be sent as JSON" in str(second.command("unsendable").reason)
        assert levels(test.frames(1)) == [100]


def test_08_commands_belong_to_their_class() -> None:
    """Deviation: the original has one table for all classes, and an override without a decorator no effect."""

    class Other(Base):
        @command("ask")
        def ask(self, deep: int) -> int:
            return deep

    class Child(Answering):
        def ask(self) -> dict[str, int]:
            return {"made": 4}

        @command("extra")
        def extra(self) -> None:
            pass

    assert [found["name"] for found in Other.commands()] == ["ask"]
    assert {found["name"] for found in Child.commands()} == {"ask", "later", "quiet", "raise", "unsendable", "extra"}
    assert Child({}).send("ask") == {"made": 4}
    assert Answering({}).send("ask") == {"made": 3}


def test_09_a_command_takes_effect_within_a_long_step() -> None:
    class Long(Bright):
        def step(self) -> None:
            self.log.append(("began", self.level))
            spend(1.0)
            self.log.append(("ended", self.level))
            get_ctx().emit_block(flat(self.level))

    with ModelTest(Long) as test:
        test.connect()
        test.play(0.4)
        assert test.command("set_brightness", brightness=0.5).handled
        assert test.time < 0.5
        assert levels(test.frames(1)) == [50]
        assert test.model.log[:2] == [("began", 100), ("ended", 50)]


def test_09_a_thread_that_waits_for_a_command_gets_it() -> None:
    class Waiting(Base):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.prompt = threading.Event()

        @command("prompt")
        def prompted(self, level: int) -> None:
            self.level = level
            self.prompt.set()

        def step(self) -> None:
            if not self.prompt.wait(0.2):  # In real time, as any lock is waited for.
                return
            get_ctx().emit_block(flat(self.level))
            self.prompt.clear()

    with ModelTest(Waiting) as test:
        test.connect()
        for level in (10, 20):
            test.play(0.5)
            assert test.command("prompt", level=level).ok
            assert levels(test.frames(1)) == [level]
        test.model.prompt.set()


# 10 to 14: sessions -------------------------------------------------------------------------------------------------


def test_10_a_stop_waits_for_the_clean_up_which_runs_once() -> None:
    class Slow(Base):
        def start_session(self) -> None:
            self.log.append("began")
            try:
                while not get_ctx().should_stop():
                    spend(0.1)
            finally:
                spend(1.0)
                self.log.append("cleaned")

    with ModelTest(Slow) as test:
        for sessions in (1, 2):
            test.connect()
            test.play(0.55)
            before = test.time
            test.end()
            assert 1.0 <= test.time - before < 1.2
            assert test.model.log == ["began", "cleaned"] * sessions


def test_11_a_session_that_returns_is_over_and_another_can_begin() -> None:
    class Four(Base):
        def start_session(self) -> None:
            for level in range(4):
                spend(0.05)
                get_ctx().emit_block(flat(level))

    with ModelTest(Four) as test:
        for _ in range(2):
            test.connect()
            assert levels(test.frames(4)) == [0, 1, 2, 3]
            test.play(0.2)
            with pytest.raises(RuntimeError, match="nobody is connected"):
                _ = test.client


def test_11_what_is_emitted_last_is_shown() -> None:
    class Block(Base):
        emission_fps = 10.0

        def start_session(self) -> None:
            for block in range(4):
                spend(0.6)
                get_ctx().emit_block(np.stack([flat(8 * block + frame) for frame in range(8)]))

    with ModelTest(Block) as test:
        test.connect()
        test.play(6.0)
        assert levels(test.shown) == list(range(32))


def test_12_a_session_that_raises_is_told_and_the_model_stays() -> None:
    class Crashing(Base):
        def start_session(self) -> None:
            self.log.append("began")
            get_ctx().emit_block(flat(1))
            raise ValueError("no such latent")

    with ModelTest(Crashing) as test:
        for sessions in (1, 2):
            test.connect()
            test.play(0.5)
            assert [(fault.code, fault.message, fault.exception) for fault in test.faults] == [
                ("session_failed", "no such latent", "ValueError")
            ]
            assert levels(test.shown) == [1]
            assert len(test.model.log) == sessions


def test_13_nothing_is_reset_between_sessions_and_the_constructor_runs_once() -> None:
    made: list[int] = []

    class Counting(Bright):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            made.append(1)

    with ModelTest(Counting) as test:
        test.connect()
        test.command("set_brightness", brightness=0.5)
        test.end()
        for _ in range(20):
            test.connect()
            assert levels(test.frames(1)) == [50]
            test.end()
        assert test.model.ended == 21
    assert len(made) == 1


def test_13_check_leaks_names_what_a_session_leaves(caplog: pytest.LogCaptureFixture) -> None:
    from reactor_runtime.worker.styles.leaks import Leaks

    class Holder:
        def __init__(self) -> None:
            self.brightness, self.cache, self.frame, self.same = 1.0, [1], np.zeros(4), {"a": (1, 2)}

    holder = Holder()
    leaks = Leaks(holder)
    assert leaks.since(holder) == []
    holder.brightness, holder.frame = 0.5, holder.frame + 1
    holder.cache.append(2)
    holder.__dict__["prompt"] = "cat"
    assert [found.split(" ")[0] for found in leaks.since(holder)] == ["brightness", "cache", "frame", "prompt"]
    assert leaks.since(holder)[0] == "brightness (1.0, then 0.5)"


def test_13_check_leaks_tells_them_after_each_session(caplog: pytest.LogCaptureFixture) -> None:
    with ModelTest(Bright, rules=Rules(check_leaks=True)) as test:
        test.connect()
        test.end()
        assert "level" not in caplog.text
        test.connect()
        test.command("set_brightness", brightness=0.5)
        test.end()
    assert "the session has left these attributes of the model changed: level (100.0, then 50.0)" in caplog.text


@pytest.mark.parametrize("habit", ["emits", "sends", "polls"])
def test_10_deviation_a_session_that_does_not_end_is_given_up_after_its_grace(habit: str) -> None:
    """In the original it hangs the process."""

    class Deaf(Base):
        def start_session(self) -> None:
            while True:
                match habit:
                    case "emits":
                        get_ctx().emit_block(flat(1))
                    case "sends":
                        get_ctx().send("still here")
                        spend(0.01)
                    case _:
                        get_ctx().should_stop()

    with ModelTest(Deaf, rules=Rules(session_grace=3)) as test:
        test.connect()
        test.play(1.0)
        before = test.time
        with pytest.raises(RuntimeError, match=r"did not return within 3 s of the session's end.*test_gen1\.py:\d+"):
            test.end()
        assert test.time - before == pytest.approx(3.0, abs=0.1)
        with pytest.raises(RuntimeError, match="the model has crashed"):
            test.connect()
    with pytest.raises(RuntimeError, match="no session is running"):
        get_ctx()


def test_14_the_context_is_there_in_a_session_alone() -> None:
    seen: list[Any] = []

    class Looking(Base):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            with pytest.raises(RuntimeError, match="no session is running"):
                get_ctx()

        @command("look")
        def look(self) -> None:
            seen.append(("command", get_ctx()))

        def step(self) -> None:
            assert helpers_context() is get_ctx()
            assert threading.current_thread().name == "model-session"
            super().step()

    with ModelTest(Looking) as test:
        for _ in range(2):
            test.connect()
            test.frames(2)
            test.command("look")
            test.end()
            with pytest.raises(RuntimeError, match="no session is running"):
                get_ctx()
    (_, first), (_, second) = seen
    assert first is not second
    assert first.should_stop()
    first.send("too late: nobody hears it, and nothing breaks")


# 15 to 17: frames ---------------------------------------------------------------------------------------------------


def test_15_blocks_play_evenly_at_the_rate_at_which_they_are_made() -> None:
    class Blocks(Base):
        def step(self) -> None:
            spend(0.4)
            get_ctx().emit_block(flat(1, 8))

    with ModelTest(Blocks) as test:
        test.connect()
        gaps = np.diff([frame.due for frame in test.frames(120)][-64:])
        assert gaps.mean() == pytest.approx(0.05, rel=0.05)
        assert gaps.max() < 0.06


def test_15_deviation_a_large_block_is_played_whole_and_holds_the_caller_back() -> None:
    class Large(Base):
        emission_fps = 30.0

        def start_session(self) -> None:
            frames = np.stack([flat(level) for level in range(60)])
            get_ctx().emit_block(frames)
            frames[:] = 255
            while not get_ctx().should_stop():
                pass

    with ModelTest(Large) as test:
        test.connect()
        assert levels(test.frames(60)) == list(range(60))


def test_15_the_debuff_factor_scales_the_measured_rate() -> None:
    class Blocks(Base):
        def step(self) -> None:
            spend(0.4)
            get_ctx().emit_block(flat(1, 8))

    with ModelTest(Blocks, {"fps_debuff_factor": 0.5}) as test:
        test.connect()
        gaps = np.diff([frame.due for frame in test.frames(200)][-64:])
        assert gaps.mean() == pytest.approx(0.1, rel=0.05)
    with pytest.raises(ValueError, match="fps_debuff_factor"), ModelTest(Blocks, {"fps_debuff_factor": 0}):
        pass


@pytest.mark.parametrize("told", [True, False])
def test_16_a_pause_that_is_told_is_not_measured(told: bool) -> None:
    class Pausing(Base):
        def start_session(self) -> None:
            turn = 0
            while not get_ctx().should_stop():
                turn += 1
                if turn % 2:
                    if told:
                        get_ctx().disable_monitoring()
                    spend(2.0)
                    if told:
                        get_ctx().enable_monitoring()
                spend(0.4)
                get_ctx().emit_block(flat(1, 8))

    with ModelTest(Pausing) as test:
        test.connect()
        test.play(30.0)
        rate = test._on_stage.driver.fps
        assert rate == pytest.approx(20, rel=0.1) if told else rate < 10


def test_16_deviation_while_nothing_is_emitted_nothing_is_repeated() -> None:
    """The original repeats the last frame, marked as a duplicate. A viewer's last picture stays anyway, and
    sending it again is the stream's affair.
    """

    class Pausing(Base):
        emission_fps = 20

        def step(self) -> None:
            get_ctx().emit_block(flat(1))
            spend(2.0)

    with ModelTest(Pausing) as test:
        test.connect()
        test.play(7.9)
        assert [round(frame.due) for frame in test.shown] == [0, 2, 4, 6]


def test_17_none_is_black_of_the_last_size() -> None:
    class Black(Base):
        def start_session(self) -> None:
            get_ctx().emit_block(None)
            get_ctx().emit_block(flat(9, size=(16, 32)))
            get_ctx().emit_block(None)
            get_ctx().emit_block(flat(9, 2))
            while not get_ctx().should_stop():
                pass

    with ModelTest(Black) as test:
        test.connect()
        frames = test.frames(5)
        assert [frame.pixels.shape[:2] for frame in frames] == [(720, 1280), (16, 32), (16, 32), (8, 8), (8, 8)]
        assert levels(frames) == [0, 9, 0, 9, 9]


def test_17_a_wrong_number_of_dimensions_raises_where_it_is_emitted() -> None:
    class Flat(Base):
        def step(self) -> None:
            for shape in [(8, 8), (8,), (1, 1, 8, 8, 3)]:
                with pytest.raises(ValueError, match=r"expected a frame, \(H, W, 3\)"):
                    get_ctx().emit_block(np.zeros(shape, np.uint8))
            super().step()

    with ModelTest(Flat) as test:
        test.connect()
        assert levels(test.frames(1)) == [100]


def test_17_an_array_of_floats_costs_itself_alone() -> None:
    class Floats(Base):
        def start_session(self) -> None:
            get_ctx().emit_block(np.zeros((8, 8, 3)))
            get_ctx().emit_block(flat(7))
            while not get_ctx().should_stop():
                pass

    with ModelTest(Floats) as test:
        test.connect()
        test.play(1.0)
        assert levels(test.shown) == [7]
        assert [fault.code for fault in test.faults] == ["frame_rejected"]


def test_17_a_command_that_emits_blocks_nobody() -> None:
    class Emitting(Base):
        @command("flash")
        def flash(self) -> None:
            frame = flat(200, 3)
            get_ctx().emit_block(frame)
            frame[:] = 0

    with ModelTest(Emitting) as test:
        test.connect()
        test.frames(2)
        assert test.command("flash").ok
        test.play(1.0)
        assert levels(test.shown).count(200) == 3


# 22, 23: tracks -----------------------------------------------------------------------------------------------------


class Mirror(Base):
    def on_frame(self, frame: Any) -> None:
        assert frame.shape[2] == 3
        assert frame.dtype == np.uint8
        get_ctx().emit_block(255 - frame)

    def start_session(self) -> None:
        while not get_ctx().should_stop():
            pass


def test_22_on_frame_gets_a_viewers_pictures() -> None:
    assert [(track["name"], track["direction"]) for track in Mirror.capabilities()["tracks"]] == [
        ("main_video", "recvonly"),
        ("webcam", "sendonly"),
    ]
    with ModelTest(Mirror) as test:
        test.connect()
        test.push("webcam", flat(55))
        assert levels(test.frames(1)) == [200]


def test_22_on_media_and_latest_get_them_too() -> None:
    class Seeing(Base):
        face = VideoIn()
        picture = VideoOut(rate=20)

        def on_media(self, bundle: MediaBundle) -> None:
            found = bundle.get_track("face")
            assert found is not None
            assert found.info.kind == "video"
            self.log.append(int(found.data[0, 0, 0]))

        def step(self) -> None:
            face = self.face.latest()
            self.picture.emit(flat(1) if face is None else face)

    with ModelTest(Seeing) as test:
        test.connect()
        assert levels(test.frames(2)) == [1, 1]
        for level in (30, 31, 32):
            test.push("face", flat(level))
        test.play(0.5)
        assert test.model.log == [32]  # Deviation: the newest, where the original queues without end.
        assert levels(test.frames(1)) == [32]
        assert Seeing.face.latest() is not None
        test.end()
        assert Seeing.face.latest() is None


class Pair(Base):
    picture = VideoOut(rate=20)
    sound = AudioOut()

    def step(self) -> None:
        context = get_ctx()
        bucket = self.made
        self.made += 1
        context.get_track("picture").emit(np.stack([flat(bucket), flat(bucket)]), bucket=bucket)
        if bucket != 1:
            self.sound.emit(np.full((1, 4800), bucket, np.int16), bucket=bucket)


def test_23_what_belongs_together_leaves_together_and_the_rate_is_fixed() -> None:
    assert Pair.emission_fps_info() == 20
    with ModelTest(Pair) as test:
        test.connect()
        frames = test.frames(8)
        assert levels(frames) == [0, 0, 2, 2, 3, 3, 4, 4]
        np.testing.assert_allclose(np.diff([frame.due for frame in frames[2:]]), 0.05, atol=0.005)
        assert test.sound()[0, ::4800][:4].tolist() == [0, 2, 3, 4]


class Singing(Base):
    """Sound alone, a piece of 100 ms at a time, each of which says in its samples which it is."""

    voice = AudioOut(rate=24_000)

    def step(self) -> None:
        self.voice.emit(np.full((1, 2400), self.made, np.int16))
        self.made += 1


def test_23_sound_alone_is_paced_by_its_samples() -> None:
    assert [(track["name"], track["kind"]) for track in Singing.capabilities()["tracks"]] == [("voice", "audio")]
    with ModelTest(Singing) as test:
        test.connect()
        test.play(3.0)
        assert 29 <= test.model.made <= 32
        np.testing.assert_allclose(np.diff([sound.due for sound in test.sounds]), 0.1, atol=1e-6)
        assert test.sound()[0, ::2400].tolist() == list(range(len(test.sounds)))
        test.disconnect()
        before = test.model.made
        test.play(3.0)  # Nobody hears it, and it sings on at the same pace.
        assert 29 <= test.model.made - before <= 32


def test_23_the_pace_of_sound_follows_pieces_of_any_length_and_slow_steps() -> None:
    class Uneven(Singing):
        def step(self) -> None:
            spend(0.03)
            self.voice.emit(np.zeros((1, (480, 4800, 1200)[self.made % 3]), np.int16))
            self.made += 1

    with ModelTest(Uneven) as test:
        test.connect()
        test.play(5.0)
        ends = [sound.due + sound.samples.shape[1] / 24_000 for sound in test.sounds]
        gaps = np.array([sound.due for sound in test.sounds[1:]]) - np.array(ends[:-1])
        assert abs(gaps[2:]).max() < 1e-6  # Once it is known how long a step takes.
        assert len(test.sounds) == pytest.approx(5.0 / 0.27 * 3, rel=0.05)


def test_23_a_song_that_ends_is_heard_to_its_end() -> None:
    class Once(Singing):
        def start_session(self) -> None:
            for _ in range(3):
                super().step()

    with ModelTest(Once) as test:
        test.connect()
        test.play(0.29)
        assert test.client.connected
        test.play(0.2)
        with pytest.raises(RuntimeError, match="nobody is connected"):
            _ = test.client
        assert test.sound().shape == (1, 7200)


def test_23_a_model_without_pictures_has_no_default_track() -> None:
    class Wrong(Singing):
        def step(self) -> None:
            with pytest.raises(RuntimeError, match="there is no default track; the model declares voice"):
                get_ctx().emit_block(flat(1))
            super().step()

    with ModelTest(Wrong) as test:
        test.connect()
        test.play(1.0)
        assert test.sound().size


def test_23_mistakes_with_tracks_are_raised() -> None:
    class Wrong(Base):
        face = VideoIn()
        second = VideoOut()
        first = VideoOut(default=True)

        def step(self) -> None:
            context = get_ctx()
            assert context.is_media_configured
            with pytest.raises(RuntimeError, match="there is no track 'nope'; the model declares face, second, first"):
                context.get_track("nope")
            with pytest.raises(TypeError, match="input"):
                context.get_track("face").emit(flat(1))
            assert context.get_track().name == "first"
            with pytest.raises(AttributeError):
                context.get_track().name = "other"  # type: ignore[misc]
            self.log.append("checked")
            spend(0.05)
            context.get_track("second").emit(flat(3))
            context.emit_block(flat(4))
            assert self.first.latest()[0, 0, 0] == 4

    with pytest.raises(RuntimeError, match="no session is running"):
        Wrong.first.emit(flat(1))
    with ModelTest(Wrong) as test:
        test.connect()
        assert levels(test.frames(2, "second")) == [3, 3]
        assert levels(test.frames(2, "first")) == [4, 4]
        assert "checked" in test.model.log


# 24, 25 -------------------------------------------------------------------------------------------------------------


def test_24_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTOR_WEIGHTS_PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="no model is registered"):
        VideoModel.weights("llama")
    model("weighty", weights=["llama", "not-there"])(Base)
    (tmp_path / "llama").mkdir()
    assert VideoModel.weights("llama") == tmp_path / "llama"
    with pytest.raises(ValueError, match="lists llama, not-there"):
        VideoModel.weights("other")
    with pytest.raises(ValueError, match="letters, digits"):
        VideoModel.weights("../llama")
    with pytest.raises(FileNotFoundError, match="REACTOR_WEIGHTS_PATH"):
        VideoModel.weights("not-there")


def test_24_weights_are_looked_for_at_home_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REACTOR_WEIGHTS_PATH", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".cache" / "reactor_registry" / "llama"
    folder.mkdir(parents=True)
    model("weighty", weights=["llama"])(Base)
    assert VideoModel.weights("llama") == folder


def test_25_the_profiler_is_there_and_does_nothing_while_off() -> None:
    class Profiled(Base):
        def step(self) -> None:
            with get_ctx().profiler().section("a"), get_ctx().profiler().section("b"):
                super().step()

    with ModelTest(Profiled) as test:
        test.connect()
        assert levels(test.frames(1)) == [100]


# The kit ------------------------------------------------------------------------------------------------------------


def test_the_same_script_gives_the_same_frames() -> None:
    class Racing(Bright):
        def step(self) -> None:
            time.sleep(0.0001 * (self.made % 7))  # Real time, which differs from run to run.
            spend(0.01 + 0.003 * (self.made % 3))
            get_ctx().send({"made": self.made})
            get_ctx().emit_block(flat(self.level + self.made % 2, 1 + self.made % 3))
            self.made += 1

    def run() -> list[Any]:
        with ModelTest(Racing) as test:
            test.connect()
            test.play(0.5)
            test.command("set_brightness", brightness=0.5)
            test.play(0.5)
            return [(frame.due, frame.step, *levels([frame])) for frame in test.shown] + test.messages

    first = run()
    assert len(first) > 50
    assert all(run() == first for _ in range(3))


def test_a_model_that_only_polls_lets_time_and_commands_through() -> None:
    class Polling(Bright):
        def start_session(self) -> None:
            while not get_ctx()._stop_evt.is_set():
                time.sleep(0.0001)
                self.made += 1
            self.log.append(get_ctx()._stop_evt.wait(1.0))

    with ModelTest(Polling) as test:
        test.connect()
        assert test.command("set_brightness", brightness=2).ok
        test.play(1.0)
        assert 190 <= test.model.made <= 210
        test.end()
        assert test.model.log == [True]


def test_a_model_that_emits_nothing_is_told() -> None:
    class Silent(Base):
        def step(self) -> None:
            spend(1.0)

    with ModelTest(Silent, timeout=5) as test:
        test.connect()
        with pytest.raises(Stuck, match=r"start_session\(\) emitted nothing"):
            test.frame()


@pytest.mark.parametrize("kind", [VideoOut, VideoIn])
def test_23_a_track_that_is_made_elsewhere_than_in_the_class_says_so(kind: Any) -> None:
    class Late(Base):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.vid = kind()

        def step(self) -> None:
            if kind is VideoOut:
                self.vid.emit(flat(1))
            else:
                self.vid.latest()

    with ModelTest(Late) as test:
        test.connect()
        test.play(1.0)
        [fault] = test.faults
    assert fault.message == (
        f"this track belongs to no class: declare it in the body of the model's class, vid = {kind.__name__}()"
    )


def test_23_a_track_of_another_class_says_so() -> None:
    class Other:
        side = VideoOut()

    class Borrowing(Base):
        def step(self) -> None:
            Other.side.emit(flat(1))

    with ModelTest(Borrowing) as test:
        test.connect()
        test.play(1.0)
        [fault] = test.faults
    assert fault.message == (
        "track 'side' is of another class: declare it in the body of the model's class; this one declares main_video"
    )


def test_23_deviation_the_version_of_the_capabilities_is_that_on_the_wire() -> None:
    from reactor_runtime.authoring.video_model import describe_video_model
    from reactor_runtime.contract import capabilities

    wire = capabilities(describe_video_model(Singing).contract)
    assert Singing.capabilities()["protocol_version"] == wire["protocol_version"] == "1.1"
