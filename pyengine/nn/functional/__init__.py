"""Functions behind the layers, with PyTorch's names: those of ops that are functions of a network, and what is composed of them."""

from pyengine.nn.functional.activation import *
from pyengine.nn.functional.dropout import *
from pyengine.nn.functional.interpolate import *
from pyengine.nn.functional.linear import *
from pyengine.nn.functional.loss import *
from pyengine.nn.functional.padding import *
from pyengine.ops.attention import *
from pyengine.ops.conv import *
from pyengine.ops.cross_entropy import *
from pyengine.ops.norm import *
from pyengine.ops.pool import *
