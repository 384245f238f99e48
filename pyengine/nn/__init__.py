"""Layers, with PyTorch's names, layouts, initial distributions and state keys."""

from pyengine.nn import functional, utils
from pyengine.nn.activation import *
from pyengine.nn.container import *
from pyengine.nn.flatten import *
from pyengine.nn.loss import *
from pyengine.nn.module import *
from pyengine.nn.parameter import *
