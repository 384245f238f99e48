// The elementwise operations by name, and the dtypes they take and give.
#pragma once

#include <span>

#include "csrc/dtype.h"
#include "kernels/activation.h"
#include "kernels/complex.h"
#include "kernels/elementwise_binary.h"
#include "kernels/elementwise_unary.h"

namespace pyengine::ops {

/// What an operation is defined for. An operation on floats takes integers and booleans in the default dtype, one on booleans takes x != 0.
enum class Takes : std::uint8_t {
    numbers,
    numbers_and_booleans,
    integers,
    integers_and_booleans,
    booleans,
    floats,
    floats_only,  // integers are an error
    rounding,     // floats; integers are rounded already
};

struct Operation {
    const char* name;
    Takes takes;
    bool to_boolean = false;
};

/// In the order of the enumerations.
std::span<const Operation> unary_operations();
std::span<const Operation> binary_operations();
std::span<const Operation> activation_operations();

/// The dtype an operation computes in, and that of its result.
struct Types {
    DType operands, result;
};

/// TypeError where the operation is not defined for `dtype`, the common type of its operands.
Types types_of(const Operation& operation, DType dtype);

/// The operation of that name on complex numbers; TypeError where there is none.
kernels::ComplexUnary complex_unary_operation(std::string_view name, DType dtype);
kernels::ComplexBinary complex_binary_operation(std::string_view name, DType dtype);

}  // namespace pyengine::ops
