// Properties of element types: size, name, kind, and the promotion of two.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/element_type.h"

namespace pyengine {

using DType = ElementType;

constexpr int dtype_count = 15;

enum class Kind : std::uint8_t { boolean, integer, floating, complex };

std::int64_t size_of(DType dtype);
std::string_view name_of(DType dtype);
Kind kind_of(DType dtype);
bool is_signed(DType dtype);

inline bool is_floating(DType dtype) { return kind_of(dtype) == Kind::floating; }
inline bool is_complex(DType dtype) { return kind_of(dtype) == Kind::complex; }

/// The type of the parts of a complex type.
inline DType real_type(DType complex) { return complex == DType::complex64 ? DType::float32 : DType::float64; }

/// The common type: the array API's table within a kind, the type of the higher kind across kinds (as PyTorch has it).
/// A signed integer with uint64 has none: TypeError, named after `op`.
DType promote(std::string_view op, DType a, DType b);

/// The floating type of what has none: integers and booleans in functions of floats, Python floats beside them. float32 at first.
DType default_dtype();
void set_default_dtype(DType dtype);

/// The type sums of `dtype` have by default: itself if floating or complex, else the widest integer of its signedness.
DType sum_type(DType dtype);

}  // namespace pyengine
