"""Files of examples as NumPy arrays: IDX, CIFAR binary, CSV, image folders.

Nothing in a file is trusted: a wrong magic number, a size that does not fit, a file cut short or too long, a pipe in the place of a file
ends in one ``ValueError`` that names the file and the fault. Memory is bounded by what the file really holds and by ``limit``, not by what
its header claims; each reader says how.
"""

from __future__ import annotations

import gzip
import io
import itertools
import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from pyengine.data.dataset import Dataset
from pyengine.extras import require
from pyengine.files import Path_, open_regular

LIMIT = 4 << 30
"""Bytes of data that are read at most, unless told otherwise: a compressed file of a few MB can unfold to terabytes."""

_PIXEL = 32
"""Bytes that a pixel takes while an image is read: 4 as decoded, 3 as RGB, 12 as floats, twice, while they are put in order."""

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""What an image file may be, whatever its name. Not all that Pillow knows is for untrusted files: EPS is a program, which it would run."""

_IDX_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_RANK = 32
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20


def read_idx(path: Path_, limit: int = LIMIT) -> npt.NDArray[Any]:
    """The array of an IDX file, plain or gzipped, in native byte order.

    An IDX file is two zero bytes, a code for the element type, the number of axes, each axis's size as a big-endian uint32, and the
    elements, big-endian. Raises ValueError unless the file is exactly that. Memory: at most 3 bytes for each byte of data, of which there
    are at most ``limit``.

    Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats".
    """
    with _open(path, "read_idx") as file:
        head = _read(file, 4, "read_idx", path)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _IDX_DTYPES or not 0 < head[3] <= _MAX_RANK:
            raise ValueError(
                f"read_idx: not an IDX file: '{path}' begins with {head.hex(' ') or 'nothing'}; 00 00 <type> <number of axes> expected"
            )
        dtype, rank = np.dtype(_IDX_DTYPES[head[2]]), head[3]
        sizes = _read(file, 4 * rank, "read_idx", path)
        if len(sizes) < 4 * rank:
            raise ValueError(f"read_idx: truncated file: '{path}' ends inside its header; {rank} axis sizes expected")
        shape = struct.unpack(f">{rank}I", sizes)
        what = f"an array {shape} of {dtype.name}"
        if math.prod(max(size, 1) for size in shape) * dtype.itemsize > limit:
            raise ValueError(f"read_idx: too large: the header of '{path}' announces {what}; raise limit ({limit} bytes) to read it")
        data = _read_exactly(file, math.prod(shape) * dtype.itemsize, "read_idx", path, what)
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def read_cifar(path: Path_, limit: int = LIMIT) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Images (n, 3, 32, 32) and labels (n,) of a file in the binary version of CIFAR-10, plain or gzipped.

    A record is one label byte, then 1,024 red, 1,024 green and 1,024 blue bytes. Raises ValueError for anything else. Memory: at most 3
    bytes for each byte of data, of which there are at most ``limit``.

    Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009, and the data set's page, "Binary version".
    """
    record = 1 + 3 * 32 * 32
    data = _read_all(path, limit, "read_cifar")
    if not data or len(data) % record:
        raise ValueError(
            f"read_cifar: not a CIFAR-10 binary file: '{path}' holds {len(data)} bytes; a positive multiple of {record} expected"
        )
    rows = np.frombuffer(data, np.uint8).reshape(-1, record)
    labels = rows[:, 0].copy()
    if labels.max() > 9:
        raise ValueError(f"read_cifar: label out of range: '{path}' has label {labels.max()} in record {labels.argmax()}; 0 to 9 expected")
    return rows[:, 1:].reshape(-1, 3, 32, 32).copy(), labels


def read_csv(
    path: Path_, *, target: int | None = -1, header: int = 0, delimiter: str = ",", limit: int = LIMIT
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
    """Features (n, d) and the target column (n,), float32, of a table of numbers; ``target=None`` leaves all columns features.

    ``header`` lines are skipped. Raises ValueError for a cell that is not a number, rows of different lengths, or no rows. Memory: at most
    32 bytes for each byte of text, of which there are at most ``limit``.
    """
    data = _read_all(path, limit, "read_csv")
    with io.TextIOWrapper(io.BytesIO(data), encoding="utf-8") as text:
        lines = (line for line in itertools.islice(text, header, None) if line.strip())
        try:
            first = list(itertools.islice(lines, 1))
            rows = itertools.chain(first, lines)
            table = np.loadtxt(rows, np.float64, delimiter=delimiter, ndmin=2, comments=None) if first else np.empty((0, 0))
        except ValueError as error:
            raise ValueError(f"read_csv: not a table of numbers: '{path}': {_one_line(error)}") from None
    if table.size == 0:
        raise ValueError(f"read_csv: no rows: '{path}' holds nothing after {header} header lines")
    if target is None:
        return table.astype(np.float32), None
    columns = table.shape[1]
    if not -columns <= target < columns:
        raise ValueError(f"read_csv: no such column: target {target}, '{path}' has {columns} columns; -{columns} <= target < {columns}")
    return np.delete(table, target, axis=1).astype(np.float32), table[:, target].astype(np.float32)


def read_text(path: Path_, limit: int = LIMIT) -> str:
    """The text of a UTF-8 file, plain or gzipped; ValueError where it is none, or empty. Memory: at most 6 bytes for each byte of text, of
    which there are at most ``limit``."""
    data = _read_all(path, limit, "read_text")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"read_text: not UTF-8: '{path}': {error.reason} at byte {error.start}") from None
    if not text:
        raise ValueError(f"read_text: empty file: '{path}'; some text expected")
    return text


