#include "kernels/reduce.h"

#include <algorithm>

#include "csrc/axis_group.h"
#include "csrc/check.h"
#include "csrc/ops.h"
#include "kernels/argreduce.h"

namespace pyengine::ops {
namespace {

// In the order of the enumeration.
constexpr const char* reduce_table[] = {"sum", "mean", "prod", "min", "max", "any", "all", "count_nonzero"};
static_assert(std::size(reduce_table) == static_cast<std::size_t>(ReduceOp::count_nonzero) + 1);

bool is_logical(ReduceOp op) { return op == ReduceOp::any || op == ReduceOp::all; }
/// Whether elements of this type are asked whether they are 0 before, and not in the kernel.
bool asked_before(ReduceOp op, DType dtype) {
    return is_logical(op) ? dtype != DType::boolean : op == ReduceOp::count_nonzero && is_complex(dtype);
}
bool is_extreme(ReduceOp op) { return op == ReduceOp::min || op == ReduceOp::max; }

DType result_type(ReduceOp op, DType dtype) {
    if (op == ReduceOp::count_nonzero) return DType::int64;
    return is_logical(op) || is_extreme(op) ? dtype : sum_type(dtype);
}

/// For each axis 1 or 0.
Dims axes_reduced(const char* op, const Array& x, const Dims& axes) {
    Dims reduced(x.shape().size());
    for (std::int64_t axis : axes) {
        const auto at = static_cast<std::size_t>(normalize_axis(op, axis, x.rank()));
        if (reduced[at]) fail_value(op, ": axis given twice: ", axes, "; every axis at most once");
        reduced[at] = 1;
    }
    return reduced;
}

/// What becomes of x's axes: the output's shape, and the axes in two groups.
struct Split {
    Split(const Array& x, const Dims& reduced, bool keepdims) {
        const bool one_row = x.is_contiguous() && std::find(reduced.begin(), reduced.end(), 0) == reduced.end();
        if (one_row) {  // nothing to sort or merge
            if (keepdims) shape = Dims(reduced.size(), 1);
            reduced_axes.add(x.size(), 1, 0);
            count = x.size();
            return;
        }
        Dims full = x.shape();
        for (std::size_t i = 0; i < full.size(); ++i) {
            if (reduced[i]) full[i] = 1;
            if (!reduced[i] || keepdims) shape.push_back(full[i]);
        }
        const Dims out_strides = contiguous_strides(full);
        for (std::size_t i = 0; i < full.size(); ++i) {
            if (reduced[i]) {
                reduced_axes.add(x.shape()[i], x.strides()[i], 0);
                count *= x.shape()[i];
            } else {
                kept_axes.add(x.shape()[i], x.strides()[i], out_strides[i]);
            }
        }
        kept_axes.sort_by_stride();
        kept_axes.merge();
        reduced_axes.sort_by_stride();
        reduced_axes.merge();
    }

    Dims shape;
    AxisGroup kept_axes, reduced_axes;
    std::int64_t count = 1;  // elements reduced for each output
};

void check_not_empty(const char* op, const Array& x, const Array& out, std::int64_t count) {
    if (count == 0 && out.size() > 0) fail_value(op, ": nothing to reduce: shape ", x.shape(), "; an empty ", op, " has no value");
}

Array argreduce(bool largest, const Array& x, std::int64_t axis, bool keepdims) {
    const char* op = largest ? "argmax" : "argmin";
    check_real(op, x.dtype());
    const auto along = static_cast<std::size_t>(normalize_axis(op, axis, x.rank()));
    const Split split(x, axes_reduced(op, x, {axis}), keepdims);
    const Array out(split.shape, DType::int64, x.device());
    check_not_empty(op, x, out, split.count);
    kernels::ArgReduceArgs args{
        largest,          x.dtype(),          x.raw(), out.data<std::int64_t>(), split.kept_axes.axes(), split.kept_axes.out_strides(),
        x.shape()[along], x.strides()[along], nullptr};
    on_device(x.device(), [&]<Isa level> {
        const Workspace workspace(kernels::argreduce_workspace<level>(args), x.device());
        args.workspace = workspace.data();
        kernels::argreduce<level>(args);
    });
    return out;
}

}  // namespace

std::span<const char* const> reduce_names() { return reduce_table; }

Array reduce(ReduceOp op, const Array& given, const Dims& axes, bool keepdims) {
    const char* name = reduce_table[static_cast<int>(op)];
    if (op == ReduceOp::mean && !is_floating(given.dtype())) fail_type(name, ": dtype is not floating: ", given.dtype(), "; convert first");
    if (!is_logical(op) && op != ReduceOp::count_nonzero) check_real(name, given.dtype());
    const Dims reduced = axes_reduced(name, given, axes);
    const Array x = asked_before(op, given.dtype()) ? astype(given, DType::boolean) : given;
    const Split split(x, reduced, keepdims);
    const Array out(split.shape, result_type(op, x.dtype()), x.device());
    if (is_extreme(op)) check_not_empty(name, x, out, split.count);
    kernels::ReduceArgs args{
        op, x.dtype(), x.raw(), out.raw(), split.kept_axes.axes(), split.reduced_axes.axes(), split.kept_axes.out_strides(), nullptr};
    on_device(x.device(), [&]<Isa level> {
        const Workspace workspace(kernels::reduce_workspace<level>(args), x.device());
        args.workspace = workspace.data();
        kernels::reduce<level>(args);
    });
    return out;
}

Array argmin(const Array& x, std::int64_t axis, bool keepdims) { return argreduce(false, x, axis, keepdims); }
Array argmax(const Array& x, std::int64_t axis, bool keepdims) { return argreduce(true, x, axis, keepdims); }

}  // namespace pyengine::ops
