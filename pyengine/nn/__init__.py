"""Layers, with PyTorch's names, layouts, initial distributions and state keys."""

from pyengine.nn import functional, init, utils
from pyengine.nn.activation import *
from pyengine.nn.attention import *
from pyengine.nn.batchnorm import *
from pyengine.nn.container import *
from pyengine.nn.conv import *
from pyengine.nn.dropout import *
from pyengine.nn.embedding import *
from pyengine.nn.flatten import *
from pyengine.nn.linear import *
from pyengine.nn.loss import *
from pyengine.nn.module import *
from pyengine.nn.norm import *
from pyengine.nn.parameter import *
from pyengine.nn.pool import *
from pyengine.nn.transformer import *
from pyengine.nn.upsampling import *
