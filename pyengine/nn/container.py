"""Modules that hold modules: Sequential, ModuleList, ModuleDict. The keys of their state are positions, or names."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Self, overload

from pyengine.nn.module import Module

__all__ = ["ModuleDict", "ModuleList", "Sequential"]


class _Ordered(Module):
    """What Sequential and ModuleList share: a list of parts, each an attribute named by its position."""

    def __len__(self) -> int:
        return len(list(self._own_modules()))

    def __iter__(self) -> Iterator[Module]:
        return (module for _, module in self._own_modules())

    def __setitem__(self, index: int, module: Module) -> None:
        name = list(self._own_modules())[index][0]
        setattr(self, name, _checked(self, module))

    def __delitem__(self, index: int | slice) -> None:
        modules = list(self)
        del modules[index]
        self._renumber(modules)

    def insert(self, index: int, module: Module) -> None:
        modules = list(self)
        modules.insert(index, module)
        self._renumber(modules)

    def append(self, module: Module) -> Self:
        setattr(self, str(len(self)), _checked(self, module))
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        for module in modules:
            self.append(module)
        return self

    def _renumber(self, modules: list[Module]) -> None:
        for module in modules:
            _checked(self, module)
        for name, _ in list(self._own_modules()):
            delattr(self, name)
        self.extend(modules)


class Sequential(_Ordered):
    """f(x) = f_n(… f_2(f_1(x))): each module's result is the next one's argument.

    Takes the modules in order, or one mapping from names to modules. Raises TypeError for what is no module.
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                setattr(self, _free_name(self, name), _checked(self, module))
        else:
            self.extend(_checked(self, module) for module in modules)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module:
        named = list(self._own_modules())
        return Sequential(dict(named[index])) if isinstance(index, slice) else named[index][1]

    def forward(self, x: Any) -> Any:
        for module in self:
            x = module(x)
        return x


class ModuleList(_Ordered):
    """A list of modules that are parts of the module it is assigned to; what calls them, the user writes."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> ModuleList: ...
    def __getitem__(self, index: int | slice) -> Module:
        modules = list(self)
        return ModuleList(modules[index]) if isinstance(index, slice) else modules[index]


class ModuleDict(Module):
    """A dictionary of modules that are parts of the module it is assigned to; what calls them, the user writes."""

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        super().__init__()
        self.update(modules)

    def __len__(self) -> int:
        return len(self._parts())

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts())

    def __contains__(self, name: object) -> bool:
        return name in self._parts()

    def __getitem__(self, name: str) -> Module:
        return self._parts()[name]

    def __setitem__(self, name: str, module: Module) -> None:
        setattr(self, name if name in self else _free_name(self, name), _checked(self, module))

    def __delitem__(self, name: str) -> None:
        del self._parts()[name]
        delattr(self, name)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        for name, module in dict(modules).items():
            self[name] = module

    def pop(self, name: str) -> Module:
        module = self[name]
        del self[name]
        return module

    def keys(self) -> KeysView[str]:
        return self._parts().keys()

    def values(self) -> ValuesView[Module]:
        return self._parts().values()

    def items(self) -> ItemsView[str, Module]:
        return self._parts().items()

    def _parts(self) -> dict[str, Module]:
        return dict(self._own_modules())


def _checked(owner: Module, module: Any) -> Module:
    if not isinstance(module, Module):
        raise TypeError(
            f"{type(owner).__name__}: not a module: {module!r}; parts are modules, functions have a layer of that name (relu: nn.ReLU())"
        )
    return module


def _free_name(owner: Module, name: str) -> str:
    if "." in name or not name or hasattr(owner, name):
        raise KeyError(
            f"{type(owner).__name__}: name cannot be used: {name!r}; it must not be empty, contain a dot, or be an attribute of a module"
        )
    return name
