"""Random numbers: element i of a draw depends on (seed, offset + i), dtype and distribution alone.

The same numbers come out at every instruction-set level, on every device, and for any number of threads. Words are those of Philox4x32-10
(Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). A generator is nothing but a seed and an offset, the count of
elements drawn so far; without one, draws come from the default generator, which starts from seed 0.
"""

from __future__ import annotations

import math
import operator
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pyengine import _engine, creation, dtypes, ops
from pyengine.device import as_device
from pyengine.tensor import Tensor, as_tensor

__all__ = [
    "Generator",
    "bernoulli",
    "default_generator",
    "dropout",
    "manual_seed",
    "normal",
    "rand",
    "randint",
    "randn",
    "randperm",
    "uniform",
]

Shape = int | Sequence[int]


class Generator:
    """Where random numbers come from: a seed, and how many were drawn. Threads may share one."""

    def __init__(self, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> Generator:
        """Starts over from ``seed``, an integer modulo 2^64."""
        with self._lock:
            self._seed, self._offset = operator.index(seed) % 2**64, 0
        return self

    def get_state(self) -> tuple[int, int]:
        """(seed, offset): all there is to know."""
        with self._lock:
            return self._seed, self._offset

    def set_state(self, state: tuple[int, int]) -> None:
        """Goes on from where :meth:`get_state` was called."""
        seed, offset = state
        with self._lock:
            self._seed, self._offset = operator.index(seed) % 2**64, operator.index(offset) % 2**64

    @contextmanager
    def at(self, state: tuple[int, int]) -> Iterator[None]:
        """Draws inside start from ``state``; those after go on as if nothing had been drawn."""
        before = self.get_state()
        self.set_state(state)
        try:
            yield
        finally:
            self.set_state(before)

    def advance(self, count: int) -> tuple[int, int]:
        """The state before, and ``count`` elements further on: for an op that draws them."""
        with self._lock:
            state = self._seed, self._offset
            self._offset = (self._offset + count) % 2**64
        return state


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Starts the default generator over from ``seed``; returns it."""
    return default_generator.manual_seed(seed)


def get_state() -> tuple[int, int]:
    """The default generator's state: for :func:`replay`."""
    return default_generator.get_state()


@contextmanager
def replay(state: tuple[int, int]) -> Iterator[None]:
    """Draws inside come from ``state`` on, once more; afterwards the default generator goes on from where it was."""
    before = default_generator.get_state()
    default_generator.set_state(state)
    try:
        yield
    finally:
        default_generator.set_state(before)


def _sizes(shape: Any) -> tuple[int, ...]:
    return (operator.index(shape),) if not isinstance(shape, Sequence) else tuple(operator.index(size) for size in shape)


def _unpacked(shape: tuple[Any, ...]) -> tuple[int, ...]:
    """``rand(2, 3)`` and ``rand((2, 3))`` mean the same."""
    return _sizes(shape[0] if len(shape) == 1 else shape)


def _draw(
    kernel: Callable[..., _engine.Array],
    shape: tuple[int, ...],
    dtype: Any,
    generator: Generator | None,
    *parameters: Any,
    device: str | None = None,
) -> _engine.Array:
    if any(size < 0 for size in shape):
        raise ValueError(f"random: negative size: {shape}; every size must be at least 0")
    where = as_device("random", device)
    seed, offset = (generator or default_generator).advance(math.prod(shape))
    return kernel(shape, dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype), seed, offset, *parameters, where)


def rand(
    *shape: Any, dtype: Any = None, device: str | None = None, generator: Generator | None = None, requires_grad: bool = False
) -> Tensor:
    """Uniform numbers in [0, 1): multiples of 2^-24 in float32 (2^-53 in float64, 2^-11 in float16, 2^-8 in bfloat16)."""
    x = Tensor(_draw(_engine.random_uniform, _unpacked(shape), dtype, generator, device=device))
    x.requires_grad = requires_grad
    return x


def randn(
    *shape: Any, dtype: Any = None, device: str | None = None, generator: Generator | None = None, requires_grad: bool = False
) -> Tensor:
    """Normal numbers of mean 0 and variance 1 (Box and Muller 1958), up to 6.8 in magnitude in float32, 8.7 in float64.

    float16 and bfloat16 are those of float32, rounded.
    """
    x = Tensor(_draw(_engine.random_normal, _unpacked(shape), dtype, generator, device=device))
    x.requires_grad = requires_grad
    return x


