"""One step of an optimiser over one parameter, in place and in one pass over memory. Not differentiable.

Throughout, θ is the parameter, g its gradient (its sign turned where ``options.maximize``), γ the learning rate and λ the weight decay of
``options``. Parameters are float16, bfloat16, float32 or float64. The state is float64 for float64 parameters and float32 for all others,
which is also the type the arithmetic is done in; the first step wants it filled with zeros. Raises TypeError where a dtype does not fit;
ValueError where shapes differ, where something to be overwritten is not contiguous or read-only, and where two arguments share memory; both
before anything is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyengine import _engine
from pyengine._engine import StepOptions

if TYPE_CHECKING:
    from pyengine.tensor import Tensor

__all__ = ["StepOptions", "adam_step", "rmsprop_step", "sgd_step"]


def sgd_step(
    parameter: Tensor,
    gradient: Tensor,
    momentum_buffer: Tensor | None,
    options: StepOptions,
    *,
    momentum: float,
    dampening: float,
    nesterov: bool,
) -> None:
    """Stochastic gradient descent, with momentum where ``momentum_buffer`` b is given.

        g ← g + λ θ
        b ← momentum b + (1 - dampening) g
        θ ← θ - γ (g + momentum b  if nesterov, else  b);   without b:  θ ← θ - γ g

    Source: Sutskever et al. 2013, On the importance of initialization and momentum in deep learning, section 2; with γ outside b, as
    PyTorch has it.
    """
    buffer = None if momentum_buffer is None else momentum_buffer._array
    _engine.sgd_step(parameter._array, gradient._array, buffer, options, momentum, dampening, nesterov)


def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    first_moment: Tensor,
    second_moment: Tensor,
    max_second_moment: Tensor | None,
    options: StepOptions,
    *,
    step: int,
    betas: tuple[float, float],
    eps: float,
    decoupled_weight_decay: bool,
) -> None:
    """Adam's step number t (from 1), AdamW's with ``decoupled_weight_decay``, AMSGrad's where ``max_second_moment`` is given.

        g ← g + λ θ;   decoupled:  θ ← (1 - γ λ) θ
        m ← β1 m + (1 - β1) g
        v ← β2 v + (1 - β2) g²
        θ ← θ - γ m̂ / (√v̂ + eps),   m̂ = m / (1 - β1^t),   v̂ = v / (1 - β2^t);   AMSGrad: the largest v so far for v

    Source: Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019, algorithm 2; Reddi et al. 2018, algorithm 2.
    """
    largest = None if max_second_moment is None else max_second_moment._array
    corrections = (1 - betas[0] ** step, 1 - betas[1] ** step)
    _engine.adam_step(
        parameter._array,
        gradient._array,
        first_moment._array,
        second_moment._array,
        largest,
        options,
        *betas,
        eps,
        *corrections,
        decoupled_weight_decay,
    )


def rmsprop_step(
    parameter: Tensor,
    gradient: Tensor,
    square_average: Tensor,
    gradient_average: Tensor | None,
    momentum_buffer: Tensor | None,
    options: StepOptions,
    *,
    alpha: float,
    eps: float,
    momentum: float,
) -> None:
    """RMSprop; centred where ``gradient_average`` a is given, with momentum where ``momentum_buffer`` b is.

        g ← g + λ θ
        s ← α s + (1 - α) g²
        a ← α a + (1 - α) g
        u = g / (√(s - a²) + eps)         (without a:  √s)
        b ← momentum b + u
        θ ← θ - γ b                       (without b:  γ u)

    Source: Hinton 2012, Neural Networks for Machine Learning, lecture 6e; centred: Graves 2013, Generating Sequences with RNNs, equations
    38-45.
    """
    average = None if gradient_average is None else gradient_average._array
    buffer = None if momentum_buffer is None else momentum_buffer._array
    _engine.rmsprop_step(parameter._array, gradient._array, square_average._array, average, buffer, options, alpha, eps, momentum)
