"""Module: a function with parameters, and what every layer and model shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self, TypeVar

from pyengine import anomaly
from pyengine.autograd import no_grad
from pyengine.creation import destination, zeros_like
from pyengine.device import as_device
from pyengine.dtypes import as_dtype, is_floating
from pyengine.nn.parameter import Parameter
from pyengine.tensor import Tensor, as_tensor

__all__ = ["Module"]

T = TypeVar("T")
ForwardPreHook = Callable[["Module", tuple[Any, ...]], Any]
ForwardHook = Callable[["Module", tuple[Any, ...], Any], Any]


class IncompatibleKeys(NamedTuple):
    """What :meth:`Module.load_state_dict` found no place for."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base of all layers and models: assign parameters, buffers and other modules as attributes, and write ``forward``.

    What an attribute is, its type says: a :class:`Parameter` is learned, a Module is a part, a Tensor named by :meth:`register_buffer` is
    state that is saved but not learned. Names of attributes joined by dots are the keys of :meth:`state_dict`, as in PyTorch.

    >>> import pyengine as pe
    >>> class Scale(pe.nn.Module):
    ...     def __init__(self) -> None:
    ...         super().__init__()
    ...         self.factor = pe.nn.Parameter(pe.ones((1,)))
    ...     def forward(self, x: pe.Tensor) -> pe.Tensor:
    ...         return self.factor * x
    >>> list(Scale().state_dict())
    ['factor']
    """

    forward: Callable[..., Any]
    training: bool
    _buffers: dict[str, bool]  # names, and whether they are saved
    _forward_pre_hooks: list[ForwardPreHook]
    _forward_hooks: list[ForwardHook]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        module = super().__new__(cls)
        module.training = True
        module._buffers, module._forward_pre_hooks, module._forward_hooks = {}, [], []
        return module

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        layers = anomaly.layers()
        layers.append(self)
        try:
            for pre_hook in self._forward_pre_hooks:
                changed = pre_hook(self, args)
                args = args if changed is None else changed if isinstance(changed, tuple) else (changed,)
            result = self.forward(*args, **kwargs)
            for hook in self._forward_hooks:
                changed = hook(self, args, result)
                result = result if changed is None else changed
            return result
        except Exception as error:
            if not getattr(error, "__notes__", ()):
                error.add_note(f"in layer {anomaly.layer_name()}")
            raise
        finally:
            layers.pop()

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(vars(self).get(name), Parameter) and not isinstance(value, Parameter | None):
            raise TypeError(
                f"{type(self).__name__}: '{name}' is a parameter: assigned a {type(value).__name__}; "
                "assign a Parameter or None, or change its values under no_grad(): module.name[...] = values"
            )
        object.__setattr__(self, name, value)

    # What it holds ----------------------------------------------------------------------------------------------------------------------

    def register_buffer(self, name: str, value: Tensor | None, persistent: bool = True) -> None:
        """Makes ``value`` the attribute ``name``: state that moves and, if ``persistent``, is saved with the module, but is not learned."""
        setattr(self, name, value)
        self._buffers[name] = persistent

    def register_parameter(self, name: str, value: Parameter | None) -> None:
        """``setattr(module, name, value)``, for names that are computed."""
        setattr(self, name, value)

    def add_module(self, name: str, module: Module | None) -> None:
        """``setattr(module, name, part)``, for names that are computed."""
        setattr(self, name, module)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules that are attributes of this one, each once."""
        return _unique(self._own_modules())

    def children(self) -> Iterator[Module]:
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module, then all its parts, depth first, each once, with their dotted names; its own is ``prefix``."""
        return _unique(self._walk(prefix))

    def modules(self) -> Iterator[Module]:
        return (module for _, module in self.named_modules())

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their dotted names; one that has several names comes once, under the first."""
        return _unique(self._named_tensors(prefix, recurse, Module._own_parameters))

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        return _unique(self._named_tensors(prefix, recurse, Module._own_buffers))

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The part with this dotted name; AttributeError if there is none."""
        found = self
        for name in target.split(".") if target else ():
            part = vars(found).get(name)
            if not isinstance(part, Module):
                raise AttributeError(
                    f"get_submodule: no part '{name}' of '{target}' in {type(found).__name__}; "
                    f"it has {[n for n, _ in found.named_children()]}"
                )
            found = part
        return found

    def _own_modules(self) -> Iterator[tuple[str, Module]]:
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def _own_parameters(self) -> Iterator[tuple[str, Parameter]]:
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Parameter))

    def _own_buffers(self) -> Iterator[tuple[str, Tensor]]:
        return ((name, value) for name in self._buffers if (value := getattr(self, name)) is not None)

    def _own_tensors(self) -> Iterator[tuple[str, Tensor]]:
        yield from self._own_parameters()
        yield from self._own_buffers()

    def _own_state(self) -> Iterator[tuple[str, Tensor]]:
        yield from self._own_parameters()
        yield from ((name, value) for name, value in self._own_buffers() if self._buffers[name])

    def _walk(self, prefix: str) -> Iterator[tuple[str, Module]]:
        yield prefix, self
        for name, child in self._own_modules():
            yield from child._walk(f"{prefix}.{name}" if prefix else name)

    def _named_tensors(self, prefix: str, recurse: bool, own: Callable[[Module], Iterator[tuple[str, Any]]]) -> Iterator[tuple[str, Any]]:
        for path, module in self._walk(prefix) if recurse else [(prefix, self)]:
            yield from ((f"{path}.{name}" if path else name, value) for name, value in own(module))

    # Its state --------------------------------------------------------------------------------------------------------------------------

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        """All parameters and saved buffers by dotted name, detached and sharing memory; the keys are PyTorch's."""
        return {prefix + name: value.detach() for name, value in self._named_tensors("", True, Module._own_state)}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copies the values of ``state_dict`` (tensors, or anything :func:`asarray` takes) into parameters and buffers, converted to their
        dtypes.

        Raises ValueError where shapes differ and, if ``strict``, where keys are missing or unexpected; then nothing was changed.
        """
        own = dict(self._named_tensors("", True, Module._own_state))
        given = {name: as_tensor(state_dict[name]) for name in own if name in state_dict}
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        faults = [f"missing {missing}"] * (strict and bool(missing)) + [f"unexpected {unexpected}"] * (strict and bool(unexpected))
        faults += [
            f"'{name}' is {value.shape}, the model's {own[name].shape}" for name, value in given.items() if value.shape != own[name].shape
        ]
        if faults:
            rule = "keys and shapes must be equal" if strict else "shapes must be equal"
            raise ValueError(f"load_state_dict: state does not fit {type(self).__name__}: {'; '.join(faults)}; {rule}")
        with no_grad():
            for name, value in given.items():
                own[name][...] = value
        return IncompatibleKeys(missing, unexpected)

    def to(self, *args: Any, dtype: Any = None, device: Any = None) -> Self:
        """``to(dtype)``, ``to(device)``, ``to(device, dtype)``: converts parameters and buffers in place, dtypes of floating ones only."""
        dtype, device = destination(args, dtype, device)
        if dtype is not None and not is_floating(as_dtype(dtype)):
            raise TypeError(f"to: not a floating dtype: {as_dtype(dtype)}; the parameters of a module are floating")
        where = None if device is None else as_device("to", device)
        for _, value in self._named_tensors("", True, Module._own_tensors):
            wanted = dtype if is_floating(value.dtype) else None
            value._array = value.detach().to(dtype=wanted, device=where)._array
            if value.grad is not None:
                value.grad = value.grad.to(dtype=wanted, device=where)
        return self

    # How it runs ------------------------------------------------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Sets ``training`` here and in all parts: dropout drops, batch norms use the batch's statistics."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Whether gradients of the parameters are wanted; False freezes them."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters, or fills them with zeros."""
        for parameter in self.parameters():
            parameter.grad = None if set_to_none or parameter.grad is None else zeros_like(parameter.grad)

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Calls ``function`` with every part, innermost first, then with this module: for initialising."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def register_forward_pre_hook(self, hook: ForwardPreHook) -> Callable[[], None]:
        """Calls ``hook(module, args)`` before every ``forward``; what it returns, unless None, replaces ``args``. Returns the undo."""
        return _append(self._forward_pre_hooks, hook)

    def register_forward_hook(self, hook: ForwardHook) -> Callable[[], None]:
        """Calls ``hook(module, args, result)`` after every ``forward``; what it returns, unless None, replaces the result. Returns the
        undo."""
        return _append(self._forward_hooks, hook)

    def extra_repr(self) -> str:
        """What stands between the brackets of ``repr``; layers give their settings."""
        return ""

    def __repr__(self) -> str:
        lines = [f"  ({name}): {module!r}".replace("\n", "\n  ") for name, module in self.named_children()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        head = [f"  {self.extra_repr()}"] if self.extra_repr() else []
        return "\n".join([f"{type(self).__name__}(", *head, *lines, ")"])


def _unique(named: Iterator[tuple[str, T]]) -> Iterator[tuple[str, T]]:
    seen: set[int] = set()
    for name, value in named:
        if id(value) not in seen:
            seen.add(id(value))
            yield name, value


def _append(hooks: list[T], hook: T) -> Callable[[], None]:
    hooks.append(hook)
    return lambda: hooks.remove(hook) if hook in hooks else None
