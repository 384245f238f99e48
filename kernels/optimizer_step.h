// sgd_step, adam_step, rmsprop_step: one step of an optimiser over one parameter, in place, in one pass over its memory.
//
//   parameter, gradient: n contiguous elements of `type`, float64, float32, float16 or bfloat16
//   state (momentum, moments, averages): n contiguous elements, float64 for float64, otherwise float32; the first step wants zeros
//   parameter and state are overwritten; no two of the arrays overlap. Arithmetic is in the state's type, the parameter rounds once.
//   n 0: nothing is written. NaN and Inf propagate as in the formulae of pyengine/ops/optimizer_step.py.
//   Elements are independent, so results do not depend on threads.
#pragma once

#include <cstdint>

#include "kernels/element_type.h"
#include "kernels/isa.h"

namespace pyengine::kernels {

struct StepArgs {
    ElementType type;
    std::int64_t n;
    void* parameter;
    const void* gradient;
    bool maximize;  // climb: the gradient's sign is turned
    double learning_rate, weight_decay;
};

struct SgdStepArgs : StepArgs {
    void* momentum_buffer;  // null without momentum
    double momentum, dampening;
    bool nesterov;
};

struct AdamStepArgs : StepArgs {
    void* first_moment;
    void* second_moment;
    void* max_second_moment;  // null without AMSGrad
    double beta1, beta2, epsilon;
    double bias_correction1, bias_correction2;  // 1 - beta^t
    bool decoupled_weight_decay;                // AdamW
    const std::int64_t* replays = nullptr;      // in a CUDA graph: how many replays there were before this one, which t does not count
};

struct RmspropStepArgs : StepArgs {
    void* square_average;
    void* gradient_average;  // null unless centred
    void* momentum_buffer;   // null without momentum
    double alpha, epsilon, momentum;
};

template <Isa isa>
void sgd_step(const SgdStepArgs& args);

template <Isa isa>
void adam_step(const AdamStepArgs& args);

template <Isa isa>
void rmsprop_step(const RmspropStepArgs& args);

}  // namespace pyengine::kernels
