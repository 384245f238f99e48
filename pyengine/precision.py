"""How exactly tensor cores multiply float32."""

from __future__ import annotations

from pyengine import _engine

__all__ = ["get_float32_matmul_precision", "set_float32_matmul_precision"]


def set_float32_matmul_precision(precision: str) -> None:
    """``y = sum_p fl(a_p) fl(b_p)`` with ``fl(x) = x (1 + d), |d| <= u``: products of float32 on the devices "cuda" and "simulator".

    "highest", as it is at first: u = 0, the factors themselves. "high": u = 2^-11, the factors rounded to tf32, which has 11 bits of
    significand, for tensor cores. Sums are float32 either way, and a product has the relative error 2 u + u^2 at most beyond theirs.
    Products of few rows or terms may be made exactly all the same; factors within 2^-11 of the largest float32 round to infinity.

    Ops: :func:`matmul` and what is made of it, convolutions, :func:`scaled_dot_product_attention` of at most 128 columns, whose weights and
    gradients of scores are factors as well, and the gradients of these, by the setting when they run. The CPU multiplies exactly, as every
    device does other dtypes. The setting is the process's. ValueError for other words (PyTorch has "medium", too).
    """
    if precision not in ("highest", "high"):
        raise ValueError(f"set_float32_matmul_precision: no such precision: {precision!r}; must be 'highest' or 'high'")
    _engine.allow_tf32(precision == "high")


def get_float32_matmul_precision() -> str:
    """ "highest" or "high"; see :func:`set_float32_matmul_precision`."""
    return "high" if _engine.tf32_allowed() else "highest"
