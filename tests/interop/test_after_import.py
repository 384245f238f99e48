"""after_import: its function runs once, whichever comes first, and never stands in the package's way."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyengine.interop.after_import import after_import

NAME = "package_to_wait_for"


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    (tmp_path / f"{NAME}.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    finders = list(sys.meta_path)
    yield []
    sys.meta_path[:] = finders
    sys.modules.pop(NAME, None)


def test_a_package_that_comes_later(calls: list[str]) -> None:
    after_import(NAME, lambda: calls.append(f"value is {sys.modules[NAME].value}"))
    assert NAME not in sys.modules
    assert importlib.util.find_spec(NAME) is not None  # looking is not importing
    assert calls == []
    module = importlib.import_module(NAME)
    assert calls == ["value is 1"]
    assert (
        type(module.__loader__)
        is type(module.__spec__.loader)
        is type(importlib.util.spec_from_file_location(NAME, module.__file__).loader)
    )
    importlib.reload(module)
    assert calls == ["value is 1"]


def test_a_package_that_is_there(calls: list[str]) -> None:
    importlib.import_module(NAME)
    after_import(NAME, lambda: calls.append("at once"))
    assert calls == ["at once"]


def test_an_import_that_fails_can_be_tried_again(calls: list[str], tmp_path: Path) -> None:
    after_import(NAME, lambda: calls.append("now"))
    (tmp_path / f"{NAME}.py").write_text("raise ImportError('not today')\n")
    with pytest.raises(ImportError, match="not today"):
        importlib.import_module(NAME)
    assert calls == []
    (tmp_path / f"{NAME}.py").write_text("value = 22\n")
    importlib.invalidate_caches()
    importlib.import_module(NAME)
    assert calls == ["now"]


def test_what_the_function_raises_is_a_warning(calls: list[str]) -> None:
    after_import(NAME, lambda: 1 // 0)
    with pytest.warns(RuntimeWarning, match=f"pyengine: not registered with {NAME}: ZeroDivisionError"):
        assert importlib.import_module(NAME).value == 1


def test_a_package_that_is_not_installed(calls: list[str]) -> None:
    after_import("no_such_package", lambda: calls.append("never"))
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("no_such_package")
    assert calls == []
