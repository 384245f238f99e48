// The loop over the elements of several arrays at once: inputs broadcast to the output's shape, axes merged where every operand allows it.
#pragma once

#include <initializer_list>

#include "csrc/array.h"
#include "kernels/elementwise.h"

namespace pyengine {

class Loop {
public:
    /// The inputs must broadcast to out's shape.
    Loop(const Array& out, std::initializer_list<const Array*> inputs);
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    const kernels::ElementwiseArgs& args() const { return args_; }

private:
    static constexpr std::size_t max_operands = 4;

    void walk_as_one_row(const Array& out, std::initializer_list<const Array*> inputs);
    void walk_axes(const Array& out, std::initializer_list<const Array*> inputs);
    void spread(const Array& x, std::size_t operand);
    void order_axes(std::size_t operands);
    void merge_axes(std::size_t operands);

    std::int64_t count_ = 0;  // of the elements, where they are walked as one row
    Dims shape_;
    Dims strides_[max_operands];  // of the output, then of the inputs
    kernels::ElementwiseArgs args_;
};

/// Raises ValueError unless `out` may be written: not read-only, and every element with a place of its own.
void check_writable(const char* op, const Array& out);

}  // namespace pyengine
