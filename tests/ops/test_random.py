"""Random numbers: the words against the published ones, the numbers against the words, the same bits everywhere, and their statistics.

Seeds are fixed, so no test is flaky; thresholds are still derived, each for a chance of one in 10^9 that a correct generator exceeds it.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import pyengine as pe
from pyengine import _engine
from tests import tolerance
from tests.floats import FLOATS, each_level, numpy_of

CHANCE = 1e-9
SIGMAS = 6.2  # a normal deviate exceeds it with about that chance
N = 200_000

Words = npt.NDArray[np.uint64]


# An independent Philox, in NumPy ----------------------------------------------------------------------------------------------------------


def philox4x32(counter: Words, key: tuple[int, int]) -> Words:
    """Ten rounds; counter (..., 4), of 32-bit words (Salmon et al., SC 2011, section 3.3)."""
    mask, (k0, k1) = np.uint64(0xFFFFFFFF), key
    c = counter.astype(np.uint64)
    for _ in range(10):
        p0, p1 = c[..., 0] * np.uint64(0xD2511F53), c[..., 2] * np.uint64(0xCD9E8D57)
        high0, high1 = p0 >> np.uint64(32), p1 >> np.uint64(32)
        c = np.stack([high1 ^ c[..., 1] ^ np.uint64(k0), p1 & mask, high0 ^ c[..., 3] ^ np.uint64(k1), p0 & mask], axis=-1)
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return c


# Known answers: the file kat_vectors of Random123 (D. E. Shaw Research, https://www.thesalmons.org/john/random123/), philox4x32 10.
KNOWN = [
    ("00000000 00000000 00000000 00000000 00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@pytest.mark.parametrize(("given", "expected"), KNOWN)
def test_known_answers(given: str, expected: str) -> None:
    numbers = [int(word, 16) for word in given.split()]
    words = philox4x32(np.array(numbers[:4], np.uint64), (numbers[4], numbers[5]))
    assert " ".join(f"{int(word):08x}" for word in words) == expected


def words32(n: int, seed: int, offset: int, stream: int = 0) -> Words:
    """Words offset to offset + n of a stream: position p is word p % 4 of block p // 4."""
    first, last = offset // 4, (offset + n + 3) // 4
    blocks = np.arange(first, last, dtype=np.uint64)
    counter = np.zeros((len(blocks), 4), np.uint64)
    counter[:, 0], counter[:, 1], counter[:, 2] = blocks & np.uint64(0xFFFFFFFF), blocks >> np.uint64(32), stream
    return philox4x32(counter, (seed % 2**32, seed >> 32)).reshape(-1)[offset - 4 * first :][:n]


def words64(n: int, seed: int, offset: int) -> Words:
    words = words32(2 * n, seed, 2 * offset, stream=1)
    return words[0::2] | words[1::2] << np.uint64(32)


DRAWS = [(0, 0, 100), (2**64 - 1, 3, 257), (12345678901234567, 2**40 + 61, 1000)]


@pytest.mark.parametrize(("seed", "offset", "n"), DRAWS)
def test_uniform_is_made_of_the_high_bits(seed: int, offset: int, n: int) -> None:
    for _ in each_level():
        for dtype, digits in (("float16", 11), ("bfloat16", 8), ("float32", 24)):
            expected = (words32(n, seed, offset) >> np.uint64(32 - digits)) / 2.0**digits
            np.testing.assert_array_equal(
                numpy_of(pe.Tensor(_engine.random_uniform((n,), getattr(pe, dtype), seed, offset, pe.get_default_device()))), expected
            )
        expected = (words64(n, seed, offset) >> np.uint64(11)) / 2.0**53
        np.testing.assert_array_equal(
            numpy_of(pe.Tensor(_engine.random_uniform((n,), pe.float64, seed, offset, pe.get_default_device()))), expected
        )


