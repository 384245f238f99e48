"""Transforms: each against its definition, image by image; seeded; NumPy in, NumPy out, Tensor in, Tensor out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine.data import transforms as T

ALL = [
    T.Normalize(0.5, 0.25),
    T.RandomHorizontalFlip(),
    T.RandomCrop(6, padding=2),
    T.RandomAffine(degrees=20, translate=0.1, scale=(0.8, 1.2), shear=5),
    T.RandomErasing(),
    T.Cutout(3),
    T.Compose(T.RandomHorizontalFlip(), T.RandomAffine(degrees=5)),
]


def images(count: int = 16, channels: int = 2, height: int = 9, width: int = 7) -> Any:
    return np.random.default_rng(1).random((count, channels, height, width), np.float32) + np.float32(0.01)


def name_of(transform: Any) -> str:
    return type(transform).__name__


@pytest.mark.parametrize("transform", ALL, ids=name_of)
def test_every_transform_is_seeded_keeps_dtype_and_leaves_its_input_alone(transform: Any) -> None:
    x = images()
    before = x.copy()
    a, b, c = (transform(x, rng=np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(a, b)
    assert isinstance(transform, T.Normalize) or not np.array_equal(a, c)
    assert a.dtype == np.float32
    assert len(a) == len(x)
    assert np.isfinite(a).all()
    np.testing.assert_array_equal(x, before)
    assert not np.shares_memory(a, x)


@pytest.mark.parametrize("transform", ALL, ids=name_of)
def test_every_transform_takes_targets_tensors_and_empty_batches(transform: Any) -> None:
    x, y = images(), np.arange(16)
    out, targets = transform(x, y, rng=np.random.default_rng(0))
    assert targets is y
    tensor = transform(pe.asarray(x), rng=np.random.default_rng(0))
    assert isinstance(tensor, pe.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), out)
    assert len(transform(x[:0], rng=np.random.default_rng(0))) == 0


@pytest.mark.parametrize("transform", ALL[:-1], ids=name_of)
def test_what_is_no_batch_of_images_is_refused(transform: Any) -> None:
    for wrong in (images()[0], (255 * images()).astype(np.uint8)):
        with pytest.raises(ValueError, match=f"{name_of(transform)}: not a batch of images"):
            transform(wrong)


def test_normalize() -> None:
    x = images()
    np.testing.assert_allclose(T.Normalize((0.5, 0.25), (2.0, 4.0))(x)[:, 1], (x[:, 1] - 0.25) / 4, rtol=1e-6)
    with pytest.raises(ValueError, match="3 means"):
        T.Normalize((0.1, 0.2, 0.3), 1.0)(x)
    with pytest.raises(ValueError, match="positive"):
        T.Normalize(0.0, 0.0)


def test_flip_mirrors_some_whole_images() -> None:
    x = images(200)
    out = T.RandomHorizontalFlip(0.3)(x, rng=np.random.default_rng(0))
    mirrored = np.array([np.array_equal(a, b[:, :, ::-1]) for a, b in zip(out, x, strict=True)])
    kept = np.array([np.array_equal(a, b) for a, b in zip(out, x, strict=True)])
    assert (mirrored ^ kept).all()
    assert abs(mirrored.mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 200)  # five standard deviations
    with pytest.raises(ValueError, match="not a probability"):
        T.RandomHorizontalFlip(1.5)


def test_crop_is_a_window_of_the_padded_image_and_reaches_every_place() -> None:
    x = images(300)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-1)
    out = T.RandomCrop((9, 7), padding=1, fill=-1)(x, rng=np.random.default_rng(0))
    places = set()
    for image, whole in zip(out, padded, strict=True):
        found = [(i, j) for i in range(3) for j in range(3) if np.array_equal(image, whole[:, i : i + 9, j : j + 7])]
        assert len(found) == 1
        places.add(found[0])
    assert len(places) == 9
    with pytest.raises(ValueError, match="larger than the image"):
        T.RandomCrop(12, padding=1)(x)


def _affine_by_definition(image: Any, angle: float, scale: float, shear: float, shift: tuple[float, float], fill: float) -> Any:
    """Each output pixel by the formula in RandomAffine's docstring, in float64, with bilinear weights written out."""
    _, height, width = image.shape
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = scale * rotation @ np.array([[1, np.tan(shear)], [0, 1]])  # acts on (column, row)
    inverse, centre = np.linalg.inv(matrix), np.array([(width - 1) / 2, (height - 1) / 2])
    out = np.empty(image.shape)
    for row in range(height):
        for column in range(width):
            x, y = inverse @ (np.array([column, row]) - centre - np.array(shift)[::-1]) + centre
            total = 0.0
            for j in (np.floor(y), np.floor(y) + 1):
                for i in (np.floor(x), np.floor(x) + 1):
                    inside = 0 <= j < height and 0 <= i < width
                    pixel = image[:, int(j), int(i)].astype(np.float64) if inside else fill
                    total = total + (1 - abs(y - j)) * (1 - abs(x - i)) * pixel
            out[:, row, column] = total
    return out


