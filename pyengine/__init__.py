"""pyengine: a lightweight tensor engine with handwritten kernels and a tape one can read."""

import math as _math

from pyengine import tensor as _tensor  # first: it sets the order in which the modules that know each other are made
from pyengine._engine import OutOfMemoryError
from pyengine._engine import set_thread_count as set_num_threads
from pyengine._engine import thread_count as get_num_threads
from pyengine._engine import version as __version__
from pyengine.anomaly import AnomalyError, detect_anomaly
from pyengine.autograd import checkpoint, enable_grad, grad, gradients, is_grad_enabled, jvp, no_grad, value_and_grad, vjp
from pyengine.creation import *
from pyengine.dtypes import (
    DType,
    bfloat16,
    finfo,
    float16,
    float32,
    float64,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    isdtype,
    uint8,
    uint16,
    uint32,
    uint64,
)
from pyengine.dtypes import bool_ as bool
from pyengine.ops import *
from pyengine.serialization import load, load_metadata, save
from pyengine.tensor import Tensor

# isort: split
from pyengine import data, nn, optim  # made of everything above
from pyengine.config import show_config

e, pi, inf, nan, newaxis = _math.e, _math.pi, _math.inf, _math.nan, None
