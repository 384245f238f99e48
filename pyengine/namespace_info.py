"""What the array API standard lets one ask about this namespace."""

from __future__ import annotations

from typing import Any

from pyengine import dtypes
from pyengine.device import as_device, available_devices, get_default_device
from pyengine.dtypes import DType

__all__ = ["__array_namespace_info__"]

_standard = tuple(dtype for dtype in dtypes.all_dtypes if dtype not in (dtypes.float16, dtypes.bfloat16))


class _Devices(tuple[str, ...]):
    """A tuple, as of 2025.12, that can be added to a list, as what it was before."""

    __slots__ = ()

    def __add__(self, other: Any) -> Any:
        return [*self, *other] if isinstance(other, list) else super().__add__(other)


class __array_namespace_info__:
    """Inspection of the namespace (array API standard 2025.12): ``info = pe.__array_namespace_info__()``."""

    __module__ = "pyengine"

    def capabilities(self) -> dict[str, Any]:
        """All there are, and no limit on the number of axes."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": None}

    def default_device(self) -> str:
        return get_default_device()

    def devices(self) -> tuple[str, ...]:
        return _Devices(available_devices())

    def default_dtypes(self, *, device: str | None = None) -> dict[str, DType]:
        """What creation functions choose where nobody says."""
        as_device("default_dtypes", device)
        return {
            "real floating": dtypes.get_default_dtype(),
            "complex floating": dtypes.default_complex(),
            "integral": dtypes.int64,
            "indexing": dtypes.int64,
        }

    def dtypes(self, *, device: str | None = None, kind: str | tuple[str, ...] | None = None) -> dict[str, DType]:
        """The standard's dtypes by name, all or those of a kind (see :func:`pyengine.isdtype`); float16 and bfloat16 are extras."""
        as_device("dtypes", device)
        return {dtype.name: dtype for dtype in _standard if kind is None or dtypes.isdtype(dtype, kind)}
