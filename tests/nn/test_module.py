"""Module: what counts as part, parameter and buffer; state dicts; modes, hooks, errors that name the layer; containers."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine import nn
from tests.devices import cpu_only


class Leaf(nn.Module):
    def __init__(self, value: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(pe.full((2,), value))
        self.register_buffer("seen", pe.zeros((), "int64"))
        self.register_buffer("scratch", pe.zeros((1,)), persistent=False)

    def forward(self, x: pe.Tensor) -> pe.Tensor:
        return x * self.weight

    def extra_repr(self) -> str:
        return "size=2"


class Tree(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.right = Leaf(2.0)
        self.bias = nn.Parameter(pe.zeros((2,)))
        self.left = Leaf(3.0)
        self.absent: nn.Parameter | None = None

    def forward(self, x: pe.Tensor) -> pe.Tensor:
        return self.left(self.right(x)) + self.bias  # type: ignore[no-any-return]


def test_names_and_order() -> None:
    tree = Tree()
    assert [name for name, _ in tree.named_parameters()] == ["bias", "right.weight", "left.weight"]
    assert [name for name, _ in tree.named_parameters("model", recurse=False)] == ["model.bias"]
    assert [name for name, _ in tree.named_buffers()] == ["right.seen", "right.scratch", "left.seen", "left.scratch"]
    assert [name for name, _ in tree.named_modules()] == ["", "right", "left"]
    assert [type(module) for module in tree.modules()] == [Tree, Leaf, Leaf]
    assert list(tree.children()) == [tree.right, tree.left]
    assert tree.get_submodule("left") is tree.left
    assert tree.get_submodule("") is tree


def test_what_is_shared_is_listed_once_and_saved_under_every_name() -> None:
    tree = Tree()
    tree.left.weight = tree.right.weight
    tree.again = tree.right
    assert [name for name, _ in tree.named_parameters()] == ["bias", "right.weight"]
    assert [name for name, _ in tree.named_modules()] == ["", "right", "left"]
    assert "again.weight" in tree.state_dict()
    assert "left.weight" in tree.state_dict()


def test_attributes_may_be_replaced_and_deleted() -> None:
    tree = Tree()
    tree.absent = nn.Parameter(pe.ones((1,)))
    tree.bias = None  # type: ignore[assignment]
    del tree.left
    assert [name for name, _ in tree.named_parameters()] == ["absent", "right.weight"]
    with pytest.raises(TypeError, match=r"Tree: 'absent' is a parameter: assigned a Tensor; assign a Parameter or None"):
        tree.absent = pe.ones((1,))  # type: ignore[assignment]
    leaf = Leaf()
    leaf.seen = pe.ones((), "int64")
    assert dict(leaf.named_buffers())["seen"].item() == 1


def test_a_module_works_without_calling_init_of_its_base() -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            self.weight = nn.Parameter(pe.ones((1,)))

    assert list(Bare().state_dict()) == ["weight"]


@cpu_only("it shares memory with NumPy")
def test_state_dict_shares_memory_and_leaves_the_tape() -> None:
    tree = Tree()
    state = tree.state_dict()
    assert list(state) == ["bias", "right.weight", "right.seen", "left.weight", "left.seen"]
    assert np.shares_memory(state["bias"].numpy(), tree.bias.detach().numpy())
    assert not state["bias"].requires_grad
    assert list(tree.state_dict("net.")) == ["net." + name for name in state]


def test_load_state_dict_copies_and_converts() -> None:
    tree, memory = Tree(), {}
    memory = {name: value.detach() for name, value in tree.named_parameters()}
    given: dict[str, Any] = {name: np.full(value.shape, 7, np.float64) for name, value in tree.state_dict().items()}
    result = tree.load_state_dict(given)
    assert result == ([], [])
    assert tree.bias.dtype is pe.float32
    assert tree.left.seen.item() == 7
    for name, value in memory.items():
        np.testing.assert_array_equal(value.numpy(), given[name].astype(np.float32))


def test_load_state_dict_names_everything_that_does_not_fit() -> None:
    tree = Tree()
    state: dict[str, Any] = dict(tree.state_dict())
    state["extra"] = state.pop("left.seen")
    state["bias"] = np.ones(2, np.float32)
    state["right.weight"] = np.ones((3, 1))
    message = (
        r"load_state_dict: state does not fit Tree: missing \['left.seen'\]; unexpected \['extra'\]; "
        r"'right.weight' is \(3, 1\), the model's \(2,\); keys and shapes must be equal"
    )
    with pytest.raises(ValueError, match=message):
        tree.load_state_dict(state)
    np.testing.assert_array_equal(tree.bias.detach().numpy(), np.zeros(2))
    with pytest.raises(ValueError, match=r"state does not fit Tree: 'right.weight' is .*; shapes must be equal"):
        tree.load_state_dict(state, strict=False)
    del state["right.weight"]
    result = tree.load_state_dict(state, strict=False)
    assert result.missing_keys == ["right.weight", "left.seen"]
    assert result.unexpected_keys == ["extra"]
    np.testing.assert_array_equal(tree.bias.detach().numpy(), np.ones(2))


def test_modes() -> None:
    tree = Tree()
    assert tree.eval() is tree
    assert not any(module.training for module in tree.modules())
    tree.left.train()
    assert [module.training for module in tree.modules()] == [False, False, True]


def test_freezing_and_forgetting() -> None:
    tree = Tree()
    tree.right.requires_grad_(False)
    pe.sum(tree(pe.ones((2,)))).backward()
    assert tree.right.weight.grad is None
    assert tree.bias.grad is not None
    tree.zero_grad(set_to_none=False)
    np.testing.assert_array_equal(tree.bias.grad.numpy(), np.zeros(2))
    tree.zero_grad()
    assert tree.bias.grad is None


def test_to_converts_floats_in_place() -> None:
    tree = Tree()
    bias = tree.bias
    bias.grad = pe.ones((2,))
    assert tree.to("float64") is tree
    assert tree.bias is bias
    assert bias.dtype is pe.float64
    assert bias.grad.dtype is pe.float64
    assert tree.left.scratch.dtype is pe.float64
    assert tree.left.seen.dtype is pe.int64
    assert tree.to("cpu", pe.bfloat16).bias.dtype is pe.bfloat16
    assert tree.to(dtype=pe.float32).bias.dtype is pe.float32
    with pytest.raises(TypeError, match=r"to: not a floating dtype: .*int32; the parameters of a module are floating"):
        tree.to(pe.int32)
    with pytest.raises(ValueError, match="device not available: 'cuda'"):
        tree.to("cuda")


def test_apply_visits_parts_first() -> None:
    tree, seen = Tree(), []
    tree.apply(seen.append)
    assert seen == [tree.right, tree.left, tree]


def test_hooks_replace_and_can_be_undone() -> None:
    leaf = Leaf(2.0)
    undo_before = leaf.register_forward_pre_hook(lambda module, args: args[0] + 1)
    undo_after = leaf.register_forward_hook(lambda module, args, result: result * 10)
    assert leaf(pe.ones((2,))).tolist() == [40.0, 40.0]
    undo_before()
    undo_before()
    assert leaf(pe.ones((2,))).tolist() == [20.0, 20.0]
    undo_after()
    assert leaf(pe.ones((2,))).tolist() == [2.0, 2.0]


def test_copies_and_pickles_are_independent() -> None:
    tree = Tree()
    tree.right.weight.requires_grad = False
    for twin in (copy.deepcopy(tree), pickle.loads(pickle.dumps(tree))):
        assert list(twin.state_dict()) == list(tree.state_dict())
        assert not twin.right.weight.requires_grad
        with pe.no_grad():
            twin.bias[...] = 5
        assert isinstance(twin.bias, nn.Parameter)
        assert tree.bias.tolist() == [0.0, 0.0]
    tree.left.weight = tree.right.weight
    twin = copy.deepcopy(tree)
    assert twin.left.weight is twin.right.weight


def test_errors_name_the_layer() -> None:
    class Broken(nn.Module):
        def forward(self, x: pe.Tensor) -> pe.Tensor:
            raise ValueError("broken: no: 1; 2")

    model = nn.Sequential(Leaf(), nn.Sequential(Leaf(), Broken()))
    with pytest.raises(ValueError, match="broken") as caught:
        model(pe.ones((2,)))
    assert caught.value.__notes__ == ["in layer 1.1 (Broken)"]
    with pytest.raises(ValueError, match="broken") as caught:
        Broken()(pe.ones((2,)))
    assert caught.value.__notes__ == ["in layer the model (Broken)"]


def test_anomaly_names_the_layer() -> None:
    class Log(nn.Module):
        def forward(self, x: pe.Tensor) -> pe.Tensor:
            return pe.log(x)

    model = nn.Sequential(Leaf(-1.0), Log())
    with pe.detect_anomaly(), pytest.raises(pe.AnomalyError, match=r"log: NaN made by the forward pass.* in layer 1 \(Log\)"):
        model(pe.ones((2,)))


def test_repr() -> None:
    assert repr(Leaf()) == "Leaf(size=2)"
    assert repr(Tree()) == "Tree(\n  (right): Leaf(size=2)\n  (left): Leaf(size=2)\n)"
    nested = repr(nn.Sequential(nn.Sequential(Leaf())))
    assert nested == "Sequential(\n  (0): Sequential(\n    (0): Leaf(size=2)\n  )\n)"


def test_get_submodule_says_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"get_submodule: no part 'up' of 'left.up' in Leaf; it has \[\]"):
        Tree().get_submodule("left.up")
    with pytest.raises(AttributeError, match=r"no part 'bias' of 'bias' in Tree; it has \['right', 'left'\]"):
        Tree().get_submodule("bias")


@cpu_only("it shares memory with NumPy")
def test_parameter() -> None:
    with pytest.raises(TypeError, match="requires_grad: not a floating dtype"):
        nn.Parameter(pe.ones((1,), "int32"))
    assert not nn.Parameter(pe.ones((1,), "int32"), requires_grad=False).requires_grad
    data = pe.ones((2,))
    parameter = nn.Parameter(data)
    assert parameter.is_leaf
    assert np.shares_memory(parameter.detach().numpy(), data.numpy())
    assert repr(parameter).startswith("Parameter containing:\ntensor([1., 1.]")


def test_sequential() -> None:
    a, b, c = Leaf(2.0), Leaf(3.0), Leaf(5.0)
    model = nn.Sequential(a, b)
    assert model(pe.ones((2,))).tolist() == [6.0, 6.0]
    assert model.append(c) is model
    assert len(model) == 3
    assert [*model] == [a, b, c]
    assert model[-1] is c
    assert list(model[1:].state_dict()) == ["1.weight", "1.seen", "2.weight", "2.seen"]
    del model[0]
    assert list(model.state_dict()) == ["0.weight", "0.seen", "1.weight", "1.seen"]
    model.insert(0, a)
    model[1] = a
    assert [*model] == [a, a, c]
    assert list(nn.Sequential({"first": a, "last": b}).state_dict()) == ["first.weight", "first.seen", "last.weight", "last.seen"]
    with pytest.raises(TypeError, match="Sequential: not a module: <function relu"):
        nn.Sequential(pe.relu)
    with pytest.raises(KeyError, match="Sequential: name cannot be used: 'forward'"):
        nn.Sequential({"forward": a})


def test_module_list() -> None:
    a, b = Leaf(), Leaf()
    modules = nn.ModuleList([a])
    modules.extend([b, a])
    assert [*modules] == [a, b, a]
    assert [*modules[:2]] == [a, b]
    assert isinstance(modules[:2], nn.ModuleList)
    assert list(modules[1:].state_dict()) == ["0.weight", "0.seen", "1.weight", "1.seen"]
    with pytest.raises(TypeError, match="ModuleList: not a module: 3"):
        modules.append(3)  # type: ignore[arg-type]


def test_module_dict() -> None:
    a, b = Leaf(), Leaf()
    modules = nn.ModuleDict({"a": a})
    modules["b"] = b
    modules.update([("a", b)])
    assert list(modules) == ["a", "b"]
    assert [*modules.values()] == [b, b]
    assert "a" in modules
    assert modules.pop("a") is b
    assert len(modules) == 1
    with pytest.raises(KeyError):
        modules["a"]
    for name in ("train", "x.y", ""):
        with pytest.raises(KeyError, match="ModuleDict: name cannot be used"):
            modules[name] = a
