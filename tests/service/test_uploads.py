"""A file that a client brings reaches the model: slot, bytes, reference. And what becomes of it when things break."""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from tests.service.conftest import Watch
from tests.service.service import Reply, Service
from tests.service.viewer import Viewer

SLOTS = "/sessions/local/uploads"


@pytest.fixture(scope="module")
def shared_gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("gallery")
    workspace = folder / "workspace"
    workspace.mkdir()
    shutil.copy(Path(__file__).parent / "models" / "gallery.py", workspace)
    (workspace / "reactor.yaml").write_text("model: gallery:Gallery\nname: gallery\n")
    service = Service(workspace, folder / "tmp").ready()
    yield service
    service.close()  # It also checks that no file is left behind.


@pytest.fixture
def gallery(shared_gallery: Service) -> Iterator[Service]:
    shared_gallery.state("READY")
    yield shared_gallery
    shared_gallery.http("POST", "/stop_session")
    shared_gallery.state("READY")


def slot(service: Service, data: bytes, name: str = "a.bin", mime_type: str = "image/x-grey") -> dict[str, Any]:
    """Reserve a slot for a file; returns the reference to it."""
    reply = service.http("POST", SLOTS, {"name": name, "size": len(data), "mime_type": mime_type})
    assert reply.status == 201, reply
    return {"upload_id": reply.body["presigned_id"], "name": name, "mime_type": mime_type, "size": len(data)}


def put(service: Service, reference: dict[str, Any], data: bytes) -> Reply:
    return service.http("PUT", f"/uploads/{reference['upload_id']}", data)


def upload(service: Service, data: bytes, name: str = "a.bin", mime_type: str = "image/x-grey") -> dict[str, Any]:
    reference = slot(service, data, name, mime_type)
    assert put(service, reference, data).status == 200
    return reference


def got(viewer: Viewer, how: str) -> dict[str, Any]:
    return viewer.message(lambda m: m.scope == "application" and m.type == "got" and m.data["how"] == how).data


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_file_reaches_the_model_and_its_picture_and_can_be_taken_away_again(gallery: Service, watch: Watch):
    viewer = watch(gallery).watch()
    reference = upload(gallery, b"\xc8" * 1000, "bright.bin")
    viewer.send('{"scope":"runtime","data":{"type":"subscribe","data":{"topics":["state"]}}}')
    viewer.command("set_image", {"image": reference}, id="i")
    viewer.receipt("i", "applied")
    viewer.wait_frame(lambda frame: abs(frame.luma - 200) < 12)
    told = viewer.message(lambda m: m.type == "state" and m.data["image"] is not None)
    assert told.data == {"image": reference, "caption": "nothing"}

    viewer.command("set_image", {"image": None}, id="n")
    viewer.receipt("n", "applied")
    viewer.wait_frame(lambda frame: abs(frame.luma - 20) < 12)


def test_a_file_is_whole_in_the_handler_under_the_name_of_its_slot_and_may_be_used_again(
    gallery: Service, watch: Watch
):
    viewer = watch(gallery).watch()
    data = bytes(range(256)) * 12_345
    reference = upload(gallery, data, "räume.png", "image/png")
    viewer.command("show", {"file": {**reference, "name": "other.exe", "size": 3}})
    told = got(viewer, "show")
    assert (told["names"], told["mime_types"]) == (["räume.png"], ["image/png"])
    assert (told["sizes"], told["digests"]) == ([len(data)], [sha(data)])
    for number in range(5):
        viewer.command("show", {"file": reference}, id=number)
    for number in range(5):
        viewer.receipt(number, "applied")


def test_references_are_found_wherever_they_sit(gallery: Service, watch: Watch):
    viewer = watch(gallery).watch()
    a, b, c = (upload(gallery, letter * 10, letter.decode()) for letter in (b"a", b"b", b"c"))
    layers = [{"image": a, "masks": {"sky": b, "sea": None}}, {"image": c, "masks": {"sky": a}}]
    viewer.command("mix", {"layers": layers}, id="m")
    assert got(viewer, "mix")["digests"] == [sha(letter * 10) for letter in (b"a", b"b", b"c", b"a")]

    layers[1]["masks"]["sky"] = {**a, "upload_id": "never"}
    viewer.command("mix", {"layers": layers}, id="bad")
    receipt = viewer.receipt("bad", "rejected")
    assert receipt["field"] == "layers"
    assert receipt["reason"] == "[1].masks['sky']: no upload of that id in this session"


