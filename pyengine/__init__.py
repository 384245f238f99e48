"""pyengine: a lightweight tensor engine with handwritten kernels and a tape one can read."""

from pyengine import tensor as tensor
