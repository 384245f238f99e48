"""Optional packages: imported when they are needed, named with their pip command when they are missing."""

from __future__ import annotations

import importlib
from typing import Any


class MissingExtraError(ImportError):
    """An optional package is needed and not installed."""


def require(module: str, extra: str, purpose: str) -> Any:
    """The module, or a MissingExtraError of one line: what for, and how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs {module.partition('.')[0]}, which is not installed ({error}); pip install '{extra}'"
        ) from None
