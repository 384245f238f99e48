"""Downloads from a server of our own: resumed, checked, from the next mirror if one is wrong; one clear line when there is none."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pyengine.data.download import DownloadError, Resource, fetch

CONTENT = bytes(range(256)) * 2000
RESOURCE = Resource("file.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


class Server(http.server.BaseHTTPRequestHandler):
    """/good/ knows ranges, /plain/ does not, /short/ breaks off, /wrong/ has other bytes, /endless/ never stops; all else is not found."""

    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        kind, asked_range = self.path.split("/")[1], self.headers.get("Range")
        self.asked.append((kind, asked_range))
        begin = int(asked_range.removeprefix("bytes=").removesuffix("-")) if asked_range and kind in ("good", "short") else 0
        if kind not in ("good", "plain", "short", "wrong", "endless"):
            self.send_error(404)
            return
        self.send_response(206 if begin else 200)
        self.end_headers()
        try:
            body = bytes(len(CONTENT)) if kind == "wrong" else CONTENT[begin:]
            self.wfile.write(body[: len(body) // 2] if kind == "short" else body)
            while kind == "endless":
                self.wfile.write(body)
        except OSError:
            pass  # the client has had enough

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    Server.asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_arrives_whole_and_is_not_fetched_twice(tmp_path: Path, address: str) -> None:
    seen: list[tuple[int, int]] = []
    path = fetch(RESOURCE, tmp_path / "new", [address + "good/"], lambda done, size: seen.append((done, size)))
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in path.parent.iterdir()] == ["file.bin"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)
    fetch(RESOURCE, tmp_path / "new", [address + "good/"])
    assert len(Server.asked) == 1


@pytest.mark.parametrize("have", [1, 100_000, len(CONTENT) - 1, len(CONTENT)])
def test_a_broken_download_is_resumed_where_it_stopped(tmp_path: Path, address: str, have: int) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:have])
    assert fetch(RESOURCE, tmp_path, [address + "good/"]).read_bytes() == CONTENT
    assert Server.asked == ([("good", f"bytes={have}-")] if have < len(CONTENT) else [])


def test_a_server_without_ranges_begins_anew(tmp_path: Path, address: str) -> None:
    (tmp_path / "file.bin.part").write_bytes(b"some other beginning")
    assert fetch(RESOURCE, tmp_path, [address + "plain/"]).read_bytes() == CONTENT


def test_a_wrong_beginning_is_thrown_away_and_the_next_mirror_asked(tmp_path: Path, address: str) -> None:
    (tmp_path / "file.bin.part").write_bytes(b"some other beginning")
    assert fetch(RESOURCE, tmp_path, [address + "good/", address + "good/"]).read_bytes() == CONTENT


def test_mirrors_are_asked_in_turn(tmp_path: Path, address: str) -> None:
    mirrors = [address + kind for kind in ("missing/", "wrong/", "short/", "good/")]
    assert fetch(RESOURCE, tmp_path, mirrors).read_bytes() == CONTENT
    assert [kind for kind, _ in Server.asked] == ["missing", "wrong", "short", "good"]
    assert Server.asked[-1] == ("good", f"bytes={len(CONTENT) // 2}-"), "what the broken mirror gave is kept"


def test_an_endless_answer_is_cut_at_the_size_expected(tmp_path: Path, address: str) -> None:
    assert fetch(RESOURCE, tmp_path, [address + "endless/"]).read_bytes() == CONTENT


def test_without_a_mirror_there_is_one_line_and_no_file(tmp_path: Path, address: str) -> None:
    with pytest.raises(DownloadError) as error:
        fetch(RESOURCE, tmp_path, [address + "missing/", address + "wrong/", "http://127.0.0.1:1/"])
    message = str(error.value)
    assert "\n" not in message
    assert "404" in message
    assert "wrong content" in message
    assert "refused" in message
    assert f"'{tmp_path}' by hand" in message
    assert list(tmp_path.iterdir()) == []