@pytest.mark.parametrize(("seed", "offset", "n"), DRAWS)
def test_normal_is_box_muller(seed: int, offset: int, n: int) -> None:
    """sqrt(-2 log u) (cos t, sin t). Errors: u and t are rounded, log and the square root are relative, cos and sin absolute to the radius.

    u's rounding moves log u by u, which matters where log u is near 0: the radius moves by u / radius, at most sqrt(u).
    """
    first = offset - offset % 4
    count = -(-(offset + n - first) // 4) * 4
    pairs32 = words32(count, seed, first).reshape(-1, 2).astype(np.float64)
    u32, turns32 = (pairs32[:, 0] + 0.5) / 2**32, pairs32[:, 1] / 2**32
    pairs64 = words64(count, seed, first).reshape(-1, 2)
    u64, turns64 = ((pairs64[:, 0] >> np.uint64(11)) + 0.5) / 2**53, pairs64[:, 1] / 2.0**64
    for dtype in FLOATS:
        u, turns = (u64, turns64) if dtype == "float64" else (u32, turns32)
        radius = np.sqrt(-2 * np.log(u))
        pair = np.stack([radius * np.cos(2 * np.pi * turns), radius * np.sin(2 * np.pi * turns)], axis=-1)
        expected, scale = pair.reshape(-1)[offset - first :][:n], np.repeat(radius, 2)[offset - first :][:n]
        unit = tolerance.computed_in(dtype).unit_roundoff
        bound = tolerance.roundings(scale, expected, 12, dtype) + 2 * np.minimum(2 * unit / np.maximum(scale, 1e-300), np.sqrt(2 * unit))
        for _ in each_level():
            got = numpy_of(pe.Tensor(_engine.random_normal((n,), getattr(pe, dtype), seed, offset, pe.get_default_device())))
            tolerance.assert_within(got, expected, bound, dtype)


@pytest.mark.parametrize(("seed", "offset", "n"), DRAWS)
def test_integers_are_the_high_half_of_a_product(seed: int, offset: int, n: int) -> None:
    words = words64(n, seed, offset)
    for _ in each_level():
        for low, high, dtype in ((0, 10, "int64"), (-7, 8, "int8"), (-(2**63), 2**63, "int64"), (0, 2**64, "uint64"), (5, 2**40, "int64")):
            expected = [low + (int(word) * (high - low) >> 64) for word in words]
            generator = pe.Generator(seed)
            generator.set_state((seed, offset))
            assert pe.randint(low, high, n, dtype=dtype, generator=generator).tolist() == expected


@pytest.mark.parametrize("draw", [pe.rand, pe.randn], ids=["rand", "randn"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_same_bits_at_every_level_and_for_any_number_of_threads(draw: Any, dtype: str) -> None:
    bits = set()
    for _ in each_level():
        for threads in (1, 2, 3):
            _engine.set_thread_count(threads)
            generator = pe.Generator(7)
            generator.advance(5)
            bits.add(numpy_of(draw(40_001, dtype=dtype, generator=generator)).tobytes())
    assert len(bits) == 1


@pytest.mark.parametrize("device", pe.available_devices()[1:])
@pytest.mark.parametrize(
    ("draw", "dtype"),
    [
        *((draw, dtype) for draw in (pe.rand, pe.randn) for dtype in FLOATS),
        *((partial(pe.randint, -5, 100), dtype) for dtype in ("int8", "int64")),
        *((partial(pe.bernoulli, 0.3), dtype) for dtype in ("bool", "int16", "float32")),
    ],
)
def test_same_bits_on_every_device(draw: Any, dtype: str, device: str) -> None:
    """For counts about those of a block of words and a block of threads, from any offset, the highest included."""
    for n, offset in ((1, 0), (2, 3), (513, 1), (5_001, 2**33 + 2), (7, 2**64 - 3)):
        drawn = []
        for where in ("cpu", device):
            generator = pe.Generator()
            generator.set_state((7, offset))
            drawn.append(numpy_of(draw((n,), dtype=dtype, generator=generator, device=where).to("cpu")))
        np.testing.assert_array_equal(*(x.view(np.uint8) for x in drawn))


@pytest.mark.parametrize("dtype", FLOATS)
def test_an_element_depends_on_its_position_alone(dtype: str) -> None:
    for _ in each_level():
        for kernel in (_engine.random_uniform, _engine.random_normal):
            whole = numpy_of(pe.Tensor(kernel((500,), getattr(pe, dtype), 3, 0, pe.get_default_device())))
            for start, n in ((0, 1), (1, 1), (63, 2), (64, 64), (130, 300)):
                np.testing.assert_array_equal(
                    numpy_of(pe.Tensor(kernel((n,), getattr(pe, dtype), 3, start, pe.get_default_device()))), whole[start : start + n]
                )


# Statistics -------------------------------------------------------------------------------------------------------------------------------


def assert_distribution(x: npt.NDArray[np.float64], cdf: npt.NDArray[np.float64]) -> None:
    """Kolmogorov and Smirnov: the empirical cdf is d from the true one with chance 2 exp(-2 n d^2) (Massart)."""
    ranks = np.arange(1, len(x) + 1) / len(x)
    distance = max(np.abs(ranks - cdf).max(), np.abs(ranks - 1 / len(x) - cdf).max())
    assert distance < math.sqrt(math.log(2 / CHANCE) / (2 * len(x)))


def assert_moments(x: npt.NDArray[np.float64], moments: list[float]) -> None:
    """Moments 1 to 4 of n numbers have standard errors sqrt((m_2k - m_k^2) / n)."""
    for k in range(1, 5):
        error = math.sqrt((moments[2 * k - 1] - moments[k - 1] ** 2) / len(x))
        assert abs((x**k).mean() - moments[k - 1]) < SIGMAS * error


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_statistics(dtype: str) -> None:
    pe.manual_seed(1)
    u = np.sort(numpy_of(pe.rand(N, dtype=dtype)))
    assert_distribution(u, u)
    assert_moments(u, [1 / (k + 1) for k in range(1, 9)])
    z = np.sort(numpy_of(pe.randn(N, dtype=dtype)))
    assert_distribution(z, np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in z]))
    assert_moments(z, [0, 1, 0, 3, 0, 15, 0, 105])


def test_neighbours_and_pairs_are_uncorrelated() -> None:
    """The correlation of n independent numbers with others has standard deviation 1 / sqrt(n)."""
    for draw in (pe.rand, pe.randn):
        x = numpy_of(draw(N, generator=pe.Generator(2)))
        x = (x - x.mean()) / x.std()
        others = [numpy_of(draw(N, generator=pe.Generator(3))), numpy_of(draw(N, dtype="float64", generator=pe.Generator(2)))]
        for y in (*(np.roll(x, lag) for lag in (1, 2, 3, 4, 64)), *((o - o.mean()) / o.std() for o in others)):
            assert abs((x * y).mean()) < SIGMAS / math.sqrt(N)


def test_integers_are_equally_likely() -> None:
    """Counts in 10 classes have variance n p (1 - p)."""
    counts = np.bincount(pe.randint(0, 10, N, generator=pe.Generator(4)).numpy(), minlength=10)
    assert np.abs(counts - N / 10).max() < SIGMAS * math.sqrt(N * 0.1 * 0.9)


@pytest.mark.parametrize("p", [0.0, 1e-3, 0.3, 0.5, 1.0])
def test_bernoulli(p: float) -> None:
    margin = SIGMAS * math.sqrt(N * p * (1 - p))
    for _ in each_level():
        for dtype in ("bool", "uint8", "float16", "float32", "float64"):
            hits = numpy_of(pe.bernoulli(p, N, dtype=dtype, generator=pe.Generator(5)))
            assert set(np.unique(hits)) <= {0.0, 1.0}
            assert abs(hits.sum() - N * p) <= margin
    probabilities = pe.full(N, p)
    assert abs(numpy_of(pe.bernoulli(probabilities, generator=pe.Generator(6))).sum() - N * p) <= margin


def test_permutations() -> None:
    """Each of the 6 orders of 3 things, equally often; and long ones hold every index once."""
    generator = pe.Generator(7)
    for n in (0, 1, 2, 1000):
        assert sorted(pe.randperm(n, generator=generator).tolist()) == list(range(n))
    draws = 6000
    orders = [tuple(pe.randperm(3, generator=generator).tolist()) for _ in range(draws)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert max(abs(count - draws / 6) for count in counts) < SIGMAS * math.sqrt(draws * 5 / 36)


# Generators and ops -----------------------------------------------------------------------------------------------------------------------


def test_generator_state() -> None:
    generator = pe.Generator(9)
    generator.advance(3)
    state = generator.get_state()
    assert state == (9, 3)
    a = pe.rand(5, generator=generator).tolist()
    assert generator.get_state() == (9, 8)
    generator.set_state(state)
    assert pe.rand((5,), generator=generator).tolist() == a
    assert pe.rand(5, generator=generator).tolist() != a
    pe.manual_seed(9)
    pe.rand(3)
    assert pe.rand(5).tolist() == a
    with pe.ops.random.replay(state):
        assert pe.rand(5).tolist() == a
    assert pe.ops.random.get_state() == (9, 8)


def test_uniform_and_normal_are_shifted_and_scaled() -> None:
    u = pe.rand(100, generator=pe.Generator(1)).numpy()
    np.testing.assert_array_equal(pe.uniform(100, -2.0, 6.0, generator=pe.Generator(1)).numpy(), u * np.float32(8) - np.float32(2))
    z = pe.randn(100, generator=pe.Generator(1)).numpy()
    np.testing.assert_array_equal(pe.normal((100,), 1.0, 4.0, generator=pe.Generator(1)).numpy(), z * np.float32(4) + np.float32(1))


def test_dropout() -> None:
    x = pe.asarray(np.random.default_rng(0).standard_normal((300, 400)), requires_grad=True)
    pe.manual_seed(0)
    y = pe.dropout(x, 0.25)
    kept = y.detach().numpy() != 0
    assert abs(kept.sum() - 0.75 * kept.size) < SIGMAS * math.sqrt(kept.size * 0.25 * 0.75)
    np.testing.assert_array_equal(y.detach().numpy(), np.where(kept, x.detach().numpy() * (1 / 0.75), 0.0))
    pe.sum(y).backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), np.where(kept, 1 / 0.75, 0.0))
    pe.manual_seed(0)
    np.testing.assert_array_equal(pe.dropout(x, 0.25).detach().numpy(), y.detach().numpy())
    assert pe.dropout(x, 0.25, training=False) is x
    assert pe.dropout(x, 0.0) is x
    assert not pe.any(pe.dropout(x, 1.0)).item()


def test_errors() -> None:
    with pytest.raises(ValueError, match="randint: no integers: low 3, high 3"):
        pe.randint(3, 3, 2)
    with pytest.raises(ValueError, match=r"randint: out of range: \[0, 257\) in pyengine\.uint8"):
        pe.randint(0, 257, 2, dtype="uint8")
    with pytest.raises(ValueError, match=r"bernoulli: not a probability: 1.5; must be in \[0, 1\]"):
        pe.bernoulli(1.5, 3)
    with pytest.raises(ValueError, match="bernoulli: not probabilities"):
        pe.bernoulli(pe.asarray([0.5, math.nan]))
    with pytest.raises(ValueError, match="dropout: not a probability: nan"):
        pe.dropout(pe.ones(3), math.nan)
    with pytest.raises(TypeError, match=r"dropout: dtype is not floating: pyengine\.int64"):
        pe.dropout(pe.asarray([1, 2]), 0.5)
    with pytest.raises(ValueError, match="uniform: bounds out of order"):
        pe.uniform(3, 1.0, 0.0)
    with pytest.raises(ValueError, match="normal: negative standard deviation"):
        pe.normal(3, 0.0, -1.0)
    with pytest.raises(ValueError, match="negative size"):
        pe.rand(-1)
