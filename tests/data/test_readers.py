"""Readers: what they read, and that a damaged or hostile file ends in one ValueError, at every byte."""

from __future__ import annotations

import gzip
import os
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyengine.data import ImageFolder, read_cifar, read_csv, read_idx, read_image

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx(array: np.ndarray[Any, Any], code: str) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, CODES[code], array.ndim, *array.shape) + array.astype(f">{code}").tobytes()


def one_line(error: pytest.ExceptionInfo[ValueError], path: Path) -> None:
    assert "\n" not in str(error.value)
    assert f"'{path}'" in str(error.value)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [(5,), (2, 3, 4), (0, 28, 28), (1, 1)], ids=str)
@pytest.mark.parametrize("gzipped", [False, True])
def test_idx_of_every_type(tmp_path: Path, code: str, shape: tuple[int, ...], gzipped: bool) -> None:
    array = np.random.default_rng(0).integers(0, 127, shape).astype(code)
    (tmp_path / "x").write_bytes(gzip.compress(idx(array, code)) if gzipped else idx(array, code))
    found = read_idx(tmp_path / "x")
    assert found.dtype == np.dtype(code)
    assert found.dtype.isnative
    assert found.flags.writeable
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("gzipped", [False, True])
def test_idx_cut_at_every_byte_or_too_long(tmp_path: Path, gzipped: bool) -> None:
    whole = idx(np.arange(12).reshape(3, 4), "i4")
    whole = gzip.compress(whole) if gzipped else whole
    path = tmp_path / "x"
    for content in [*(whole[:length] for length in range(len(whole))), whole + (gzip.compress(b"\1") if gzipped else b"\1")]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"^read_idx: ") as error:
            read_idx(path)
        one_line(error, path)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"\0\0\x07\1\0\0\0\1\1", "not an IDX file"),
        (b"\0\1\x08\1\0\0\0\1\1", "not an IDX file"),
        (b"\0\0\x08\0\1", "not an IDX file"),
        (b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"\1", "not an IDX file"),
        (b"\0\0\x08\3" + b"\xff" * 12 + b"\1", "too large"),
        (b"\0\0\x08\4" + b"\0\0\0\0" + b"\xff" * 12, "too large"),
        (b"\0\0\x08\1\xff\xff\xff\x00" + b"\1", "truncated"),
        (b"PK\3\4", "not an IDX file"),
    ],
)
def test_idx_with_a_hostile_header(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(ValueError, match=word) as error:
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    one_line(error, path)
    assert peak < 8 << 20, "a header must not make the reader allocate what the file does not hold"


def test_idx_that_unfolds_without_end_is_read_no_further_than_its_header_says(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(struct.pack(">HBBI", 0, 8, 1, 10) + bytes(200 << 20), 1))
    tracemalloc.start()
    with pytest.raises(ValueError, match="trailing bytes"):
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    path.write_bytes(gzip.compress(struct.pack(">HBBI", 0, 8, 1, 200 << 20) + bytes(200 << 20), 1))
    with pytest.raises(ValueError, match="too large"):
        read_idx(path, limit=100 << 20)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40) | st.builds(lambda rest: b"\0\0\x08\1" + rest, st.binary(max_size=40)))
def test_idx_of_any_bytes_is_an_array_or_a_valueerror(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "x"
    path.write_bytes(content)
    try:
        found = read_idx(path)
    except ValueError as error:
        if "\n" in str(error):
            raise
    else:
        assert content == idx(found, "u1") or found.dtype != np.uint8


# CIFAR --------------------------------------------------------------------------------------------------------------------------------


def test_cifar_records(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (3, 3, 32, 32), np.uint8), np.array([0, 9, 4], np.uint8)
    records = b"".join(bytes([label]) + image.tobytes() for label, image in zip(labels, images, strict=True))
    for content in (records, gzip.compress(records)):
        (tmp_path / "x").write_bytes(content)
        found_images, found_labels = read_cifar(tmp_path / "x")
        np.testing.assert_array_equal(found_images, images)
        np.testing.assert_array_equal(found_labels, labels)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "holds 0 bytes"),
        (bytes(3072), "multiple of 3073"),
        (bytes(3074), "multiple"),
        (b"\x0a" + bytes(3072), "label out of range"),
        (gzip.compress(bytes(3073), mtime=0)[:-1], "damaged"),
    ],
)
def test_cifar_that_is_none(tmp_path: Path, content: bytes, word: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ValueError, match=word) as error:
        read_cifar(tmp_path / "x")
    one_line(error, tmp_path / "x")
    (tmp_path / "x").write_bytes(bytes(3073))
    with pytest.raises(ValueError, match="more than 3072"):
        read_cifar(tmp_path / "x", limit=3072)


