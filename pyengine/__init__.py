"""pyengine: a lightweight tensor engine with handwritten kernels and a tape one can read."""

import importlib as _importlib
import math as _math
from functools import partial as _partial
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING as _TYPE_CHECKING

try:
    from pyengine import _engine
except ImportError as _error:
    raise ImportError(
        f"pyengine: no engine in {__path__[0]}: where this is the source folder, which Python finds first when it runs there, "
        "run it elsewhere, or install with pip install -e ."
    ) from _error
from pyengine import dtypes as _dtypes
from pyengine import hints as _hints
from pyengine import tensor as _tensor  # first: it sets the order in which the modules that know each other are made
from pyengine.anomaly import *
from pyengine.autograd import *
from pyengine.config import *
from pyengine.creation import *
from pyengine.device import *
from pyengine.dtypes import *
from pyengine.interop.after_import import after_import as _after_import
from pyengine.namespace_info import *
from pyengine.ops import *
from pyengine.precision import *
from pyengine.serialization import *
from pyengine.tensor import *

if _TYPE_CHECKING:
    from pyengine import cuda as cuda
    from pyengine import data as data
    from pyengine import fft as fft
    from pyengine import lib as lib
    from pyengine import linalg as linalg
    from pyengine import models as models
    from pyengine import nn as nn
    from pyengine import optim as optim
    from pyengine import simulator as simulator

__version__ = _engine.version
__array_api_version__ = "2025.12"
OutOfMemoryError = _engine.OutOfMemoryError
get_num_threads = _engine.thread_count
set_num_threads = _engine.set_thread_count
bool = _dtypes.bool_
e, pi, inf, nan, newaxis = _math.e, _math.pi, _math.inf, _math.nan, None

_made_of_ops = ("cuda", "data", "fft", "lib", "linalg", "models", "nn", "optim", "simulator")

# With the ops came the modules that they are in; the extensions linalg and fft, of the same names as some, are imported when first used.
for _name, _module in list(globals().items()):
    if isinstance(_module, _ModuleType) and _module.__name__.startswith("pyengine.ops."):
        del globals()[_name]
del _name, _module


def __getattr__(name: str) -> _ModuleType:
    """The namespaces above the ops are imported when first used: they would double the time that an import takes."""
    if name in _made_of_ops:
        return _importlib.import_module(f"pyengine.{name}")
    raise AttributeError(f"module 'pyengine' has no attribute '{name}'{_hints.of_function(name)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_made_of_ops})


for _library, _told in (
    ("autoray", "autoray"),
    ("einops", "einops"),
    ("tensorly.backend", "tensorly"),
):  # told of our Tensor once both are imported
    _after_import(_library, _partial(_importlib.import_module, f"pyengine.interop.{_told}"))
