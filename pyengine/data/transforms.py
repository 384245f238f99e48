"""Augmentation of whole batches: images (N, C, H, W), float, in and out; every random choice comes from the generator passed in.

    augment = Compose(RandomAffine(degrees=10, translate=0.07, scale=(0.9, 1.1)), Normalize(0.1307, 0.3081))
    augmented = augment(images, rng=np.random.default_rng(0))
    augmented, labels = augment(images, labels, rng=rng)

A transform of images hands targets on untouched; MixUp changes both. NumPy arrays come back as NumPy arrays, Tensors as Tensors. A
``DataLoader`` passes a generator made from (seed, epoch, batch), so a batch is the same in every run, whatever thread makes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pyengine.creation import asarray

Images = npt.NDArray[np.floating[Any]]
Generator = np.random.Generator


class Transform:
    """Changes the images of a batch; a subclass defines ``apply``."""

    def __call__(self, images: Any, *targets: Any, rng: Generator | None = None) -> Any:
        out = self.apply(_checked(type(self).__name__, images), np.random.default_rng() if rng is None else rng)
        out = _like(images, out)
        return (out, *targets) if targets else out

    def apply(self, images: Images, rng: Generator) -> Images:
        raise NotImplementedError


class Compose:
    """The transforms one after another."""

    def __init__(self, *transforms: Callable[..., Any]) -> None:
        self.transforms = transforms

    def __call__(self, images: Any, *targets: Any, rng: Generator | None = None) -> Any:
        generator = np.random.default_rng() if rng is None else rng
        batch = (images, *targets)
        for transform in self.transforms:
            out = transform(*batch, rng=generator)
            batch = out if targets else (out,)
        return batch if targets else batch[0]


class Normalize(Transform):
    """y = (x - mean) / std, with one mean and std for all channels, or one for each."""

    def __init__(self, mean: float | tuple[float, ...], std: float | tuple[float, ...]) -> None:
        self.mean = np.asarray(mean, np.float32).reshape(-1, 1, 1)
        self.std = np.asarray(std, np.float32).reshape(-1, 1, 1)
        if not (self.std > 0).all():
            raise ValueError(f"Normalize: std must be positive: {std}")

    def apply(self, images: Images, rng: Generator) -> Images:
        channels = images.shape[1]
        if {self.mean.size, self.std.size} - {1, channels}:
            raise ValueError(
                f"Normalize: {self.mean.size} means and {self.std.size} deviations for {channels} channels; 1 or {channels} expected"
            )
        return ((images - self.mean) / self.std).astype(images.dtype, copy=False)


class RandomHorizontalFlip(Transform):
    """Mirrors each image, left to right, with probability ``p``."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = _probability("RandomHorizontalFlip", p)

    def apply(self, images: Images, rng: Generator) -> Images:
        mirrored = rng.random(len(images)) < self.p
        return np.where(mirrored[:, None, None, None], images[..., ::-1], images)


class RandomCrop(Transform):
    """A window of ``size`` (height, width) at a random place of each image, after ``padding`` pixels of ``fill`` were put around it."""

    def __init__(self, size: int | tuple[int, int], padding: int = 0, fill: float = 0.0) -> None:
        self.size = (size, size) if isinstance(size, int) else size
        self.padding, self.fill = padding, fill

    def apply(self, images: Images, rng: Generator) -> Images:
        border = (self.padding, self.padding)
        padded = np.pad(images, ((0, 0), (0, 0), border, border), constant_values=self.fill)
        rows, columns = padded.shape[2] - self.size[0] + 1, padded.shape[3] - self.size[1] + 1
        if min(rows, columns) < 1:
            raise ValueError(
                f"RandomCrop: window larger than the image: size {self.size}, padded image {padded.shape[2:]}; size <= padded image"
            )
        top, left = rng.integers(rows, size=len(images)), rng.integers(columns, size=len(images))
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.size, axis=(2, 3))
        return np.ascontiguousarray(windows[np.arange(len(images)), :, top, left])