def test_a_command_may_carry_its_files_apart_from_its_arguments(gallery: Service, watch: Watch):
    viewer = watch(gallery).watch()
    reference = upload(gallery, b"legacy")
    body = {"type": "show", "data": {}, "uploads": {"file": reference}, "id": "u"}
    viewer.send(json.dumps({"scope": "application", "data": body}))
    viewer.receipt("u", "applied")
    assert got(viewer, "show")["digests"] == [sha(b"legacy")]


def test_a_command_whose_file_is_not_there_is_rejected_and_the_model_never_sees_it(gallery: Service, watch: Watch):
    viewer = watch(gallery).watch()
    waiting = slot(gallery, b"later")
    for number, (reference, reason) in enumerate(
        [
            ({**waiting, "upload_id": "never"}, "no upload of that id"),
            (waiting, "the bytes of this upload have not come"),
        ]
    ):
        viewer.command("show", {"file": reference}, id=number)
        receipt = viewer.receipt(number, "rejected")
        assert receipt["field"] == "file"
        assert receipt["reason"].startswith(reason)
    viewer.command("mark", {"text": "next"}, id="next")
    viewer.receipt("next", "applied")
    assert [m.data["how"] for m in viewer.messages if m.type == "got"] == ["next"]


def test_an_announced_file_runs_the_hook_in_order_with_the_commands(gallery: Service, watch: Watch):
    viewer, other = watch(gallery).watch(), watch(gallery).watch(start=False)
    reference = upload(gallery, b"hello" * 100_000, "hello.txt", "text/plain")
    viewer.command("mark", {"text": "before"})
    viewer.send(json.dumps({"scope": "runtime", "data": {"type": "fileUploaded", "data": reference}}))
    viewer.command("mark", {"text": "after"})
    got(viewer, "after")
    heard = [m.data for m in viewer.messages if m.type == "got"]
    assert [told["how"] for told in heard] == ["before", "announced", "after"]
    assert (heard[1]["names"], heard[1]["digests"]) == (["hello.txt"], [sha(b"hello" * 100_000)])
    got(other, "after")
    assert [m.data["how"] for m in other.messages if m.type == "got"] == ["before", "after"]

    viewer.send(json.dumps({"scope": "runtime", "data": {"type": "fileUploaded", "data": {"upload_id": "never"}}}))
    assert "no upload of that id" in viewer.error("unknown_upload").data["message"]
    viewer.send(json.dumps({"scope": "runtime", "data": {"type": "fileUploaded", "data": {}}}))
    assert "upload_id" in viewer.error("invalid_message").data["message"]


def test_a_slot_is_refused_that_could_never_be_filled(gallery: Service):
    whole = {"name": "a", "size": 1, "mime_type": "b"}
    assert gallery.http("POST", "/sessions/other/uploads", whole).status == 404
    names = [{"name": ""}, {"name": "x" * 2000}, {"name": "\ud800"}, {"mime_type": " "}]
    for wrong in (*names, {"size": 0}, {"size": -1}, {"size": 1 << 40}):
        reply = gallery.http("POST", SLOTS, whole | wrong)
        assert reply.status == 400, (wrong, reply)
        assert next(iter(wrong)) in reply.body["detail"]
    for wrong in ({"size": "1"}, {"size": 1.5}, {"name": None}):
        assert gallery.http("POST", SLOTS, whole | wrong).status == 422, wrong


