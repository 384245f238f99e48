// From an element type's number to its C++ type: with_type(type, [&]<typename T> { ... }).
#pragma once

#include <cstdint>

#include "kernels/element_type.h"
#include "kernels/half.h"

namespace pyengine::kernels {

template <typename Call>
static inline decltype(auto) with_type(ElementType type, Call&& call) {
    switch (type) {
        case ElementType::boolean: return call.template operator()<bool>();
        case ElementType::int8: return call.template operator()<std::int8_t>();
        case ElementType::int16: return call.template operator()<std::int16_t>();
        case ElementType::int32: return call.template operator()<std::int32_t>();
        case ElementType::int64: return call.template operator()<std::int64_t>();
        case ElementType::uint8: return call.template operator()<std::uint8_t>();
        case ElementType::uint16: return call.template operator()<std::uint16_t>();
        case ElementType::uint32: return call.template operator()<std::uint32_t>();
        case ElementType::uint64: return call.template operator()<std::uint64_t>();
        case ElementType::float16: return call.template operator()<float16>();
        case ElementType::bfloat16: return call.template operator()<bfloat16>();
        case ElementType::float32: return call.template operator()<float>();
        default: return call.template operator()<double>();
    }
}

/// The same for the four floating types.
template <typename Call>
static inline decltype(auto) with_float_type(ElementType type, Call&& call) {
    switch (type) {
        case ElementType::float16: return call.template operator()<float16>();
        case ElementType::bfloat16: return call.template operator()<bfloat16>();
        case ElementType::float32: return call.template operator()<float>();
        default: return call.template operator()<double>();
    }
}

/// For kernels that only move elements: an unsigned integer of the size of a real type, or bool.
template <typename Call>
static inline decltype(auto) with_size(ElementType type, Call&& call) {
    switch (type) {
        case ElementType::boolean: return call.template operator()<bool>();
        case ElementType::int8:
        case ElementType::uint8: return call.template operator()<std::uint8_t>();
        case ElementType::int16:
        case ElementType::uint16:
        case ElementType::float16:
        case ElementType::bfloat16: return call.template operator()<std::uint16_t>();
        case ElementType::int32:
        case ElementType::uint32:
        case ElementType::float32: return call.template operator()<std::uint32_t>();
        default: return call.template operator()<std::uint64_t>();
    }
}

}  // namespace pyengine::kernels