class RandomAffine(Transform):
    """Rotates, scales, shears and shifts each image about its centre; bilinear, ``fill`` outside.

    The output at p is the input at c + A⁻¹ (p - c - t), with A = s R(θ) K(φ): θ uniform in ±``degrees``, s uniform in ``scale``, the
    shear angle φ uniform in ±``shear`` degrees, and t uniform in ±``translate`` times the image's height and width.

    Source: P. Simard, D. Steinkraus, J. Platt, "Best practices for convolutional neural networks applied to visual document analysis",
    ICDAR 2003, section 2.
    """

    def __init__(
        self, degrees: float = 0.0, translate: float = 0.0, scale: tuple[float, float] = (1.0, 1.0), shear: float = 0.0, fill: float = 0.0
    ) -> None:
        if not 0 < scale[0] <= scale[1]:
            raise ValueError(f"RandomAffine: scale must be (low, high) with 0 < low <= high: {scale}")
        self.degrees, self.translate, self.scale, self.shear, self.fill = degrees, translate, scale, shear, fill

    def apply(self, images: Images, rng: Generator) -> Images:
        count, _, height, width = images.shape
        angle = np.deg2rad(rng.uniform(-self.degrees, self.degrees, count))
        scale = rng.uniform(*self.scale, count)
        shear = np.tan(np.deg2rad(rng.uniform(-self.shear, self.shear, count)))
        shift = rng.uniform(-self.translate, self.translate, (2, count)) * np.array([[height], [width]])
        cos, sin = np.cos(angle), np.sin(angle)
        # Rows of A⁻¹ = K(-φ) R(-θ) / s, in (row, column) coordinates.
        column_from = np.stack([(sin - shear * cos) / scale, (cos + shear * sin) / scale])
        row_from = np.stack([cos / scale, -sin / scale])
        return _resample(images, row_from, column_from, shift, self.fill)


def _resample(images: Images, row_from: Images, column_from: Images, shift: Images, fill: float) -> Images:
    """Bilinear samples of each image at an affine grid; a border of ``fill`` stands for all that lies outside."""
    count, channels, height, width = images.shape
    v = np.arange(height)[:, None] - (height - 1) / 2 - shift[0]
    u = np.arange(width)[:, None] - (width - 1) / 2 - shift[1]
    rows, row_index = _grid((v * row_from[0]).T, (u * row_from[1]).T, height)
    columns, column_index = _grid((v * column_from[0]).T, (u * column_from[1]).T, width)
    padded = np.pad(images, ((0, 0), (0, 0), (1, 2), (1, 2)), constant_values=fill)
    line = width + 3
    index = (row_index * line + column_index)[:, None] + (np.arange(count * channels) * (height + 3) * line).reshape(count, channels, 1, 1)
    pixels = padded.reshape(-1)
    upper = _mix(pixels.take(index), pixels.take(index + 1), columns)
    lower = _mix(pixels.take(index + line), pixels.take(index + line + 1), columns)
    return _mix(upper, lower, rows)


def _grid(along_rows: Images, along_columns: Images, size: int) -> tuple[Images, npt.NDArray[np.intp]]:
    """Coordinates (N, H, W) as a fraction (N, 1, H, W) and the index of the pixel before, counted in an image with one pixel of border."""
    position = along_rows.astype(np.float32)[:, :, None] + along_columns.astype(np.float32)[:, None, :]
    position += np.float32((size - 1) / 2 + 1)
    np.clip(position, 0, size + 1, out=position)
    before = position.astype(np.intp)
    position -= before
    return position[:, None], before


def _mix(a: Images, b: Images, weight: Images) -> Images:
    b -= a
    b *= weight
    b += a
    return b