def test_the_url_of_a_slot_is_on_the_name_that_the_client_knows(gallery: Service):
    connection = http.client.HTTPConnection(urlsplit(gallery.address).netloc, timeout=30)
    body = json.dumps({"name": "a", "size": 3, "mime_type": "b"})
    connection.request("POST", SLOTS, body, {"Host": "gallery.localhost:81", "Content-Type": "application/json"})
    told = json.loads(connection.getresponse().read())
    connection.close()
    assert told["presigned_url"] == f"http://gallery.localhost:81/uploads/{told['presigned_id']}"
    assert told["path"] == f"/uploads/{told['presigned_id']}"
    assert gallery.http("PUT", told["path"], b"abc").status == 200


def test_bytes_that_do_not_fit_their_slot_are_refused_and_the_slot_can_be_tried_again(gallery: Service):
    assert gallery.http("PUT", "/uploads/never", b"x").status == 404
    reference = slot(gallery, b"12345")
    assert put(gallery, reference, b"1234").status == 400
    assert put(gallery, reference, b"123456").status == 413
    assert streamed(gallery, reference, [b"12", b"34"]).status == 400
    assert streamed(gallery, reference, [b"12", b"3456"]).status == 413
    assert streamed(gallery, reference, [b"12", b"345"]).status == 200
    assert put(gallery, reference, b"12345").status == 409


def streamed(service: Service, reference: dict[str, Any], chunks: list[bytes]) -> Reply:
    """PUT without saying how much comes."""
    connection = http.client.HTTPConnection(urlsplit(service.address).netloc, timeout=30)
    try:
        connection.request("PUT", f"/uploads/{reference['upload_id']}", iter(chunks), encode_chunked=True)
        response = connection.getresponse()
        return Reply(response.status, json.loads(response.read() or b"null"), {})
    finally:
        connection.close()


def test_only_the_bytes_of_an_upload_may_be_many(gallery: Service):
    for method, path in (("POST", SLOTS), ("PUT", "/uploads/a/b"), ("POST", "/uploads/a"), ("POST", "/start_session")):
        assert gallery.http(method, path, b"x" * (2 << 20)).status == 413, path


def test_a_file_that_came_before_the_session_belongs_to_it(gallery: Service, watch: Watch):
    reference = upload(gallery, b"\xc8early")
    viewer = watch(gallery).watch()
    viewer.command("set_image", {"image": reference}, id="i")
    viewer.receipt("i", "applied")
    viewer.wait_frame(lambda frame: abs(frame.luma - 200) < 12)


def test_the_files_of_a_session_end_with_it(gallery: Service, watch: Watch):
    viewer = watch(gallery).watch()
    reference, waiting = upload(gallery, b"\xc8" * 5_000_000), slot(gallery, b"later")
    viewer.command("set_image", {"image": reference}, id="i")
    viewer.receipt("i", "applied")
    # What an earlier session had may be on its way out.
    gallery.until(lambda: open_files(gallery.edge) == open_files(gallery.worker) == [5_000_000], "that file in each")
    gallery.http("POST", "/stop_session")
    gallery.state("READY")
    gallery.until(lambda: not open_files(gallery.edge) + open_files(gallery.worker), "the end of the files")
    assert put(gallery, waiting, b"later").status == 404
    again = watch(gallery).watch()
    again.command("set_image", {"image": reference}, id="old")
    assert "no upload of that id in this session" in again.receipt("old", "rejected")["reason"]


def test_a_file_that_is_taken_back_is_gone_everywhere_but_from_who_has_it(gallery: Service, watch: Watch):
    viewer = watch(gallery).watch()
    reference, waiting = upload(gallery, b"\xc8" * 5000), slot(gallery, b"later")
    viewer.command("set_image", {"image": reference}, id="i")
    viewer.receipt("i", "applied")
    for taken in (reference, waiting):
        assert gallery.http("DELETE", f"/uploads/{taken['upload_id']}").status == 204
        assert gallery.http("DELETE", f"/uploads/{taken['upload_id']}").status == 404
    gallery.until(lambda: not open_files(gallery.edge) + open_files(gallery.worker), "the end of the file")
    viewer.command("show", {"file": reference}, id="old")
    assert "no upload of that id in this session" in viewer.receipt("old", "rejected")["reason"]
    assert put(gallery, waiting, b"later").status == 404
    viewer.wait_frame(lambda frame: abs(frame.luma - 200) < 12)


