"""The fused steps against their formulae in float64, on every instruction-set level, dtype and length around a vector and a task."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine import _engine
from pyengine.ops.optimizer_step import StepOptions, adam_step, rmsprop_step, sgd_step
from tests.devices import cpu_only
from tests.tolerance import assert_within, roundings

Floats = np.ndarray[Any, np.dtype[np.float64]]

LENGTHS = [0, 1, 3, 7, 8, 15, 16, 17, 33, 250, (1 << 14) - 1, (1 << 14) + 1]
DTYPES = ["float64", "float32", "float16", "bfloat16"]
# A step is some twenty operations long; conversion of a setting to the type of the arithmetic is one rounding, too.
ROUNDINGS = 32


@pytest.fixture(params=_engine.available_isas(), autouse=True)
def isa(request: pytest.FixtureRequest, engine_state: None) -> None:
    _engine.set_isa(request.param)


def draw(seed: int, n: int, dtype: str, low: float | None = None) -> pe.Tensor:
    """n elements, above ``low`` if given, behind an odd offset, so that nothing is aligned."""
    values = np.random.default_rng(seed).standard_normal(n + 1)
    return pe.asarray(values if low is None else low + np.abs(values)).astype(dtype)[1:]


def state(seed: int, n: int, dtype: str, low: float | None = None) -> pe.Tensor:
    return draw(seed, n, "float64" if dtype == "float64" else "float32", low)


def exact(x: pe.Tensor) -> Floats:
    return x.astype("float64").numpy().copy()


def check(actual: pe.Tensor, expected: Floats, magnitude: Floats) -> None:
    bound = roundings(magnitude, expected, ROUNDINGS, actual.dtype)
    assert_within(actual.astype("float64").numpy(), expected, bound, actual.dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_sgd_step(n: int, dtype: str, momentum: float, nesterov: bool) -> None:
    lr, decay, dampening = 0.1, 0.01, 0.0 if nesterov else 0.25
    p, g = draw(0, n, dtype), draw(1, n, dtype)
    b = state(2, n, dtype) if momentum else None
    p0, g0 = exact(p), exact(g)
    sgd_step(p, g, b, StepOptions(lr, decay, maximize=True), momentum=momentum, dampening=dampening, nesterov=nesterov)
    d, d_size = -g0 + decay * p0, np.abs(g0) + decay * np.abs(p0)
    if b is not None:
        b0 = exact(state(2, n, dtype))
        b1, b_size = momentum * b0 + (1 - dampening) * d, momentum * np.abs(b0) + (1 - dampening) * d_size
        check(b, b1, b_size)
        d, d_size = (d + momentum * b1, d_size + momentum * b_size) if nesterov else (b1, b_size)
    check(p, p0 - lr * d, np.abs(p0) + lr * d_size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize(("decoupled", "amsgrad"), [(False, False), (True, False), (False, True)])
def test_adam_step(n: int, dtype: str, decoupled: bool, amsgrad: bool) -> None:
    lr, decay, eps, betas, step = 0.1, 0.01, 1e-8, (0.9, 0.99), 3
    p, g = draw(0, n, dtype), draw(1, n, dtype)
    m, v, top = state(2, n, dtype), state(3, n, dtype, low=0.0), state(4, n, dtype, low=0.0) if amsgrad else None
    p0, g0, m0, v0, top0 = exact(p), exact(g), exact(m), exact(v), exact(top) if top is not None else None
    options = StepOptions(lr, decay, maximize=False)
    adam_step(p, g, m, v, top, options, step=step, betas=betas, eps=eps, decoupled_weight_decay=decoupled)
    d, d_size = (g0, np.abs(g0)) if decoupled else (g0 + decay * p0, np.abs(g0) + decay * np.abs(p0))
    p0 = p0 * (1 - lr * decay) if decoupled else p0
    m1, m_size = betas[0] * m0 + (1 - betas[0]) * d, np.abs(m0) + (1 - betas[0]) * (d_size + np.abs(m0))
    v1, v_size = betas[1] * v0 + (1 - betas[1]) * d**2, betas[1] * v0 + (1 - betas[1]) * d_size**2
    check(m, m1, m_size)
    check(v, v1, v_size)
    if top is not None and top0 is not None:
        v1, v_size = np.maximum(v1, top0), np.maximum(v_size, top0)
        check(top, v1, v_size)
    rate = lr / (1 - betas[0] ** step) / (np.sqrt(v1 / (1 - betas[1] ** step)) + eps)
    check(p, p0 - rate * m1, np.abs(p0) + rate * (m_size + np.abs(m1) * v_size / v1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize(("centered", "momentum"), [(False, 0.0), (True, 0.0), (False, 0.9), (True, 0.9)])
def test_rmsprop_step(n: int, dtype: str, centered: bool, momentum: float) -> None:
    lr, decay, eps, alpha = 0.1, 0.01, 1e-8, 0.9
    p, g = draw(0, n, dtype), draw(1, n, dtype)
    s = state(2, n, dtype, low=20.0)  # above the square of the mean, as it is in a run
    a, b = state(3, n, dtype) if centered else None, state(4, n, dtype) if momentum else None
    p0, g0, s0 = exact(p), exact(g), exact(s)
    a0, b0 = (exact(x) if x is not None else np.zeros(n) for x in (a, b))
    rmsprop_step(p, g, s, a, b, StepOptions(lr, decay, maximize=False), alpha=alpha, eps=eps, momentum=momentum)
    d, d_size = g0 + decay * p0, np.abs(g0) + decay * np.abs(p0)
    s1, s_size = alpha * s0 + (1 - alpha) * d**2, alpha * s0 + (1 - alpha) * d_size**2
    check(s, s1, s_size)
    variance, size = s1, s_size
    if a is not None:
        a1, a_size = alpha * a0 + (1 - alpha) * d, np.abs(a0) + (1 - alpha) * (d_size + np.abs(a0))
        check(a, a1, a_size)
        variance, size = s1 - a1**2, s_size + a_size**2
    u = d / (np.sqrt(variance) + eps)
    u_size = d_size / np.sqrt(variance) * (1 + size / variance)
    if b is not None:
        u, u_size = momentum * b0 + u, momentum * np.abs(b0) + u_size
        check(b, u, u_size)
    check(p, p0 - lr * u, np.abs(p0) + lr * u_size)


def test_bits_do_not_depend_on_threads() -> None:
    n, results = 3 * (1 << 14) + 5, set()
    for threads in (1, 2, 3):
        _engine.set_thread_count(threads)
        p, m, v = draw(0, n, "float32"), state(2, n, "float32"), state(3, n, "float32", low=0.0)
        options = StepOptions(0.1, 0.01, False)
        adam_step(p, draw(1, n, "float32"), m, v, None, options, step=1, betas=(0.9, 0.999), eps=1e-8, decoupled_weight_decay=False)
        results.add(p.numpy().tobytes())
    assert len(results) == 1


def test_nan_inf_and_strided_gradients() -> None:
    p = pe.asarray(np.array([1, 2, np.inf, 4], np.float32))
    g = pe.asarray(np.array([np.nan, 0, 1, 0, 1, 0, np.inf, 0], np.float32))[::2]
    sgd_step(p, g, None, StepOptions(0.5, 0.0, False), momentum=0.0, dampening=0.0, nesterov=False)
    np.testing.assert_array_equal(p.numpy(), np.array([np.nan, 1.5, np.inf, -np.inf], np.float32))


def test_a_step_is_a_change_in_place() -> None:
    p, b = pe.ones((3,)), pe.zeros((3,))
    versions = p._array.version, b._array.version
    sgd_step(p, pe.ones((3,)), b, StepOptions(0.1, 0.0, False), momentum=0.9, dampening=0.0, nesterov=False)
    assert (p._array.version, b._array.version) == (versions[0] + 1, versions[1] + 1)


PLAIN: dict[str, Any] = {"momentum": 0.9, "dampening": 0.0, "nesterov": False}


def ones(n: int, dtype: str = "float32") -> pe.Tensor:
    return pe.ones((n,), dtype)


@pytest.mark.parametrize(
    ("p", "g", "b", "error", "message"),
    [
        (ones(2, "int32"), ones(2, "int32"), None, TypeError, "sgd_step: parameter is not floating: int32; it must be"),
        (ones(2), ones(2, "float64"), None, TypeError, "dtype of gradient does not fit: float64, parameter float32; it must be float32"),
        (ones(2), ones(3), None, ValueError, r"shapes differ: gradient \(3,\), parameter \(2,\); they must be equal"),
        (pe.ones((2, 3)).T, pe.ones((3, 2)), None, ValueError, r"parameter is not contiguous: strides \(1, 3\) for shape \(3, 2\)"),
        (
            ones(2, "float16"),
            ones(2, "float16"),
            ones(2, "float16"),
            TypeError,
            "momentum_buffer does not fit: float16, .* must be float32",
        ),
        (ones(2), ones(2), ones(1), ValueError, r"shapes differ: momentum_buffer \(1,\), parameter \(2,\)"),
    ],
)
def test_errors(p: pe.Tensor, g: pe.Tensor, b: pe.Tensor | None, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        sgd_step(p, g, b, StepOptions(0.1, 0.0, False), **PLAIN)
    np.testing.assert_array_equal(p.numpy(), np.ones(p.shape))


@cpu_only("it shares memory with NumPy")
def test_readonly_memory_is_refused() -> None:
    values = np.ones(4, np.float32)
    values.flags.writeable = False
    with pytest.raises(ValueError, match="parameter is read-only"):
        sgd_step(pe.asarray(values), pe.ones((4,)), None, StepOptions(0.1, 0.0, False), **PLAIN)


def test_shared_memory_is_refused() -> None:
    p, options = pe.ones((4,)), StepOptions(0.1, 0.0, False)
    with pytest.raises(ValueError, match="gradient shares memory with the parameter"):
        sgd_step(p, p.detach(), None, options, **PLAIN)
    with pytest.raises(ValueError, match="momentum_buffer shares memory with the parameter"):
        sgd_step(p[:2], pe.ones((2,)), p[1:3], options, **PLAIN)
    m = pe.zeros((4,))
    with pytest.raises(ValueError, match="first_moment shares memory with second_moment"):
        adam_step(p, pe.ones((4,)), m, m, None, options, step=1, betas=(0.9, 0.9), eps=0.0, decoupled_weight_decay=False)
