// Python's numbers into single elements.
#pragma once

#include <complex>
#include <stdexcept>

#include "csrc/array.h"
#include "kernels/half.h"

namespace pyengine::bindings {

/// x's one element = value, converted as C++ converts it.
template <typename Number>
void set_scalar(const Array& x, Number value) {
    switch (x.dtype()) {
        case DType::boolean: *x.data<bool>() = value != Number{}; return;
        case DType::int8: *x.data<std::int8_t>() = static_cast<std::int8_t>(value); return;
        case DType::int16: *x.data<std::int16_t>() = static_cast<std::int16_t>(value); return;
        case DType::int32: *x.data<std::int32_t>() = static_cast<std::int32_t>(value); return;
        case DType::int64: *x.data<std::int64_t>() = static_cast<std::int64_t>(value); return;
        case DType::uint8: *x.data<std::uint8_t>() = static_cast<std::uint8_t>(value); return;
        case DType::uint16: *x.data<std::uint16_t>() = static_cast<std::uint16_t>(value); return;
        case DType::uint32: *x.data<std::uint32_t>() = static_cast<std::uint32_t>(value); return;
        case DType::uint64: *x.data<std::uint64_t>() = static_cast<std::uint64_t>(value); return;
        case DType::float16: *x.data<float16>() = to_float16(static_cast<float>(value)); return;
        case DType::bfloat16: *x.data<bfloat16>() = to_bfloat16(static_cast<float>(value)); return;
        case DType::float32: *x.data<float>() = static_cast<float>(value); return;
        case DType::float64: *x.data<double>() = static_cast<double>(value); return;
        case DType::complex64: *x.data<std::complex<float>>() = static_cast<float>(value); return;
        case DType::complex128: *x.data<std::complex<double>>() = static_cast<double>(value); return;
    }
    throw std::logic_error("set_scalar: unknown element type");
}

}  // namespace pyengine::bindings