@pytest.mark.parametrize("fill", [0.0, 0.7])
def test_affine_by_its_definition(fill: float) -> None:
    x = images(12)
    transform = T.RandomAffine(degrees=40, translate=0.2, scale=(0.7, 1.4), shear=10, fill=fill)
    out = transform(x, rng=np.random.default_rng(5))
    rng = np.random.default_rng(5)
    angle, scale, shear = np.deg2rad(rng.uniform(-40, 40, 12)), rng.uniform(0.7, 1.4, 12), np.deg2rad(rng.uniform(-10, 10, 12))
    shift = rng.uniform(-0.2, 0.2, (2, 12)) * np.array([[9], [7]])
    for i in range(12):
        wanted = _affine_by_definition(x[i], angle[i], scale[i], shear[i], (shift[0, i], shift[1, i]), fill)
        # A coordinate below 16 is off by a few units in float32's last place, 16 * 2**-24; a step of 1 changes a pixel by 1.01 at most.
        np.testing.assert_allclose(out[i], wanted, atol=4 * 16 * 2.0**-24 * 2 * 1.01 + 8 * 2.0**-24)


def test_affine_that_does_nothing_changes_nothing() -> None:
    np.testing.assert_array_equal(T.RandomAffine()(images()), images())


def test_a_positive_translation_moves_down_and_right_by_whole_pixels() -> None:
    x = np.zeros((1, 1, 5, 5), np.float32)
    x[0, 0, 2, 2] = 1
    out = T._resample(x, *(np.array([[1.0], [0.0]]), np.array([[0.0], [1.0]])), np.array([[1.0], [2.0]]), 0.0)
    assert out[0, 0, 3, 4] == 1
    assert out.sum() == 1


def _erased(out: Any, x: Any) -> Any:
    """The erased pixels of each image, as its rows and columns; checks that they are a rectangle in all channels."""
    changed = out != x
    assert (changed.all(axis=1) == changed.any(axis=1)).all()
    mask = changed[:, 0]
    rows, columns = mask.any(axis=2), mask.any(axis=1)
    assert (mask == rows[:, :, None] & columns[:, None, :]).all()
    return rows.sum(axis=1), columns.sum(axis=1)


def test_erasing_sets_rectangles_of_the_sizes_asked_for() -> None:
    x = images(400, height=20, width=20)
    rows, columns = _erased(T.RandomErasing(0.5, (0.1, 0.2), (0.5, 2.0))(x, rng=np.random.default_rng(0)), x)
    erased = rows > 0
    assert abs(erased.mean() - 0.5) < 5 * 0.5 / np.sqrt(400)
    area = (rows * columns)[erased] / 400
    assert area.min() > 0.1 * 0.8
    assert area.max() < 0.2 * 1.2
    ratio = rows[erased] / columns[erased]
    assert ratio.min() > 0.4
    assert ratio.max() < 2.5
    assert ratio.min() < 0.7
    assert ratio.max() > 1.4


def test_cutout_sets_squares_cut_at_the_border() -> None:
    x = images(400)
    rows, columns = _erased(T.Cutout(4, value=-1)(x, rng=np.random.default_rng(0)), x)
    assert rows.max() == columns.max() == 4
    assert rows.min() == columns.min() == 2


def test_mixup_mixes_images_and_labels_with_one_share() -> None:
    x, y = images(), np.arange(16) % 3
    mixed, soft = T.MixUp(0.4, 3)(x, y, rng=np.random.default_rng(2))
    rng = np.random.default_rng(2)
    share, partner = np.float32(rng.beta(0.4, 0.4)), rng.permutation(16)
    np.testing.assert_allclose(mixed, share * x + (1 - share) * x[partner], rtol=1e-6)
    np.testing.assert_allclose(soft, share * np.eye(3)[y] + (1 - share) * np.eye(3)[y[partner]], rtol=1e-6)
    np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-6)
    for wrong in (np.arange(16), -np.ones(16, np.int64), y[:3]):
        with pytest.raises(ValueError, match="MixUp: labels"):
            T.MixUp(0.4, 3)(x, wrong)


def test_compose_hands_targets_through_mixup() -> None:
    x, y = images(), np.arange(16) % 3
    out, soft = T.Compose(T.RandomHorizontalFlip(), T.MixUp(1.0, 3))(x, y, rng=np.random.default_rng(0))
    assert out.shape == x.shape
    assert soft.shape == (16, 3)
