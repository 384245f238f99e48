"""Runs a function as soon as another package is there, without importing that package: libraries that keep a register of their array types
learn ours whichever of the two is imported first."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from importlib.abc import Loader  # takes long to import

__all__ = ["after_import"]


def after_import(name: str, then: Callable[[], object]) -> None:
    """Calls ``then()`` at once if the package ``name`` is imported, else right after its first import.

    What ``then`` raises is a RuntimeWarning: another version of the package must stay importable.
    """
    if name in sys.modules:
        _run(name, then)
    else:
        sys.meta_path.insert(0, _Finder(name, then))


def _run(name: str, then: Callable[[], object]) -> None:
    try:
        then()
    except Exception as error:
        warnings.warn(f"pyengine: not registered with {name}: {type(error).__name__}: {error}", RuntimeWarning, stacklevel=2)


class _Finder:
    """Stands first on ``sys.meta_path`` until the package has been imported; lets the others find it, and follows its loader."""

    def __init__(self, name: str, then: Callable[[], object]) -> None:
        self.name = name
        self.then = then

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        spec = next((spec for finder in others if (spec := finder.find_spec(fullname, path, target)) is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = cast("Loader", _Loader(spec.loader, self))
        return spec


class _Loader:
    """The package's own loader, with one call more at the end."""

    def __init__(self, own: Loader, finder: _Finder) -> None:
        self.own = own
        self.finder = finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self.own  # the package never sees this one
        self.own.exec_module(module)
        sys.meta_path.remove(self.finder)
        _run(self.finder.name, self.finder.then)
