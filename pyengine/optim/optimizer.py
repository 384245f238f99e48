"""Optimizer: what all optimisers share: groups of parameters, their settings, and the state kept for each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from pyengine.autograd import enable_grad, no_grad
from pyengine.creation import zeros, zeros_like
from pyengine.tensor import Tensor, as_tensor

Group = dict[str, Any]
Params = Iterable[Tensor] | Iterable[Mapping[str, Any]]


class Optimizer(ABC):
    """Base of the optimisers.

    ``params``: tensors, or dictionaries ``{"params": tensors, "lr": …}`` that override ``defaults`` for their group. ``param_groups`` holds
    the groups, ``state[parameter]`` what is kept between steps. A subclass writes ``_update``: one parameter's step.
    """

    def __init__(self, params: Params, defaults: Group) -> None:
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Any]] = {}
        self.param_groups: list[Group] = []
        for group in _as_groups(type(self).__name__, params):
            self.add_param_group(group)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Adds parameters with settings of their own. Raises before anything is changed."""
        name = type(self).__name__
        new: Group = {**self.defaults, **group}
        new["params"] = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        held = {id(parameter) for known in self.param_groups for parameter in known["params"]}
        for parameter in new["params"]:
            if not isinstance(parameter, Tensor):
                raise TypeError(f"{name}: not a tensor: {type(parameter).__name__}; parameters are tensors")
            if not parameter.is_leaf:
                raise ValueError(
                    f"{name}: not a leaf: a tensor of shape {parameter.shape} was computed; optimise what it was computed from"
                )
            if id(parameter) in held:
                raise ValueError(f"{name}: parameter appears twice: shape {parameter.shape}; it would be stepped twice")
            held.add(id(parameter))
        self._check_group(new)
        self.param_groups.append(new)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients, or fills them with zeros."""
        for parameter in self._parameters():
            parameter.grad = None if set_to_none or parameter.grad is None else zeros_like(parameter.grad)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Changes every parameter that has a gradient, in place. ``closure`` computes loss and gradients first; its result is returned."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._update(parameter, parameter.grad, group, self.state.setdefault(parameter, {}))
        return loss

    @abstractmethod
    def _update(self, parameter: Tensor, gradient: Tensor, group: Group, state: dict[str, Any]) -> None:
        """One parameter's step, off the tape."""

    def _check_group(self, group: Group) -> None:
        """Raises ValueError where a setting is out of its range: those that all optimisers have, here."""
        for key in ("lr", "weight_decay", "momentum", "eps"):
            if key in group and not group[key] >= 0:
                raise ValueError(f"{type(self).__name__}: {key} out of range: {group[key]}; must be at least 0")
        for beta in group.get("betas", ()):
            if not 0 <= beta < 1:
                raise ValueError(f"{type(self).__name__}: betas out of range: {group['betas']}; each must be in [0, 1)")

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def state_dict(self) -> dict[str, Any]:
        """``{"state": {number: {name: value}}, "param_groups": [settings with the parameters' numbers]}``, PyTorch's layout."""
        numbers = {id(parameter): number for number, parameter in enumerate(self._parameters())}
        groups = [{**group, "params": [numbers[id(parameter)] for parameter in group["params"]]} for group in self.param_groups]
        return {"state": {numbers[id(parameter)]: dict(kept) for parameter, kept in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over settings and state, copied. Raises ValueError where the groups or shapes are not this optimiser's; then nothing was
        changed."""
        name = type(self).__name__
        groups = state_dict["param_groups"]
        sizes, own_sizes = [len(group["params"]) for group in groups], [len(group["params"]) for group in self.param_groups]
        if sizes != own_sizes:
            raise ValueError(
                f"{name}: state does not fit: its groups have {sizes} parameters, the optimiser's {own_sizes}; they must be equal"
            )
        parameters = dict(zip((number for group in groups for number in group["params"]), self._parameters(), strict=True))
        if unknown := [number for number in state_dict["state"] if number not in parameters]:
            raise ValueError(
                f"{name}: state does not fit: it has the parameters {unknown[:10]}, which no group has; they must be in a group"
            )
        self.state = {parameters[number]: _converted(name, kept, parameters[number]) for number, kept in state_dict["state"].items()}
        for own, group in zip(self.param_groups, groups, strict=True):
            own.update({key: value for key, value in group.items() if key != "params"})

    def __repr__(self) -> str:
        settings = ({key: value for key, value in group.items() if key != "params"} for group in self.param_groups)
        lines = (f"  {len(group['params'])} parameters: {s}" for group, s in zip(self.param_groups, settings, strict=True))
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])


def state_like(parameter: Tensor) -> Tensor:
    """Zeros of the parameter's shape, on its device, in the type that states have: float64 for float64, otherwise float32."""
    return zeros(parameter.shape, dtype="float64" if parameter.dtype.name == "float64" else "float32", device=parameter.device)


def _as_groups(name: str, params: Params) -> list[Mapping[str, Any]]:
    if isinstance(params, Tensor):
        raise TypeError(f"{name}: params is one tensor: shape {params.shape}; it must be an iterable of tensors, [tensor]")
    items = list(params)
    if not items:
        raise ValueError(f"{name}: no parameters: params is empty; a generator that was used up is, too")
    return cast("list[Mapping[str, Any]]", items) if isinstance(items[0], Mapping) else [{"params": items}]


def _converted(name: str, kept: Mapping[str, Any], parameter: Tensor) -> dict[str, Any]:
    """A parameter's state from another optimiser, as this one keeps it: copies in the state's dtype, and the step's number as an int."""
    result: dict[str, Any] = {}
    for key, value in kept.items():
        if key == "step":
            result[key] = int(value)
        elif value is None or isinstance(value, bool | int | float | str):
            result[key] = value
        else:
            given, copy = as_tensor(value), state_like(parameter)
            if given.shape != copy.shape:
                raise ValueError(f"{name}: state does not fit: {key!r} is {given.shape}, the parameter {copy.shape}; they must be equal")
            copy[...] = given
            result[key] = copy
    return result
