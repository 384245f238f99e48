"""TMA's loads and stores in the simulator, against NumPy."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tests.simulator.build import run, unwritten

RNG = np.random.default_rng(2)
CODES = {np.dtype(np.uint8): 5, np.dtype(np.uint16): 6, np.dtype(np.float16): 9, np.dtype(np.float32): 11}
"""Of ElementType in kernels/element_type.h."""
SPANS = (0, 32, 64, 128)
"""Bytes of a row under each swizzle."""


@dataclass
class Im2col:
    lower: tuple[int, ...]
    upper: tuple[int, ...]
    steps: tuple[int, ...]
    channels: int
    pixels: int


@dataclass
class Layout:
    """Of a NumPy array: TMA's dimension 0 is NumPy's last."""

    array: np.ndarray[Any, Any]
    box: tuple[int, ...] = ()
    swizzle: int = 0
    im2col: Im2col | None = None
    changes: dict[str, list[int]] = field(default_factory=dict)

    def numbers(self) -> np.ndarray[Any, Any]:
        def five(values: Any, default: int = 1, count: int = 5) -> list[int]:
            return ([int(x) for x in values] + [default] * count)[:count]

        x, i = self.array, self.im2col or Im2col((), (), (), 0, 0)
        parts = {
            "type": [CODES.get(x.dtype, 0)],
            "rank": [x.ndim],
            "swizzle": [self.swizzle],
            "sizes": five(x.shape[::-1]),
            "strides": five(x.strides[::-1], 0),
            "box": five(self.box[::-1]),
            "im2col": [self.im2col is not None],
            "lower": five(i.lower, 0, 3),
            "upper": five(i.upper, 0, 3),
            "steps": five(i.steps, 1, 3),
            "counts": [i.channels, i.pixels],
        }
        return np.array([number for values in {**parts, **self.changes}.values() for number in values], np.int64)


def where(at: tuple[int, ...], by: tuple[int, ...] = ()) -> np.ndarray[Any, Any]:
    """TMA's order, the contiguous dimension first."""
    return np.array((*at, *(0,) * (5 - len(at)), *by, *(0,) * (3 - len(by))), np.int32)