def uniform(
    shape: Shape,
    low: float = 0.0,
    high: float = 1.0,
    *,
    dtype: Any = None,
    device: str | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """``low + (high - low) u`` with u as from :func:`rand`; rounding may give ``high`` itself. ValueError unless low <= high."""
    if not low <= high:
        raise ValueError(f"uniform: bounds out of order: low {low}, high {high}; low must not lie above high")
    return ops.add(ops.multiply(rand(_sizes(shape), dtype=dtype, device=device, generator=generator), high - low), low)


def normal(
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    *,
    dtype: Any = None,
    device: str | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """``mean + std z`` with z as from :func:`randn`. ValueError if ``std`` is negative."""
    if not std >= 0:
        raise ValueError(f"normal: negative standard deviation: {std}; must be at least 0")
    return ops.add(ops.multiply(randn(_sizes(shape), dtype=dtype, device=device, generator=generator), std), mean)


def randint(
    low: int,
    high: int,
    shape: Shape = (),
    *,
    dtype: Any = dtypes.int64,
    device: str | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Integers in [low, high), all equally likely (to within 2^-64). ValueError if there are none, or ``dtype`` does not hold them."""
    info, low, high = dtypes.iinfo(dtype), operator.index(low), operator.index(high)
    if not low < high:
        raise ValueError(f"randint: no integers: low {low}, high {high}; low must lie below high")
    if low < info.min or high - 1 > info.max:
        raise ValueError(f"randint: out of range: [{low}, {high}) in {info.dtype}; must lie in [{info.min}, {info.max + 1})")
    return Tensor(_draw(_engine.random_integers, _sizes(shape), dtype, generator, low % 2**64, (high - low) % 2**64, device=device))


def bernoulli(
    p: Any, shape: Shape | None = None, *, dtype: Any = None, device: str | None = None, generator: Generator | None = None
) -> Tensor:
    """1 with probability ``p``, else 0. One number p with a shape (the default dtype unless given), or a tensor of them, which has both.

    p counts in steps of 2^-32 (of its uniform numbers' steps, where it is a tensor). ValueError unless p lies in [0, 1].
    """
    if isinstance(p, int | float):
        p = _probability("bernoulli", p)
        return Tensor(_draw(_engine.random_bernoulli, _sizes(() if shape is None else shape), dtype, generator, p, 1.0, device=device))
    p = as_tensor(p)
    if not bool(ops.all(ops.logical_and(ops.greater_equal(p, 0.0), ops.less_equal(p, 1.0)))):
        raise ValueError("bernoulli: not probabilities: some p lies outside [0, 1]; all must lie inside")
    full = p.shape if shape is None else _sizes(shape)
    u = rand(full, dtype=p.dtype, device=p.device, generator=generator)
    return ops.astype(ops.less(u, ops.broadcast_to(p.detach(), full)), dtype or p.dtype, copy=False)


def _probability(op: str, p: float) -> float:
    if not 0 <= p <= 1:
        raise ValueError(f"{op}: not a probability: {p}; must be in [0, 1]")
    return float(p)


def randperm(n: int, *, dtype: Any = dtypes.int64, device: str | None = None, generator: Generator | None = None) -> Tensor:
    """The integers from 0 to n - 1 in random order, all orders equally likely (to within n^2 2^-65, the chance of equal sort keys)."""
    keys = _draw(_engine.random_integers, _sizes(n), dtypes.uint64, generator, 0, 0, device=device)
    return ops.astype(ops.argsort(Tensor(keys)), dtype, copy=False)


def dropout(x: Any, p: float = 0.5, training: bool = True, *, generator: Generator | None = None) -> Tensor:
    """``y = x m / (1 - p)``, where each m is 0 with probability p and 1 otherwise, so that the mean stays; x itself if not training.

    N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014. The mask is kept for the gradient,
    ``g m / (1 - p)``. TypeError unless x is floating; ValueError unless p lies in [0, 1].
    """
    tensor = as_tensor(x)
    p = _probability("dropout", p)
    if not dtypes.is_floating(tensor.dtype):
        raise TypeError(f"dropout: dtype is not floating: {tensor.dtype}; convert first")
    if not training or p == 0:
        return tensor
    if p == 1:
        return ops.multiply(tensor, creation.zeros_like(tensor))
    mask = Tensor(_draw(_engine.random_bernoulli, tensor.shape, tensor.dtype, generator, 1 - p, 1 / (1 - p), device=tensor.device))
    return ops.multiply(tensor, mask)
