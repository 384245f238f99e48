// activation: out = f(x); activation_backward: out = g f'(x), for one of the functions below. Floats.
//
//                  f(x)                                             backward is given g and
//   relu           max(x, 0)                                        f(x)
//   sigmoid        1 / (1 + exp(-x))                                f(x)
//   tanh           tanh(x)                                          f(x)
//   silu           x sigmoid(x)                                     x
//   gelu           x P(x), P the normal distribution function       x
//   gelu_tanh      x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3)   x
//   softplus       log(1 + exp(x))                                  x
//
//   relu also takes integers; relu(-0) = 0. At 0 the derivative of relu is 0. NaN in, NaN out.
//   f(x) within 3 ulp; silu 4; gelu 8 + x^2 and gelu_tanh 3 + 3 |2 u| for negative x, where they fall off as exp(-x^2 / 2) and exp(2 u)
#pragma once

#include "kernels/elementwise.h"

namespace pyengine::kernels {

enum class Activation : std::uint8_t { relu, sigmoid, tanh, silu, gelu, gelu_tanh, softplus };

template <Isa isa>
void activation(Activation f, const ElementwiseArgs& args);

/// in[0] is g; in[1] is f(x) or x, as listed.
template <Isa isa>
void activation_backward(Activation f, const ElementwiseArgs& args);

}  // namespace pyengine::kernels