def box_of(x: np.ndarray[Any, Any], box: tuple[int, ...], at: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """What lies in a box, zero outside the array."""
    out = np.zeros(box, x.dtype)
    for index in np.ndindex(*box):
        position = tuple(start + i for start, i in zip(at, index, strict=True))
        if all(0 <= p < size for p, size in zip(position, x.shape, strict=True)):
            out[index] = x[position]
    return out


def swizzled(content: np.ndarray[Any, Any], swizzle: int) -> np.ndarray[Any, Any]:
    """Bytes of shared memory: every 16 of them at an address of which bits 4... are exclusive-ored with bits 7..."""
    pieces = np.frombuffer(content.tobytes(), np.uint8).reshape(-1, 16)
    address = np.arange(len(pieces)) * 16
    moved = np.empty_like(pieces)
    moved[(address ^ ((address >> 7 & (2**swizzle - 1)) << 4)) // 16] = pieces
    return moved.ravel()


SHAPES = {
    1: ((50,), (32,)),
    2: ((9, 40), (8, 16)),
    3: ((3, 5, 20), (2, 4, 8)),
    4: ((2, 3, 4, 12), (2, 2, 3, 4)),
    5: ((2, 2, 3, 3, 8), (1, 2, 2, 2, 8)),
}


@pytest.mark.parametrize("rank", SHAPES)
@pytest.mark.parametrize("start", [0, 1, -2])
def test_a_box_is_loaded(rank: int, start: int) -> None:
    shape, box = SHAPES[rank]
    x = RNG.standard_normal(shape).astype(np.float32)
    at = tuple(start * (axis + 1) % (size + 3) if start > 0 else start for axis, size in enumerate(shape))
    content = box_of(x, box, at)
    out = unwritten(content.nbytes, np.uint8)
    assert run("tma", "load_box", x, Layout(x, box).numbers(), where(at[::-1]), out) is None
    np.testing.assert_array_equal(out, swizzled(content, 0))


@pytest.mark.parametrize("swizzle", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32])
def test_a_box_is_swizzled(swizzle: int, dtype: type) -> None:
    columns = SPANS[swizzle] // np.dtype(dtype).itemsize
    x = RNG.integers(0, 100, (24, columns + 16)).astype(dtype)
    box, at = (20, columns), (6, 16)
    content = box_of(x, box, at)
    out = unwritten(content.nbytes, np.uint8)
    assert run("tma", "load_box", x, Layout(x, box, swizzle).numbers(), where(at[::-1]), out) is None
    np.testing.assert_array_equal(out, swizzled(content, swizzle))


@pytest.mark.parametrize("swizzle", [0, 3])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("adds", [False, True])
def test_a_box_is_stored_inside_the_tensor(swizzle: int, rank: int, adds: bool) -> None:
    shape, box = (3, 7, 48)[3 - rank :], (2, 8, 32)[3 - rank :]
    x = RNG.integers(0, 100, shape).astype(np.float32)
    at = (-1, 3, 20)[3 - rank :]
    content = RNG.integers(0, 100, box).astype(np.float32)
    expected = x.copy()
    for index in np.ndindex(*box):
        position = tuple(start + i for start, i in zip(at, index, strict=True))
        if all(0 <= p < size for p, size in zip(position, shape, strict=True)):
            expected[position] = content[index] + (x[position] if adds else 0)
    assert run("tma", "store_box", x, Layout(x, box, swizzle).numbers(), where(at[::-1]), swizzled(content, swizzle), adds) is None
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("dtype", [np.float16])
def test_halves_are_added(dtype: type) -> None:
    x, more = RNG.standard_normal(64).astype(dtype), RNG.standard_normal(64).astype(dtype)
    expected = x + more
    assert run("tma", "store_box", x, Layout(x, (64,)).numbers(), where((0,)), more, 1) is None
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "tap", "first"),
    [(1, 1, 1, (0, 0), 0), (1, 1, 1, (2, 1), 5), (2, 1, 1, (1, 2), 3), (1, 2, 2, (2, 2), 0)],
)
def test_pixels_of_a_convolution(stride: int, padding: int, dilation: int, tap: tuple[int, int], first: int) -> None:
    """The rows of an im2col matrix: output pixel p of all images reads the input at stride * p + dilation * tap - padding."""
    images, height, width, channels, pixels = 2, 6, 7, 16, 24
    x = RNG.standard_normal((images, height, width, channels)).astype(np.float32)
    lower, upper = (-padding, -padding), (padding - 2 * dilation, padding - 2 * dilation)
    layout = Layout(x, im2col=Im2col(lower, upper, (stride, stride), 8, pixels))
    rows, columns = ((size + 2 * padding - 2 * dilation - 1) // stride + 1 for size in (height, width))
    expected = np.zeros((pixels, 8), np.float32)
    for i in range(pixels):
        image, rest = divmod(first + i, rows * columns)
        row, column = divmod(rest, columns)
        h, w = stride * row - padding + dilation * tap[0], stride * column - padding + dilation * tap[1]
        if image < images and 0 <= h < height and 0 <= w < width:
            expected[i] = x[image, h, w, 8:]
    row, column = divmod(first, columns)
    at = where((8, stride * column - padding, stride * row - padding, 0), (dilation * tap[1], dilation * tap[0]))
    out = unwritten(expected.shape)
    assert run("tma", "load_box", x, layout.numbers(), at, out) is None
    np.testing.assert_array_equal(out, expected)


def test_a_load_for_two_blocks() -> None:
    x, out = RNG.standard_normal(64).astype(np.float32), unwritten((2, 64))
    assert run("tma", "load_multicast", x, out) is None
    np.testing.assert_array_equal(out, np.stack([x, x]))


@pytest.mark.parametrize("adds", [0, 1])
def test_plain_bytes_go_to_the_other_block_and_out(adds: int) -> None:
    x, out = RNG.standard_normal((2, 32)).astype(np.float32), np.ones((2, 32), np.float32)
    assert run("tma", "copy_plain", x, out, adds) is None
    np.testing.assert_array_equal(out, x[::-1] + np.float32(adds))


@pytest.mark.parametrize("seed", range(4))
def test_in_any_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PYENGINE_SIMULATOR_SEED", str(seed))
    test_a_load_for_two_blocks()
    test_plain_bytes_go_to_the_other_block_and_out(0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": [0]}, "element type 0 is not one of TMA's"),
        ({"rank": [6]}, "rank 6; must be 1 to 5"),
        ({"sizes": [0, 1, 1, 1, 1]}, "dimension 0 has size 0; must be 1 to 2^32"),
        ({"strides": [4, 40, 0, 0, 0]}, "dimension 1 has stride 40 bytes; must be a multiple of 16, below 2^40"),
        ({"box": [16, 300, 1, 1, 1]}, "dimension 1 of the box has size 300; must be 1 to 256"),
        ({"box": [3, 1, 1, 1, 1]}, "a row of the box has 12 bytes; must be a multiple of 16"),
        ({"swizzle": [1]}, "a row of the box has 64 bytes; must have the 32 of the swizzle"),
        ({"im2col": [1]}, "im2col of rank 2; must be 3 to 5"),
    ],
)
def test_maps_that_the_driver_would_refuse(changes: dict[str, list[int]], message: str) -> None:
    x = np.zeros((8, 16), np.float32)
    said = run("tma", "load_box", x, Layout(x, (8, 16), changes=changes).numbers(), where((0, 0)), unwritten(512, np.uint8))
    assert said == f"tensor map: {message}"
