#include "kernels/softmax_cross_entropy.h"

#include <optional>

#include "csrc/check_position.h"
#include "csrc/float_checks.h"
#include "csrc/ops.h"

namespace pyengine::ops {
namespace {

constexpr const char* op = "softmax_cross_entropy";

std::int64_t class_axis(const Array& logits) { return logits.rank() == 1 ? 0 : 1; }

/// The shape of one value a row: logits without the class axis.
Dims row_shape(const Array& logits) {
    Dims shape;
    for (std::int64_t i = 0; i < logits.rank(); ++i)
        if (i != class_axis(logits)) shape.push_back(logits.shape()[static_cast<std::size_t>(i)]);
    return shape;
}

void fail_at(std::int64_t position, const Array& classes, const std::int64_t& n, const std::int64_t& ignore_index) {
    fail<IndexError>(op, ": class out of range: ", element(classes, position), " at position ", position,
                     " of the flattened target; must be in [0, ", n, "), or equal to ignore_index (", ignore_index, ")");
}

void check(const Array& logits, const Array& target, const CrossEntropyOptions& options) {
    check_floating(op, "logits", logits);
    common_device(op, {&logits, &target, options.weight ? &*options.weight : &logits});
    if (logits.rank() == 0) fail_value(op, ": logits have no class axis: shape (); must be (C,), (N, C) or (N, C, d1, ...)");
    if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1))
        fail_value(op, ": label_smoothing out of range: ", options.label_smoothing, "; must be in [0, 1]");
    if (is_floating(target.dtype())) {
        check_same_dtype(op, "target", target, "logits", logits);
        check_same_shape(op, "target", target, "logits", logits);
        if (options.ignore_index >= 0)
            fail_value(op, ": ignore_index with a target of probabilities: ", options.ignore_index,
                       "; only a target of class indices has it");
    } else {
        if (kind_of(target.dtype()) != Kind::integer)
            fail_type(op, ": target is neither integer nor floating: ", target.dtype(), "; must be class indices or probabilities");
        if (!(target.shape() == row_shape(logits)))
            fail_value(op, ": target does not fit logits: target ", target.shape(), ", logits ", logits.shape(),
                       "; a target of class indices must be ", row_shape(logits));
    }
    if (const auto& weight = options.weight) {
        check_same_dtype(op, "weight", *weight, "logits", logits);
        const std::int64_t n = logits.shape()[static_cast<std::size_t>(class_axis(logits))];
        if (!(weight->shape() == Dims{n}))
            fail_value(op, ": weight does not fit logits: weight ", weight->shape(), ", logits ", logits.shape(), "; must be ", Dims{n},
                       ", one for each class");
    }
}

/// The operands as the kernels want them, and the arrays that keep them alive.
struct Operands {
    Operands(const Array& given_logits, const Array& given_target, const CrossEntropyOptions& options)
        : logits(contiguous(given_logits)),
          target(is_floating(given_target.dtype()) ? contiguous(given_target) : astype(given_target, DType::int64)),
          weight(options.weight ? std::optional(contiguous(*options.weight)) : std::nullopt) {
        const bool indices = target.dtype() == DType::int64;
        const std::int64_t axis = class_axis(logits);
        problem.type = logits.dtype();
        problem.outer = count_between(logits.shape(), 0, axis);
        problem.n = logits.shape()[static_cast<std::size_t>(axis)];
        problem.inner = count_between(logits.shape(), axis + 1, logits.rank());
        problem.logits = logits.raw();
        problem.classes = indices ? target.data<std::int64_t>() : nullptr;
        problem.distribution = indices ? nullptr : target.raw();
        problem.weight = weight ? weight->raw() : nullptr;
        problem.ignore_index = options.ignore_index;
        problem.label_smoothing = options.label_smoothing;
    }

    void check_classes() const {
        if (problem.classes) check_inside(target, problem.n, problem.ignore_index, fail_at, problem.n, problem.ignore_index);
    }

    Array logits, target;
    std::optional<Array> weight;
    kernels::CrossEntropyProblem problem{};
};

}  // namespace

std::pair<Array, Array> softmax_cross_entropy(const Array& logits, const Array& target, const CrossEntropyOptions& options) {
    check(logits, target, options);
    const Operands operands(logits, target, options);
    operands.check_classes();
    const Device device = logits.device();
    const Array loss(row_shape(logits), accumulation_type(logits.dtype()), device), logsumexp(loss.shape(), loss.dtype(), device);
    const kernels::SoftmaxCrossEntropyArgs args{operands.problem, loss.raw(), logsumexp.raw()};
    on_device(logits.device(), [&]<Isa level> { kernels::softmax_cross_entropy<level>(args); });
    return {loss, logsumexp};
}

Array softmax_cross_entropy_backward(const Array& grad, const Array& logsumexp, const Array& logits, const Array& target,
                                     const CrossEntropyOptions& options) {
    check(logits, target, options);
    check_same_shape(op, "grad", grad, "logsumexp", logsumexp);
    common_device(op, {&logits, &grad, &logsumexp});
    const Operands operands(logits, target, options);
    if (logits.device() == Device{}) operands.check_classes();  // elsewhere that waits, and the kernel ignores bad classes
    const Array g = astype(grad, accumulation_type(logits.dtype())), log_total = astype(logsumexp, g.dtype()),
                dlogits(logits.shape(), logits.dtype(), logits.device());
    const kernels::SoftmaxCrossEntropyBackwardArgs args{operands.problem, g.raw(), log_total.raw(), dlogits.raw()};
    on_device(logits.device(), [&]<Isa level> { kernels::softmax_cross_entropy_backward<level>(args); });
    return dlogits;
}

}  // namespace pyengine::ops
