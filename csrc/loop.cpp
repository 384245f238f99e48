#include "csrc/loop.h"

#include <cstdlib>
#include <utility>
#include <vector>

#include "csrc/check.h"

namespace pyengine {
namespace {

/// Whether the elements can be walked as one row.
bool same_layout(const Array& out, std::initializer_list<const Array*> inputs) {
    if (out.size() == 0) return true;
    if (!out.is_contiguous()) return false;
    return std::all_of(inputs.begin(), inputs.end(),
                       [&](const Array* x) { return x->size() == 1 || (x->shape() == out.shape() && x->is_contiguous()); });
}

}  // namespace

Loop::Loop(const Array& out, std::initializer_list<const Array*> inputs) {
    if (same_layout(out, inputs))
        walk_as_one_row(out, inputs);
    else
        walk_axes(out, inputs);
}

void Loop::walk_as_one_row(const Array& out, std::initializer_list<const Array*> inputs) {
    static constexpr std::int64_t one = 1, zero = 0;
    count_ = out.size();
    args_.rank = 1;
    args_.shape = &count_;
    args_.out = {out.dtype(), out.raw(), &one};
    std::size_t operand = 0;
    for (const Array* x : inputs) args_.in[operand++] = {x->dtype(), x->raw(), x->size() == 1 ? &zero : &one};
}

void Loop::walk_axes(const Array& out, std::initializer_list<const Array*> inputs) {
    const std::size_t operands = inputs.size() + 1;
    shape_ = out.shape();
    strides_[0] = out.strides();
    std::size_t operand = 0;
    for (const Array* x : inputs) spread(*x, ++operand);
    order_axes(operands);
    merge_axes(operands);
    args_.rank = static_cast<std::int64_t>(shape_.size());
    args_.shape = shape_.data();
    args_.out = {out.dtype(), out.raw(), strides_[0].data()};
    operand = 0;
    for (const Array* x : inputs) {
        args_.in[operand] = {x->dtype(), x->raw(), strides_[operand + 1].data()};
        ++operand;
    }
}

/// Strides of x along the loop's axes.
void Loop::spread(const Array& x, std::size_t operand) {
    strides_[operand] = Dims(shape_.size());
    const std::size_t lead = shape_.size() - x.shape().size();
    for (std::size_t i = 0; i < x.shape().size(); ++i) strides_[operand][lead + i] = x.shape()[i] == 1 ? 0 : x.strides()[i];
}

/// Sorts the axes so that the output is written in the order of its memory.
void Loop::order_axes(std::size_t operands) {
    for (std::size_t i = 1; i < shape_.size(); ++i)
        for (std::size_t j = i; j > 0 && std::abs(strides_[0][j - 1]) < std::abs(strides_[0][j]); --j) {
            std::swap(shape_[j - 1], shape_[j]);
            for (std::size_t k = 0; k < operands; ++k) std::swap(strides_[k][j - 1], strides_[k][j]);
        }
}

/// Drops axes of size 1, and joins an axis to the one inside it wherever all operands step over both evenly.
void Loop::merge_axes(std::size_t operands) {
    std::size_t kept = 0;
    for (std::size_t axis = 0; axis < shape_.size(); ++axis) {
        if (shape_[axis] == 1) continue;
        bool joins = kept > 0;
        for (std::size_t k = 0; joins && k < operands; ++k) joins = strides_[k][kept - 1] == strides_[k][axis] * shape_[axis];
        if (!joins) ++kept;
        shape_[kept - 1] = joins ? shape_[kept - 1] * shape_[axis] : shape_[axis];
        for (std::size_t k = 0; k < operands; ++k) strides_[k][kept - 1] = strides_[k][axis];
    }
    if (kept == 0) {  // a single element
        shape_ = {1};
        for (std::size_t k = 0; k < operands; ++k) strides_[k] = {1};
        return;
    }
    shape_ = Dims(std::span<const std::int64_t>(shape_.data(), kept));
}

void check_writable(const char* op, const Array& out) {
    if (out.storage()->readonly()) fail_value(op, ": the output is read-only: shape ", out.shape(), "; write to a copy");
    if (out.is_contiguous()) return;
    // Taken from the smallest stride up, each axis must step beyond everything the smaller ones reach.
    std::int64_t reach = 0;
    std::vector<std::pair<std::int64_t, std::int64_t>> axes;
    for (std::size_t i = 0; i < out.shape().size(); ++i)
        if (out.shape()[i] > 1) axes.emplace_back(std::abs(out.strides()[i]), out.shape()[i]);
    std::sort(axes.begin(), axes.end());
    for (auto [stride, size] : axes) {
        if (stride <= reach)
            fail_value(op, ": elements of the output share memory: shape ", out.shape(), ", strides ", out.strides(), "; write to a copy");
        reach += stride * (size - 1);
    }
}

}  // namespace pyengine