def open_files(pid: int) -> list[int]:
    """The sizes of the uploads that a process has open. They have no name, so this is all that there is of them."""
    found = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if "(deleted)" in str(fd.readlink()) and "memfd" not in str(fd.readlink()):
                found.append(fd.stat().st_size)
        except OSError:
            continue
    return found


def test_a_large_file_passes_through_the_edge_without_staying_in_its_memory(gallery: Service, watch: Watch):
    size, block = 200 << 20, bytes(range(256)) * 4096
    viewer = watch(gallery).watch()
    edge = psutil.Process(gallery.edge)
    warm = upload(gallery, block)
    viewer.command("show", {"file": warm}, id="warm")
    viewer.receipt("warm", "applied")
    reply = gallery.http("POST", SLOTS, {"name": "big", "size": size, "mime_type": "x/y"})
    before, most = edge.memory_info().rss, 0

    def blocks() -> Iterator[bytes]:
        nonlocal most
        for _ in range(size // len(block)):
            yield block
            most = max(most, edge.memory_info().rss)

    connection = http.client.HTTPConnection(urlsplit(gallery.address).netloc, timeout=100)
    connection.request("PUT", reply.body["path"], blocks(), {"Content-Length": str(size)})
    assert connection.getresponse().status == 200
    connection.close()
    assert max(most, edge.memory_info().rss) - before < 40 << 20
    reference = {"upload_id": reply.body["presigned_id"], "name": "big", "mime_type": "x/y", "size": size}
    viewer.command("show", {"file": reference}, id="big")
    viewer.receipt("big", "applied", 100)
    assert viewer.message(lambda m: m.type == "got" and m.data["sizes"] == [size])


def test_a_model_that_dies_takes_the_files_of_its_session_with_it(gallery: Service, watch: Watch):
    viewer = watch(gallery).watch()
    reference = upload(gallery, b"\xc8" * 4000)
    psutil.Process(gallery.worker).kill()
    viewer.error("model_killed")
    gallery.state("READY")
    assert gallery.http("POST", "/start_session").status == 200
    viewer.command("show", {"file": reference}, id="old")
    viewer.receipt("old", "rejected")
    viewer.command("show", {"file": upload(gallery, b"new")}, id="new")
    viewer.receipt("new", "applied")


def test_an_edge_that_is_killed_leaves_no_file_behind(gallery: Service, watch: Watch):
    watch(gallery).watch()
    edge = gallery.edge
    gallery.until(lambda: not open_files(edge), "the end of what an earlier session had")
    upload(gallery, b"\xc8" * 4000)
    reference = slot(gallery, b"x" * 8000)
    half = http.client.HTTPConnection(urlsplit(gallery.address).netloc, timeout=30)
    half.putrequest("PUT", f"/uploads/{reference['upload_id']}")
    half.putheader("Content-Length", "8000")
    half.endheaders(b"x" * 4000)
    gallery.until(lambda: len(open_files(edge)) == 2, "an upload that is under way")
    psutil.Process(edge).kill()
    half.close()
    gallery.until(lambda: gallery.edge != edge, "another edge")
    gallery.until(lambda: gallery.health()["state"] in ("ORPHANED", "STREAMING"), "the session's return")
    # Its session goes on, and takes files; nobody can name those of the dead edge, so the model's process lets them go.
    gallery.until(lambda: not open_files(gallery.worker), "the end of the old files")
    viewer = watch(gallery).watch(start=False)
    viewer.command("show", {"file": upload(gallery, b"new")}, id="new")
    viewer.receipt("new", "applied")
    assert got(viewer, "show")["digests"] == [sha(b"new")]


def test_a_model_that_takes_no_files_says_so(lamp: Any):
    reply = lamp.service.http("POST", SLOTS, {"name": "a", "size": 1, "mime_type": "b"})
    assert (reply.status, reply.body["detail"]) == (409, "this model takes no files")
