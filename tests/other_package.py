"""A pytest plugin that runs the tests on another copy of the package: ``OTHER=folder python -m pytest -p tests.other_package``, where the
folder holds pyengine. Not in processes that a test starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder


class OtherPackage:
    """Comes before an editable install, which otherwise finds every module of the package where it was installed from."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, path or [os.environ["OTHER"]]) if name.partition(".")[0] == "pyengine" else None


sys.meta_path.insert(0, OtherPackage())