class ImageFolder(Dataset[tuple[npt.NDArray[np.float32], int]]):
    """Images in one folder for each class: ``root/<class>/<image>``; item i is (image (C, H, W) in [0, 1], class number).

    Classes are numbered in alphabetical order. ``size`` is (height, width), to which every image is resized; ``grey`` asks for one channel
    in place of three. Needs Pillow.
    """

    extensions = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})

    def __init__(self, root: Path_, size: tuple[int, int] | None = None, *, grey: bool = False) -> None:
        if not Path(root).is_dir():
            raise ValueError(f"ImageFolder: not a folder: '{root}'; root/<class>/<image> expected")
        folders = sorted(entry for entry in Path(root).iterdir() if entry.is_dir())
        self.classes = [folder.name for folder in folders]
        self.size, self.grey = size, grey
        self.samples = [
            (path, label)
            for label, folder in enumerate(folders)
            for path in sorted(folder.rglob("*"))
            if path.suffix.lower() in self.extensions
        ]
        if not self.samples:
            raise ValueError(
                f"ImageFolder: no images: '{root}' has {len(folders)} folders and no image inside; root/<class>/<image> expected"
            )

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.float32], int]:
        path, label = self.samples[index]
        return read_image(path, self.size, grey=self.grey), label


def read_image(path: Path_, size: tuple[int, int] | None = None, *, grey: bool = False, limit: int = LIMIT) -> npt.NDArray[np.float32]:
    """An image file as (C, H, W) float32 in [0, 1]: three channels, or one where ``grey``; resized to ``size`` (height, width) if given.

    What is transparent is white. Needs Pillow. Raises ValueError for what is no image of ``FORMATS``, or is damaged. Memory: at most
    ``limit`` bytes, at 32 for each pixel; a file that announces more is refused before it is decoded.
    """
    pillow = require("PIL.Image", "pyengine[train]", "reading images")
    with open_regular("read_image", path) as file:
        try:
            with pillow.open(file, formats=FORMATS) as image:
                if math.prod(image.size) > limit // _PIXEL:
                    raise ValueError(f"{image.size[0]} x {image.size[1]} pixels; at most {limit // _PIXEL} unless limit is raised")
                converted = _on_white(image).convert("L" if grey else "RGB")
        except Exception as error:  # whatever a decoder of Pillow's meets: struct.error, IndexError, zlib.error, ...
            fault = f"none of {', '.join(FORMATS)}" if isinstance(error, pillow.UnidentifiedImageError) else _one_line(error)
            raise ValueError(f"read_image: not a readable image: '{path}': {fault}") from None
    if size is not None:
        converted = converted.resize((size[1], size[0]), pillow.Resampling.BILINEAR)
    pixels = np.asarray(converted, dtype=np.float32) / np.float32(255)
    return pixels[None] if grey else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _on_white(image: Any) -> Any:
    """As viewers show it: what colour a transparent pixel has is up to the program that wrote it."""
    if not image.has_transparency_data:
        return image
    pillow = require("PIL.Image", "pyengine[train]", "reading images")
    image = image.convert("RGBA")
    return pillow.alpha_composite(pillow.new("RGBA", image.size, "white"), image)


# Bytes ----------------------------------------------------------------------------------------------------------------------------------

_READ_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error)


@contextmanager
def _open(path: Path_, op: str) -> Iterator[BinaryIO]:
    """The file, unfolded if it is gzipped: told by its first bytes, as names lie."""
    with open_regular(op, path) as file:
        gzipped = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        yield cast(BinaryIO, gzip.GzipFile(fileobj=file)) if gzipped else file


def _read_all(path: Path_, limit: int, op: str) -> bytearray:
    with _open(path, op) as file:
        data = _read(file, limit + 1, op, path)
    if len(data) > limit:
        raise ValueError(f"{op}: too large: '{path}' holds more than {limit} bytes; raise limit to read it")
    return data


def _read(file: BinaryIO, length: int, op: str, path: Path_) -> bytearray:
    """At most ``length`` bytes, fewer at the end of the file; grown as they come, so a false size costs nothing."""
    data = bytearray()
    try:
        while len(data) < length and (chunk := file.read(min(_CHUNK, length - len(data)))):
            data += chunk
    except _READ_ERRORS as error:
        raise ValueError(f"{op}: damaged gzip file: '{os.fspath(path)}': {error}") from None
    return data


def _one_line(error: Exception) -> str:
    """What a library says, in one line of bounded length: it may quote the file."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."


def _read_exactly(file: BinaryIO, length: int, op: str, path: Path_, what: str) -> bytearray:
    data = _read(file, length, op, path)
    if len(data) < length:
        raise ValueError(f"{op}: truncated file: '{path}' holds {len(data)} bytes of data; its header announces {what}, {length} bytes")
    if _read(file, 1, op, path):
        raise ValueError(f"{op}: trailing bytes: '{path}' goes on after {what}, {length} bytes; a file of that length expected")
    return data
