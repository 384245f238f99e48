"""Attention against PyTorch: values, gradients, masks, grouped heads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import pyengine as pe

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no peer to compare attention with")

rng = np.random.default_rng(0)
SHOWN = rng.random((2, 1, 70, 90)) < 0.7


@pytest.mark.parametrize("mask", [None, SHOWN, rng.standard_normal((70, 90))], ids=["no mask", "boolean", "added"])
@pytest.mark.parametrize("options", [{}, {"scale": 0.2}, {"enable_gqa": True}, {"is_causal": True}], ids=str)
def test_same_as_torch(mask: np.ndarray[Any, Any] | None, options: dict[str, Any]) -> None:
    if mask is not None and "is_causal" in options:
        pytest.skip("PyTorch takes a mask or is_causal, not both")
    heads = 2 if "enable_gqa" in options else 4
    values = [rng.standard_normal(shape) for shape in ((2, 4, 70, 24), (2, heads, 90, 24), (2, heads, 90, 40), (2, 4, 70, 40))]
    ours = [pe.asarray(x, requires_grad=True) for x in values[:3]]
    theirs = [torch.tensor(x, requires_grad=True) for x in values[:3]]
    out = pe.scaled_dot_product_attention(*ours, attn_mask=None if mask is None else pe.asarray(mask), **options)
    expected = torch.nn.functional.scaled_dot_product_attention(*theirs, attn_mask=None if mask is None else torch.tensor(mask), **options)
    out.backward(pe.asarray(values[3]))
    expected.backward(torch.tensor(values[3]))
    # Both are within a few hundred roundings of the exact result, whose terms are of order 1.
    bound = 1000 * float(np.finfo(np.float64).eps)
    for a, b in [(out.detach(), expected.detach()), *((x.grad, y.grad) for x, y in zip(ours, theirs, strict=True))]:
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=0, atol=bound * max(1.0, float(abs(b).max())))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_error_is_at_most_twice_the_peers(dtype: str) -> None:
    """FlashAttention's criterion: against float64, the fused kernel errs at most twice as much as the plain formula in that precision."""
    values = [pe.asarray(rng.standard_normal((1, 4, 200, 64))).astype(dtype) for _ in range(3)]
    q, k, v = (torch.tensor(np.asarray(t.numpy(), np.float64)) for t in values)
    exact = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    low = [t.to(getattr(torch, dtype)) for t in (q, k, v)]
    plain = (torch.softmax(low[0] @ low[1].mT / math.sqrt(64), -1) @ low[2]).double()
    ours = torch.tensor(np.asarray(pe.scaled_dot_product_attention(*values).numpy(), np.float64))
    assert (ours - exact).abs().max() <= 2 * (plain - exact).abs().max()
