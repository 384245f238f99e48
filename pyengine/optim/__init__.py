"""Optimisers and schedules of their learning rates."""

from pyengine.optim import lr_scheduler
from pyengine.optim.adam import Adam, AdamW
from pyengine.optim.muon import Muon
from pyengine.optim.optimizer import Optimizer
from pyengine.optim.rmsprop import RMSprop
from pyengine.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Muon", "Optimizer", "RMSprop", "lr_scheduler"]
