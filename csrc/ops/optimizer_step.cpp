#include "kernels/optimizer_step.h"

#include <initializer_list>

#include "csrc/check.h"
#include "csrc/ops.h"

namespace pyengine::ops {
namespace {

struct State {
    const char* name;
    const std::optional<Array>& array;
};

void check_written(const char* op, const char* name, const Array& x) {
    if (!x.is_contiguous())
        fail_value(op, ": ", name, " is not contiguous: strides ", x.strides(), " for shape ", x.shape(), "; it is changed in place");
    if (x.storage()->readonly()) fail_value(op, ": ", name, " is read-only: shape ", x.shape(), "; it is changed in place");
}

void check_like_parameter(const char* op, const char* name, const Array& x, const Array& parameter, DType dtype) {
    common_device(op, {&parameter, &x});
    if (x.dtype() != dtype)
        fail_type(op, ": dtype of ", name, " does not fit: ", x.dtype(), ", parameter ", parameter.dtype(), "; it must be ", dtype);
    if (!(x.shape() == parameter.shape()))
        fail_value(op, ": shapes differ: ", name, " ", x.shape(), ", parameter ", parameter.shape(), "; they must be equal");
    if (may_overlap(x, parameter)) fail_value(op, ": ", name, " shares memory with the parameter: shape ", x.shape(), "; it needs its own");
}

void check(const char* op, const Array& parameter, const Array& gradient, std::initializer_list<State> states) {
    const DType dtype = parameter.dtype();
    if (!is_floating(dtype)) fail_type(op, ": parameter is not floating: ", dtype, "; it must be float16, bfloat16, float32 or float64");
    check_written(op, "parameter", parameter);
    check_like_parameter(op, "gradient", gradient, parameter, dtype);
    for (const State& state : states) {
        if (!state.array) continue;
        check_written(op, state.name, *state.array);
        check_like_parameter(op, state.name, *state.array, parameter, dtype == DType::float64 ? dtype : DType::float32);
        for (const State& other : states)
            if (&other != &state && other.array && may_overlap(*state.array, *other.array))
                fail_value(op, ": ", state.name, " shares memory with ", other.name, ": shape ", parameter.shape(), "; each needs its own");
    }
}

void* memory(const std::optional<Array>& x) { return x ? x->raw() : nullptr; }

void mark_changed(const Array& parameter, std::initializer_list<State> states) {
    parameter.storage()->bump_version();
    for (const State& state : states)
        if (state.array) state.array->storage()->bump_version();
}

kernels::StepArgs step_args(const Array& parameter, const Array& gradient, const StepOptions& options) {
    return {parameter.dtype(), parameter.size(),      parameter.raw(),     gradient.raw(),
            options.maximize,  options.learning_rate, options.weight_decay};
}

}  // namespace

void sgd_step(const Array& parameter, const Array& gradient, const std::optional<Array>& momentum_buffer, const StepOptions& options,
              double momentum, double dampening, bool nesterov) {
    const std::initializer_list<State> states{{"momentum_buffer", momentum_buffer}};
    check("sgd_step", parameter, gradient, states);
    const Array g = contiguous(gradient);
    const kernels::SgdStepArgs args{step_args(parameter, g, options), memory(momentum_buffer), momentum, dampening, nesterov};
    on_device(parameter.device(), [&]<Isa level> { kernels::sgd_step<level>(args); });
    mark_changed(parameter, states);
}

void adam_step(const Array& parameter, const Array& gradient, const Array& first_moment, const Array& second_moment,
               const std::optional<Array>& max_second_moment, const StepOptions& options, double beta1, double beta2, double epsilon,
               double bias_correction1, double bias_correction2, bool decoupled_weight_decay) {
    const std::optional<Array> first = first_moment, second = second_moment;
    const std::initializer_list<State> states{{"first_moment", first}, {"second_moment", second}, {"max_second_moment", max_second_moment}};
    check("adam_step", parameter, gradient, states);
    const Array g = contiguous(gradient);
    const kernels::AdamStepArgs args{step_args(parameter, g, options),
                                     first->raw(),
                                     second->raw(),
                                     memory(max_second_moment),
                                     beta1,
                                     beta2,
                                     epsilon,
                                     bias_correction1,
                                     bias_correction2,
                                     decoupled_weight_decay,
                                     replays(parameter.device())};
    on_device(parameter.device(), [&]<Isa level> { kernels::adam_step<level>(args); });
    mark_changed(parameter, states);
}

void rmsprop_step(const Array& parameter, const Array& gradient, const Array& square_average, const std::optional<Array>& gradient_average,
                  const std::optional<Array>& momentum_buffer, const StepOptions& options, double alpha, double epsilon, double momentum) {
    const std::optional<Array> square = square_average;
    const std::initializer_list<State> states{
        {"square_average", square}, {"gradient_average", gradient_average}, {"momentum_buffer", momentum_buffer}};
    check("rmsprop_step", parameter, gradient, states);
    const Array g = contiguous(gradient);
    const kernels::RmspropStepArgs args{
        step_args(parameter, g, options), square->raw(), memory(gradient_average), memory(momentum_buffer), alpha, epsilon, momentum};
    on_device(parameter.device(), [&]<Isa level> { kernels::rmsprop_step<level>(args); });
    mark_changed(parameter, states);
}

}  // namespace pyengine::ops
