"""Names of other libraries: the error says what they are called here, and that exists."""

from __future__ import annotations

import re

import pytest

import pyengine as pe
from pyengine import hints


@pytest.mark.parametrize("name", hints._FUNCTIONS)
def test_a_function_of_another_name(name: str) -> None:
    with pytest.raises(AttributeError, match=f"no attribute '{name}'; use pe") as error:
        getattr(pe, name)
    assert callable(getattr(pe, str(error.value).rpartition("pe.")[2]))


@pytest.mark.parametrize("name", hints._METHODS)
def test_a_method_of_another_name(name: str) -> None:
    with pytest.raises(AttributeError, match=f"no attribute '{name}'; use ") as error:
        getattr(pe.zeros(3), name)
    for attribute in re.findall(r"\bx\.(\w+)", str(error.value)):
        assert hasattr(pe.zeros((3, 3)), attribute)
    for function in re.findall(r"\bpe\.(\w+)", str(error.value)):
        assert hasattr(pe, function)


def test_functions_that_are_no_methods() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'softmax'; use pe\.softmax\(x, \.\.\.\)"):
        getattr(pe.zeros(3), "softmax")  # noqa: B009  a type checker knows that there is none
    with pytest.raises(AttributeError, match=r"no attribute 'add_'; use x\[\.\.\.\] = pe\.add\(x, \.\.\.\)"):
        getattr(pe.zeros(3), "add_")  # noqa: B009


@pytest.mark.parametrize("thing", [pe, pe.zeros(3)], ids=["namespace", "tensor"])
def test_what_nobody_knows(thing: object) -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'frobnicate'$"):
        getattr(thing, "frobnicate")  # noqa: B009


def test_modules_of_ops_do_not_stand_beside_the_functions() -> None:
    assert not hasattr(pe, "complex")
    assert not hasattr(pe, "padding")
    assert pe.linalg.__name__ == "pyengine.linalg"