# CSV ------------------------------------------------------------------------------------------------------------------------------------


def test_csv(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a,b,c\n1,2.5,0\n-3,4e2,1\n")
    features, target = read_csv(tmp_path / "x", header=1)
    np.testing.assert_array_equal(features, np.array([[1, 2.5], [-3, 400]], np.float32))
    assert target is not None
    assert target.tolist() == [0, 1]
    assert features.dtype == np.float32
    features, target = read_csv(tmp_path / "x", header=1, target=None)
    assert features.shape == (2, 3)
    assert target is None
    with pytest.raises(ValueError, match="target 3"):
        read_csv(tmp_path / "x", header=1, target=3)


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"1,2\n3\n", b"1,x\n", b"1,2\n\xff,3\n", gzip.compress(b"1,2\n", mtime=0)[:-3]])
def test_csv_that_is_no_table(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ValueError, match=r"^read_csv: ") as error:
        read_csv(tmp_path / "x")
    one_line(error, tmp_path / "x")


# Images ---------------------------------------------------------------------------------------------------------------------------------


def test_image_folder(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    for name, colour in {"cat": (255, 0, 0), "ant": (0, 0, 255)}.items():
        (tmp_path / name).mkdir()
        pillow.new("RGB", (6, 4), colour).save(tmp_path / name / "1.png")
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    folder = ImageFolder(tmp_path, (2, 3))
    assert folder.classes == ["ant", "cat"]
    assert len(folder) == 2
    image, label = folder[1]
    assert image.shape == (3, 2, 3)
    assert label == 1
    np.testing.assert_array_equal(image[:, 0, 0], [1, 0, 0])
    assert ImageFolder(tmp_path, grey=True)[0][0].shape == (1, 4, 6)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode: str, tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[:, 0, 3] = 255
    pillow.fromarray(pixels).convert(mode).save(tmp_path / "x.png")
    np.testing.assert_array_equal(read_image(tmp_path / "x.png", grey=True), [[[0, 1, 1], [0, 1, 1]]])
    np.testing.assert_array_equal(read_image(tmp_path / "x.png")[2], [[0, 1, 1], [0, 1, 1]])


def test_image_that_is_none(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    path = tmp_path / "x.png"
    pillow.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)).save(path)
    whole = path.read_bytes()
    for length in range(len(whole) - 20):  # Pillow does not insist on the checksums behind the pixels, nor on the empty end chunk
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"^read_image: ") as error:
            read_image(path)
        one_line(error, path)
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "none.png")
    with pytest.raises(ValueError, match="no images"):
        ImageFolder(tmp_path)


# The real files -------------------------------------------------------------------------------------------------------------------------

DATA = Path(os.environ.get("PYENGINE_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.mark.skipif(not (DATA / "mnist").is_dir(), reason=f"no MNIST in {DATA}; set PYENGINE_DATA")
def test_mnist_itself() -> None:
    from pyengine.data.datasets import mnist

    train, test = mnist(DATA / "mnist"), mnist(DATA / "mnist", train=False)
    images, labels = train.tensors
    assert images.shape == (60000, 1, 28, 28)
    assert test.tensors[0].shape == (10000, 1, 28, 28)
    assert np.bincount(labels.numpy()).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert labels.numpy()[:5].tolist() == [5, 0, 4, 1, 9]
    assert images.numpy().mean(dtype=np.float64) == pytest.approx(33.3184 / 255, abs=1e-6)


@pytest.mark.skipif(not (DATA / "cifar-10-mini").is_dir(), reason=f"no CIFAR-10 subset in {DATA}; set PYENGINE_DATA")
def test_cifar_itself() -> None:
    images, labels = read_cifar(DATA / "cifar-10-mini" / "train_4000.bin.gz")
    assert labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    assert images.shape == (4000, 3, 32, 32)
    np.testing.assert_allclose(images.mean(axis=(0, 2, 3)) / 255, [0.4916, 0.4818, 0.4447], atol=5e-5)
