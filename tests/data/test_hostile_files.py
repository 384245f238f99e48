"""Files that mean harm: bombs, and what decoders would run or trip over. How much memory a reader takes is what its docstring says."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyengine.data import ImageFolder, datasets, read_cifar, read_csv, read_idx, read_image, read_text

MB = 1 << 20


def peak(read: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        read()
    finally:
        result = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return result


IDX = struct.pack(">HBBI", 0, 0x0E, 1, MB // 2) + bytes(4 * MB)
CIFAR = bytes(3073 * (4 * MB // 3073))
TEXTS = {
    "one column": b"1\n" * (2 * MB),
    "one row": b"1," * (2 * MB) + b"1",
    "narrow rows": b"1,2\n" * MB,
    "one long number": b"1," + b"0" * (4 * MB),
    "wide letters": "1,\U0001f600".encode() + b"0" * (4 * MB),
    "blank lines": b"\n" * (4 * MB) + b"1,2",
    "long lines": (b"1," * (MB // 2) + b"1\n") * 4,
}


@pytest.mark.parametrize("gzipped", [False, True])
def test_idx_and_cifar_take_three_bytes_for_each(tmp_path: Path, gzipped: bool) -> None:
    for data, read in ((IDX, read_idx), (CIFAR, read_cifar)):
        (tmp_path / "x").write_bytes(gzip.compress(data, mtime=0) if gzipped else data)
        assert peak(lambda read=read: read(tmp_path / "x")) <= 3 * len(data) + 2 * MB  # type: ignore[misc]


@pytest.mark.parametrize("name", TEXTS)
def test_csv_takes_32_bytes_for_each(tmp_path: Path, name: str) -> None:
    (tmp_path / "x").write_bytes(TEXTS[name])
    refusals: list[str] = []

    def read() -> None:
        try:
            read_csv(tmp_path / "x")
        except ValueError as error:
            refusals.append(str(error))

    assert peak(read) <= 32 * len(TEXTS[name]) + 2 * MB
    assert all(text.startswith("read_csv: ") and len(text) < 400 + len(str(tmp_path)) for text in refusals)


def test_texts_take_what_they_say(tmp_path: Path) -> None:
    for text in ("a" * (2 * MB), "".join(map(chr, range(0x10000, 0x10000 + MB // 2)))):
        (tmp_path / "input.txt").write_text(text, encoding="utf-8")
        size = (tmp_path / "input.txt").stat().st_size
        assert peak(lambda: read_text(tmp_path / "input.txt")) <= 6 * size + 2 * MB
        assert peak(lambda: datasets.tiny_shakespeare(tmp_path)) <= 64 * size + 2 * MB


@pytest.mark.parametrize("read", [read_cifar, read_csv, read_text, read_idx], ids=lambda read: read.__name__)
def test_a_bomb_unfolds_to_the_limit_and_no_further(tmp_path: Path, read: Callable[..., Any]) -> None:
    body = struct.pack(">HBBI", 0, 8, 1, 256 * MB) if read is read_idx else b""
    (tmp_path / "bomb").write_bytes(gzip.compress(body + bytes(256 * MB), 1))

    def refused() -> None:
        with pytest.raises(ValueError, match="too large"):
            read(tmp_path / "bomb", limit=4 * MB)

    assert peak(refused) <= 20 * MB


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is enforced on Linux")
def test_hostile_files_within_a_process_of_little_memory(tmp_path: Path) -> None:
    """What the allocator is asked for counts here, not only what tracemalloc sees: 512 MB more than an idle process has."""
    pytest.importorskip("PIL", reason="Pillow is not installed")
    (tmp_path / "idx").write_bytes(gzip.compress(struct.pack(">HBBI", 0, 8, 1, 2**32 - 1) + bytes(64 * MB), 1))
    (tmp_path / "safetensors").write_bytes(struct.pack("<Q", 2**40) + b'{"a":1}')
    header = b'{"a":{"dtype":"U8","shape":[1125899906842624],"data_offsets":[0,1125899906842624]}}'
    (tmp_path / "petabyte").write_bytes(struct.pack("<Q", len(header)) + header)
    (tmp_path / "csv").write_bytes(gzip.compress(b"1,2\n" * (64 * MB), 1))
    (tmp_path / "bmp").write_bytes(b"BM" + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0))
    script = f"""
import resource
import numpy, PIL.Image, pyengine as pe
from pyengine.data import read_csv, read_idx, read_image
PIL.Image.init()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (512 << 20),) * 2)
calls = {{"idx": lambda p: read_idx(p, 256 << 20), "csv": lambda p: read_csv(p, limit=16 << 20), "bmp": read_image,
          "safetensors": pe.load, "petabyte": pe.load}}
for name, read in calls.items():
    try:
        read({str(tmp_path)!r} + "/" + name)
    except ValueError as error:
        print(name)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout.split() == ["idx", "csv", "bmp", "safetensors", "petabyte"], result.stderr


# Images ---------------------------------------------------------------------------------------------------------------------------------


def test_a_program_is_no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow hands EPS files to Ghostscript, whatever they are called."""
    pytest.importorskip("PIL", reason="Pillow is not installed")
    (tmp_path / "x.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")

    def run(*args: Any, **kwargs: Any) -> None:
        raise AssertionError(f"a process was started: {args}")

    monkeypatch.setattr(subprocess, "Popen", run)
    with pytest.raises(ValueError, match="read_image: not a readable image"):
        read_image(tmp_path / "x.png")


def test_an_image_of_too_many_pixels_is_not_decoded(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    pillow.new("1", (4000, 1000)).save(tmp_path / "x.png")
    with pytest.raises(ValueError, match=r"read_image: .*4000 x 1000 pixels; at most 2097152 unless limit is raised"):
        read_image(tmp_path / "x.png", limit=64 * MB)
    assert peak(lambda: read_image(tmp_path / "x.png")) <= 32 * 4_000_000


def test_a_folder_of_pipes_and_loops(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    with pytest.raises(ValueError, match="ImageFolder: not a folder: "):
        ImageFolder(tmp_path / "none")
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "class" / "a.png").mkdir()
    (tmp_path / "class" / "b.png").symlink_to(tmp_path / "class" / "b.png")
    folder = ImageFolder(tmp_path)
    with pytest.raises(ValueError, match="read_image: not a regular file"):
        folder[0]
    with pytest.raises(OSError, match="read_image: Too many levels of symbolic links"):
        folder[1]


# Data sets ------------------------------------------------------------------------------------------------------------------------------


def test_files_of_no_image_are_no_data_set(tmp_path: Path) -> None:
    for part, shape in (("images-idx3", (0, 28, 28)), ("labels-idx1", (0,))):
        header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
        (tmp_path / f"train-{part}-ubyte").write_bytes(header)
    with pytest.raises(ValueError, match=r"mnist: images and labels do not fit: .* at least one"):
        datasets.mnist(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", gzip.compress(b"abc", mtime=0)[:-2]])
def test_a_text_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "input.txt").write_bytes(content)
    with pytest.raises(ValueError, match=r"^read_text: ") as error:
        datasets.tiny_shakespeare(tmp_path)
    assert f"'{tmp_path / 'input.txt'}'" in str(error.value)


def test_a_text_is_numbered(tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_bytes(gzip.compress("ba\u00e9b".encode()))
    numbers, letters = datasets.tiny_shakespeare(tmp_path)
    np.testing.assert_array_equal(numbers, [1, 0, 2, 1])
    assert letters == ["a", "b", "\u00e9"]
