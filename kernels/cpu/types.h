// Which element types an operation is compiled for: the Run for `type`, or nullptr where the operation is not meant for it.
#pragma once

#include "kernels/cpu/elementwise.h"

namespace pyengine::kernels {
namespace {

/// T stands for itself; a Run for it comes from `make.template operator()<T>()`.
template <typename Make>
Run for_floats(ElementType type, Make make) {
    switch (type) {
        case ElementType::float16:
        case ElementType::bfloat16:
        case ElementType::float32: return make.template operator()<float>();
        case ElementType::float64: return make.template operator()<double>();
        default: return nullptr;
    }
}

/// Arithmetic modulo 2^bits, and operations on bits, are the same for both signs.
template <typename Make>
Run for_wrapping_integers(ElementType type, Make make) {
    switch (type) {
        case ElementType::int8:
        case ElementType::uint8: return make.template operator()<std::uint8_t>();
        case ElementType::int16:
        case ElementType::uint16: return make.template operator()<std::uint16_t>();
        case ElementType::int32:
        case ElementType::uint32: return make.template operator()<std::uint32_t>();
        case ElementType::int64:
        case ElementType::uint64: return make.template operator()<std::uint64_t>();
        default: return nullptr;
    }
}

template <typename Make>
Run for_integers(ElementType type, Make make) {
    switch (type) {
        case ElementType::int8: return make.template operator()<std::int8_t>();
        case ElementType::int16: return make.template operator()<std::int16_t>();
        case ElementType::int32: return make.template operator()<std::int32_t>();
        case ElementType::int64: return make.template operator()<std::int64_t>();
        default: return for_wrapping_integers(type, make);
    }
}

template <typename Make>
Run for_boolean(ElementType type, Make make) {
    return type == ElementType::boolean ? make.template operator()<std::uint8_t>() : nullptr;
}

template <typename Make>
Run for_numbers(ElementType type, Make make) {
    const Run run = for_integers(type, make);
    return run ? run : for_floats(type, make);
}

template <typename Make>
Run for_wrapping_numbers(ElementType type, Make make) {
    const Run run = for_wrapping_integers(type, make);
    return run ? run : for_floats(type, make);
}

template <typename Make>
Run for_all(ElementType type, Make make) {
    const Run run = for_numbers(type, make);
    return run ? run : for_boolean(type, make);
}

}  // namespace
}  // namespace pyengine::kernels