class RandomErasing(Transform):
    """Sets a rectangle of each image to ``value``, with probability ``p``: its area a share in ``scale``, height over width in ``ratio``.

    Source: Z. Zhong et al., "Random erasing data augmentation", AAAI 2020, algorithm 1. A rectangle that would not fit is cut to the image
    in place of being drawn again.
    """

    def __init__(
        self, p: float = 0.5, scale: tuple[float, float] = (0.02, 0.33), ratio: tuple[float, float] = (0.3, 3.3), value: float = 0.0
    ) -> None:
        self.p, self.scale, self.ratio, self.value = _probability("RandomErasing", p), scale, ratio, value

    def apply(self, images: Images, rng: Generator) -> Images:
        count, _, height, width = images.shape
        area = rng.uniform(*self.scale, count) * height * width
        ratio = np.exp(rng.uniform(math.log(self.ratio[0]), math.log(self.ratio[1]), count))
        rows = np.clip(np.rint(np.sqrt(area * ratio)), 1, height).astype(np.int64)
        columns = np.clip(np.rint(np.sqrt(area / ratio)), 1, width).astype(np.int64)
        top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
        rows *= rng.random(count) < self.p
        return _fill_rectangles(images, top, top + rows, left, left + columns, self.value)


class Cutout(Transform):
    """Sets a square of ``size`` pixels, centred anywhere in each image, to ``value``; what lies outside the image is cut off.

    Source: T. DeVries, G. Taylor, "Improved regularization of convolutional neural networks with cutout", arXiv:1708.04552, 2017.
    """

    def __init__(self, size: int, value: float = 0.0) -> None:
        self.size, self.value = size, value

    def apply(self, images: Images, rng: Generator) -> Images:
        count, _, height, width = images.shape
        top, left = rng.integers(height, size=count) - self.size // 2, rng.integers(width, size=count) - self.size // 2
        return _fill_rectangles(images, top, top + self.size, left, left + self.size, self.value)


def _fill_rectangles(images: Images, top: Any, bottom: Any, left: Any, right: Any, value: float) -> Images:
    rows, columns = np.arange(images.shape[2]), np.arange(images.shape[3])
    inside_rows = (rows >= top[:, None]) & (rows < bottom[:, None])
    inside_columns = (columns >= left[:, None]) & (columns < right[:, None])
    inside = inside_rows[:, None, :, None] & inside_columns[:, None, None, :]
    return np.where(inside, images.dtype.type(value), images)


class MixUp:
    """x ← λ x + (1 - λ) x', y ← λ y + (1 - λ) y', each example with a random partner of its batch; λ ~ Beta(alpha, alpha), one for the
    batch.

    Labels come in as class numbers (N,) and leave as probabilities (N, classes), which ``cross_entropy`` takes.

    Source: H. Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018, equation 1.
    """

    def __init__(self, alpha: float, classes: int) -> None:
        if alpha <= 0:
            raise ValueError(f"MixUp: alpha must be positive: {alpha}")
        self.alpha, self.classes = alpha, classes

    def __call__(self, images: Any, labels: Any, *, rng: Generator | None = None) -> tuple[Any, Any]:
        x, y = _checked("MixUp", images), np.asarray(labels)
        if y.shape != x.shape[:1] or (y.size and not 0 <= y.min() <= y.max() < self.classes):
            raise ValueError(
                f"MixUp: labels {y.shape} for images {x.shape}; one class number in [0, {self.classes}) for each image expected"
            )
        generator = np.random.default_rng() if rng is None else rng
        share = np.float32(generator.beta(self.alpha, self.alpha))
        partner = generator.permutation(len(x))
        y = np.eye(self.classes, dtype=np.float32)[y]
        mixed = (share * a + (1 - share) * a[partner] for a in (x, y))
        return _like(images, next(mixed)), _like(labels, next(mixed))


def _checked(name: str, images: Any) -> Images:
    array = np.asarray(images)
    if array.ndim != 4 or not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"{name}: not a batch of images: shape {array.shape}, dtype {array.dtype}; (N, C, H, W) of a float dtype expected")
    return array


def _like(given: Any, array: npt.NDArray[Any]) -> Any:
    """The array as what came in: NumPy for NumPy, a Tensor on the same device for a Tensor."""
    if isinstance(given, np.ndarray):
        return array
    return asarray(array, device=given.device)


def _probability(name: str, p: float) -> float:
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: not a probability: {p}; 0 <= p <= 1")
    return p
