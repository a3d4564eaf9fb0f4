"""Files at the prompt: `"@path"` in a command's arguments, and `upload`."""

from __future__ import annotations

from pathlib import Path

from tests.headless.kit import LAMP, Repl, write

READER = """
import numpy as np
from reactor_runtime.interface import (
    InputState, ModelMessage, Output, ReactorPipeline, UploadedFile, Video, event, file_uploaded
)

class Picture(Output):
    main_video: Video

class Read(ModelMessage):
    name: str
    size: int
    mime_type: str
    note: str

class State(InputState):
    style: UploadedFile | None = None

class Reader(ReactorPipeline):
    state: State
    fps = 24

    def load(self, config):
        pass

    async def tell(self, file, note):
        await self.send(Read(name=file.name, size=file.size, mime_type=file.mime_type, note=note + str(len(file.data))))

    @event(name="read")
    async def read(self, file: UploadedFile, note: str = ""):
        await self.tell(file, note)

    @event(name="read_all")
    async def read_all(self, files: list[UploadedFile]):
        for file in files:
            await self.tell(file, "")

    @file_uploaded
    async def uploaded(self, uploaded_file):
        await self.tell(uploaded_file, "announced ")

    def inference(self):
        while True:
            yield Picture(main_video=np.full((8, 8, 3), self.state.style.size if self.state.style else 0, np.uint8))
"""


def test_a_command_takes_a_file_where_it_is_declared(tmp_path: Path) -> None:
    (tmp_path / "a cat.png").write_bytes(b"12345")
    (tmp_path / "dog.bin").write_bytes(b"123")
    with Repl(write(tmp_path / "reader", READER, "Reader")) as repl:
        repl.line("start")
        repl.line('cmd read {"file": "@a cat.png", "note": "@no file: "}')
        repl.hear('"data": {"name": "a cat.png", "size": 5, "mime_type": "image/png", "note": "@no file: 5"}')
        repl.line('cmd read_all {"files": ["@a cat.png", "@dog.bin"]}')
        repl.hear('{"name": "dog.bin", "size": 3, "mime_type": "application/octet-stream", "note": "3"}')
        repl.line('cmd set_style {"style": "@dog.bin"}')
        repl.hear("[OK] Command 'set_style' executed")
        repl.line('cmd read {"file": "@nowhere.png"}')
        repl.hear("[ERROR] nowhere.png cannot be read: No such file or directory")
        repl.line('cmd read {"file": "a cat.png"}')
        repl.hear("[ERROR] read: file: ")
        assert repl.end() == 0


def test_a_file_is_uploaded_and_announced(tmp_path: Path) -> None:
    (tmp_path / "a cat.png").write_bytes(b"12345")
    with Repl(write(tmp_path / "reader", READER, "Reader")) as repl:
        repl.line("upload a cat.png")
        repl.hear("[WARN] Cannot upload in state READY.")
        repl.line("start")
        repl.line("upload a cat.png")
        repl.hear("[OK] a cat.png uploaded")
        repl.hear('{"name": "a cat.png", "size": 5, "mime_type": "image/png", "note": "announced 5"}')
        repl.line("upload dog.png")
        repl.hear("[ERROR] dog.png cannot be read: No such file or directory")
        repl.line("upload")
        repl.hear("[ERROR] upload needs a file: upload FILE")
        assert repl.end() == 0


def test_a_model_that_takes_no_announced_file_says_so(tmp_path: Path) -> None:
    with Repl(write(tmp_path / "lamp", LAMP)) as repl:
        repl.line("start")
        repl.line("upload a.png")
        repl.hear('[ERROR] the model has no @file_uploaded; a command takes a file as "@path"')
        assert repl.end() == 0
