"""The tolerances themselves: right results pass, results off by more than the derived bound do not."""

import numpy as np
import pytest

from tests import tolerance


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_formats_agree_with_numpy(dtype: str) -> None:
    info, ours = np.finfo(dtype), tolerance.FORMATS[dtype]
    assert ours.unit_roundoff * 2 == info.eps
    assert ours.smallest_subnormal == info.smallest_subnormal
    assert ours.largest == info.max
    x = np.array([1.0, 1.5, 2.0, 1e-3, float(info.smallest_subnormal), 0.0], dtype)
    np.testing.assert_array_equal(tolerance.spacing(x, dtype), np.spacing(x).astype(np.float64))


@pytest.mark.parametrize("k", [1, 7, 1000])
def test_contraction_holds_in_float32_and_is_not_void(k: int) -> None:
    rng = np.random.default_rng(k)
    a, b = rng.standard_normal((3, k)).astype(np.float32), rng.standard_normal((k, 5)).astype(np.float32)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    bound = tolerance.contraction(np.abs(a).astype(np.float64) @ np.abs(b), exact, k, np.float32)
    tolerance.assert_within(a @ b, exact, bound, np.float32)
    with pytest.raises(AssertionError, match="are off"):
        tolerance.assert_within(exact + 2 * bound, exact, bound, np.float32)


def test_nan_and_inf_must_agree() -> None:
    tolerance.assert_within([np.nan, np.inf, 1.0], [np.nan, np.inf, 1.0], 0.0, "float32")
    for wrong in ([1.0, np.inf, 1.0], [np.nan, -np.inf, 1.0], [np.nan, np.inf, np.inf], [np.nan, np.inf, np.nan]):
        with pytest.raises(AssertionError, match="are off"):
            tolerance.assert_within(wrong, [np.nan, np.inf, 1.0], 0.1, "float32")


def test_overflow_is_allowed_only_at_the_largest_value() -> None:
    tolerance.assert_within([np.inf], [65519.0], 4.0e2, "float16")
    with pytest.raises(AssertionError, match="are off"):
        tolerance.assert_within([np.inf], [60000.0], 4.0e2, "float16")


def test_a_tree_of_sums_is_bound_tighter_than_a_chain() -> None:
    assert tolerance.summation(1.0, 1.0, 1 << 20, "float32", block=64) < tolerance.summation(1.0, 1.0, 1 << 20, "float32") / 1000
