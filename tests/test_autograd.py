"""The tape: what it computes, what it refuses, and what it costs in memory and depth."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from tests.gradients import check_gradients


def leaf(*values: float) -> Any:
    return pe.asarray(list(values), dtype=pe.float64, requires_grad=True)


def test_gradient_of_a_product_is_the_other_factor() -> None:
    x, y = leaf(2.0, 3.0), leaf(5.0, 7.0)
    (x * y).sum().backward()
    assert x.grad.tolist() == [5.0, 7.0]
    assert y.grad.tolist() == [2.0, 3.0]


def test_gradients_accumulate_over_uses_and_over_runs() -> None:
    x = leaf(3.0)
    (x * x + x).sum().backward()
    assert x.grad.tolist() == [7.0]
    (2.0 * x).sum().backward()
    assert x.grad.tolist() == [9.0]


def test_broadcasting_and_promotion_are_undone() -> None:
    x = pe.asarray([[1.0], [2.0]], requires_grad=True)  # float32
    y = pe.ones((3, 2, 4), dtype=pe.float64, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad is not None
    assert y.grad is not None
    assert (x.grad.shape, x.grad.dtype) == ((2, 1), pe.float32)
    assert (y.grad.shape, y.grad.dtype) == ((3, 2, 4), pe.float64)
    assert x.grad.tolist() == [[12.0], [12.0]]


def test_a_chain_of_100000_nodes() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    y.sum().backward()
    assert x.grad.tolist() == [1.0]
    del y  # and it is taken apart without recursion


def test_third_derivative() -> None:
    f = lambda x: (x**4).sum()  # noqa: E731
    x = pe.asarray(2.0, dtype=pe.float64)
    assert pe.grad(f)(x).item() == 32.0
    assert pe.grad(pe.grad(f))(x).item() == 48.0
    assert pe.grad(pe.grad(pe.grad(f)))(x).item() == 48.0


def test_inner_gradient_sees_a_variable_of_the_outer_function() -> None:
    x = pe.asarray(3.0, dtype=pe.float64)
    f = lambda a: pe.grad(lambda b: a * b * b)(pe.asarray(2.0, dtype=pe.float64)) * a  # noqa: E731  4a * a
    assert pe.grad(f)(x).item() == 24.0


def test_value_and_grad_takes_argnums() -> None:
    value, (da, db) = pe.value_and_grad(lambda a, b: (a * b).sum(), argnums=(0, 1))(leaf(2.0), leaf(5.0))
    assert (value.item(), da.tolist(), db.tolist()) == (10.0, [5.0], [2.0])
    with pytest.raises(ValueError, match=r"grad: no such argument: argnums \(2,\) of 1"):
        pe.grad(lambda a: a.sum(), argnums=2)(leaf(1.0))


def test_vjp_and_jvp_are_transposes() -> None:
    rng = np.random.default_rng(0)
    a, x, t, c = (pe.asarray(rng.standard_normal(s)) for s in [(3, 4), 4, 4, 3])
    f = lambda v: pe.tanh(a @ v) ** 2  # noqa: E731
    y, pull = pe.vjp(f, x)
    out, pushed = pe.jvp(f, (x,), (t,))
    np.testing.assert_array_equal(y.numpy(), out.numpy())
    left, right = (pull(c)[0] * t).sum().item(), (pushed * c).sum().item()
    assert abs(left - right) < 1e-14 * 12 * (abs(left) + 1)
    step = 1e-6
    numeric = (f(x + step * t) - f(x - step * t)) / (2 * step)
    np.testing.assert_allclose(pushed.numpy(), numeric.numpy(), rtol=1e-7, atol=1e-9)


def test_jvp_of_several_inputs_and_outputs() -> None:
    f = lambda a, b: (a * b, a + 2.0 * b)  # noqa: E731
    (p, s), (dp, ds) = pe.jvp(f, (leaf(3.0), leaf(4.0)), (leaf(1.0), leaf(10.0)))
    assert (p.item(), s.item(), dp.item(), ds.item()) == (12.0, 11.0, 34.0, 21.0)
    with pytest.raises(ValueError, match=r"jvp: tangent shape differs: \(2,\) for a primal \(1,\)"):
        pe.jvp(lambda a: a * 2.0, (leaf(3.0),), (leaf(1.0, 2.0),))


def test_forward_over_reverse_is_a_hessian_vector_product() -> None:
    f = lambda x: (x**3).sum()  # noqa: E731
    _, hv = pe.jvp(pe.grad(f), (leaf(1.0, 2.0),), (leaf(1.0, 10.0),))
    assert hv.tolist() == [6.0, 120.0]


def test_no_grad_records_nothing() -> None:
    x = leaf(1.0)
    with pe.no_grad():
        y = x * x
        assert not pe.is_grad_enabled()
        with pe.enable_grad():
            assert (x * x).requires_grad
    assert not y.requires_grad

    @pe.no_grad()
    def f() -> Any:
        return x * x

    assert not f().requires_grad
    assert pe.is_grad_enabled()


def test_hooks_see_and_replace_gradients() -> None:
    x = leaf(2.0)
    seen = []
    y = x * 3.0
    y.register_hook(lambda g: seen.append(g.item()))
    undo = x.register_hook(lambda g: g * 10.0)
    y.sum().backward()
    assert (seen, x.grad.tolist()) == ([1.0], [30.0])
    undo()
    x.grad = None
    (x * 3.0).sum().backward()
    assert x.grad.tolist() == [3.0]


@pytest.mark.parametrize("on_leaf", [False, True])
def test_what_a_hook_returns_must_fit(on_leaf: bool) -> None:
    for returned, error, message in (
        (pe.ones(5), ValueError, r"backward: a hook returned another shape: \(5,\) for a gradient \(1,\)"),
        (5, TypeError, "backward: a hook returned no Tensor: int"),
    ):
        x = leaf(2.0)
        y = x * 3.0
        (x if on_leaf else y).register_hook(lambda g, r=returned: r)
        with pytest.raises(error, match=message):
            y.sum().backward()
        assert x.grad is None


def test_threads_that_share_a_leaf_lose_no_gradient() -> None:
    x = pe.ones(20_000, requires_grad=True)

    def work() -> None:
        for _ in range(100):
            (x * 2.0).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), 800.0)


def test_gradients_of_intermediate_values() -> None:
    x = leaf(2.0)
    y = x * x
    z = (y * y).sum()
    gx, gy = pe.gradients(z, (x, y))
    assert gx is not None
    assert gy is not None
    assert (gx.tolist(), gy.tolist(), x.grad) == ([32.0], [8.0], None)
    unused = leaf(1.0)
    with pytest.raises(RuntimeError, match=r"gradients: inputs not used: numbers \[1\] of 2"):
        pe.gradients((x * x).sum(), (x, unused))
    assert pe.gradients((x * x).sum(), (x, unused), allow_unused=True)[1] is None


# What it refuses -------------------------------------------------------------------------------------------------------------------------


def test_a_freed_tape_says_so() -> None:
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [8.0]
    with pytest.raises(RuntimeError, match=r"backward: the tape was freed: .* pass retain_graph=True"):
        y.backward()


def test_backward_needs_a_scalar_or_a_gradient() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match=r"backward: not a scalar: shape \(2,\); reduce it"):
        (x * x).backward()
    (x * x).backward(pe.asarray([1.0, 10.0]))
    assert x.grad.tolist() == [2.0, 40.0]
    with pytest.raises(ValueError, match=r"backward: gradient shape differs: \(3,\) for an output \(2,\)"):
        (x * x).backward(pe.ones(3))
    with pytest.raises(RuntimeError, match="backward: not on the tape"):
        x.detach().sum().backward()


def test_an_in_place_change_to_a_saved_value_is_caught() -> None:
    x = leaf(2.0)
    y = x * 1.0
    z = y * y
    y += 1.0
    with pytest.raises(
        RuntimeError, match=r"backward: a value saved by 'multiply' was changed in place: it is at version 1, saved at version 0"
    ):
        z.sum().backward()


def test_an_in_place_change_to_a_saved_output_is_caught() -> None:
    x = leaf(2.0)
    y = pe.exp(x)
    y *= 2.0
    with pytest.raises(RuntimeError, match="a value saved by 'exp' was changed in place"):
        y.sum().backward()


def test_in_place_changes_are_differentiated() -> None:
    def f(a: Any, b: Any) -> Any:
        y = a + 0.0
        y += b * b
        y -= 1.0
        return y * y

    check_gradients(f, np.array([1.0, 2.0]), np.array([3.0, -1.0]))


def test_a_view_of_memory_changed_elsewhere_is_refused() -> None:
    x = leaf(1.0, 2.0)
    y = x * 1.0
    view = y[0]
    y *= 3.0
    with pytest.raises(RuntimeError, match="multiply: an input was changed in place through another view"):
        view * 2.0
    y = x * 1.0
    view = y[0]
    view *= 3.0
    with pytest.raises(RuntimeError, match="changed in place through another view"):
        y.sum()


def test_leaves_that_require_gradients_are_not_changed_in_place() -> None:
    x = leaf(1.0)
    with pytest.raises(RuntimeError, match=r"in-place add: a leaf that requires a gradient"):
        x += 1.0
    with pytest.raises(RuntimeError, match=r"setitem: a leaf that requires a gradient"):
        x[0] = 1.0
    for view in (x[:1], x.reshape(1, 1)[0], pe.flip(x)):
        with pytest.raises(RuntimeError, match=r"in-place add: a leaf that requires a gradient"):
            view += 1.0
    with pytest.raises(RuntimeError, match=r"in-place add: a leaf that requires a gradient"):
        x[0] += 1.0
    assert x.tolist() == [1.0]
    with pe.no_grad():
        x += 1.0
        x[0] += 1.0
        x[0] *= 3.0
    assert x.tolist() == [9.0]


def test_in_place_keeps_shape_and_kind() -> None:
    x = pe.zeros(3)
    with pytest.raises(ValueError, match=r"in-place add: result does not fit: \(2, 3\) into \(3,\)"):
        x += pe.ones((2, 3))
    n = pe.asarray([1, 2])
    with pytest.raises(TypeError, match=r"in-place multiply: result does not fit: pyengine.float32 into pyengine.int64"):
        n *= 0.5
    assert n.tolist() == [1, 2]


def test_only_floats_ask_for_gradients() -> None:
    with pytest.raises(TypeError, match=r"requires_grad: not a floating dtype: pyengine.int64"):
        pe.asarray([1], requires_grad=True)
    with pytest.raises(RuntimeError, match="requires_grad: not a leaf"):
        (leaf(1.0) * 2.0).requires_grad = False


# Memory ----------------------------------------------------------------------------------------------------------------------------------


def test_a_finished_tape_leaves_no_cycles() -> None:
    gc.disable()
    try:
        x = leaf(1.0)
        y = pe.exp(x) * pe.tanh(x)
        alive = weakref.ref(y)
        y.sum().backward()
        del y
        assert alive() is None
    finally:
        gc.enable()


def test_checkpoint_gives_the_same_gradients_from_less_memory() -> None:
    w = leaf(0.5, -1.0)

    def f(x: Any) -> Any:
        for _ in range(3):
            x = pe.tanh(x * w)
        return x

    x = leaf(1.0, 2.0)
    f(x).sum().backward()
    plain = (x.grad.numpy().copy(), w.grad.numpy().copy())
    x.grad = w.grad = None
    pe.checkpoint(f)(x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), plain[0])
    np.testing.assert_array_equal(w.grad.numpy(), plain[1])
    check_gradients(lambda a, b: pe.checkpoint(lambda v: pe.tanh(v * b) ** 2)(a * a), np.array([0.3, 0.7]), np.array([1.0, 2.0]))


def test_checkpoint_returns_what_the_function_returns() -> None:
    x = leaf(1.0, 2.0)
    (single,) = pe.checkpoint(lambda v: (v * 2.0,))(x)
    (listed,) = pe.checkpoint(lambda v: [v[:1] * 2.0])(x)
    handed, place, doubled = pe.checkpoint(lambda v: (v, pe.argmax(v), v * 2.0))(x)
    assert not place.requires_grad
    (single.sum() + listed.sum() + handed.sum() + doubled.sum() + pe.checkpoint(lambda v: v)(x).sum()).backward()
    assert x.grad.tolist() == [8.0, 6.0]
    with pytest.raises(TypeError, match="checkpoint: not a Tensor: the function returned NoneType"):
        pe.checkpoint(lambda v: (v, None))(x)


def test_checkpoint_repeats_random_draws() -> None:
    x = pe.ones(1000, requires_grad=True)
    pe.manual_seed(5)
    y = pe.checkpoint(lambda v: pe.dropout(v, 0.5))(x)
    after = pe.rand(3).tolist()
    y.sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy() != 0, y.numpy() != 0)
    pe.manual_seed(5)
    pe.dropout(x, 0.5)
    assert pe.rand(3).tolist() == after


# Anomaly mode ----------------------------------------------------------------------------------------------------------------------------


def test_anomaly_names_op_line_and_what() -> None:
    x = pe.asarray([-1.0, 1.0], requires_grad=True)
    with (
        pe.detect_anomaly(),
        pytest.raises(pe.AnomalyError, match=r"log: NaN made by the forward pass: output \(2,\); called at .*test_autograd.py:\d+"),
    ):
        pe.log(x)
    y = pe.sqrt(pe.asarray([0.0], requires_grad=True))  # finite forward, infinite slope
    with pe.detect_anomaly():
        z = pe.sqrt(pe.asarray([0.0], requires_grad=True)).sum()
        with pytest.raises(
            pe.AnomalyError, match=r"sqrt: Inf made by its backward pass: gradient of input 0, \(1,\); called at .*test_autograd.py"
        ):
            z.backward()
        with pytest.raises(pe.AnomalyError, match="recorded before detect_anomaly"):
            y.sum().backward()


def test_anomaly_lets_masks_of_minus_inf_pass() -> None:
    x = pe.asarray([0.5, 1.0, 2.0], requires_grad=True)
    with pe.detect_anomaly():
        y = pe.zeros(3)
        y[1] = -pe.inf
        pe.sum(pe.softmax(pe.where(pe.asarray([True, False, True]), x, -pe.inf) + y)).backward()
        with pytest.raises(pe.AnomalyError, match="log: -Inf made by"):
            pe.log(x - x)
        with pytest.raises(pe.AnomalyError, match="add: Inf passed on by"):
            pe.add(x, pe.inf)


def test_anomaly_names_the_layer() -> None:
    model = pe.nn.Sequential(pe.nn.Linear(2, 3), pe.nn.Sequential(pe.nn.ReLU(), pe.nn.Linear(3, 1)))
    with pe.no_grad():
        model[1][1].weight[...] = pe.inf
        model[0].bias[...] = 1.0
    with pe.detect_anomaly(), pytest.raises(pe.AnomalyError, match=r"in layer 1\.1 \(Linear\)"):
        model(pe.ones((4, 2)))
