#include "csrc/dtype.h"

#include <algorithm>
#include <atomic>

#include "csrc/check.h"

namespace pyengine {
namespace {

struct Properties {
    std::string_view name;
    std::int64_t size;
    Kind kind;
    bool is_signed;
};

constexpr Properties properties[dtype_count] = {
    {"bool", 1, Kind::boolean, false},    {"int8", 1, Kind::integer, true},      {"int16", 2, Kind::integer, true},
    {"int32", 4, Kind::integer, true},    {"int64", 8, Kind::integer, true},     {"uint8", 1, Kind::integer, false},
    {"uint16", 2, Kind::integer, false},  {"uint32", 4, Kind::integer, false},   {"uint64", 8, Kind::integer, false},
    {"float16", 2, Kind::floating, true}, {"bfloat16", 2, Kind::floating, true}, {"float32", 4, Kind::floating, true},
    {"float64", 8, Kind::floating, true}, {"complex64", 8, Kind::complex, true}, {"complex128", 16, Kind::complex, true},
};

std::atomic<DType> chosen_default{DType::float32};

const Properties& of(DType dtype) { return properties[static_cast<int>(dtype)]; }

DType signed_of_size(std::int64_t size) {
    switch (size) {
        case 1: return DType::int8;
        case 2: return DType::int16;
        case 4: return DType::int32;
        default: return DType::int64;
    }
}

}  // namespace

std::int64_t size_of(DType dtype) { return of(dtype).size; }
std::string_view name_of(DType dtype) { return of(dtype).name; }
Kind kind_of(DType dtype) { return of(dtype).kind; }
bool is_signed(DType dtype) { return of(dtype).is_signed; }

DType promote(std::string_view op, DType a, DType b) {
    if (a == b) return a;
    if (is_complex(a) || is_complex(b))
        return a == DType::complex128 || b == DType::complex128 || a == DType::float64 || b == DType::float64 ? DType::complex128
                                                                                                              : DType::complex64;
    if (kind_of(a) != kind_of(b)) return kind_of(a) > kind_of(b) ? a : b;
    if (is_floating(a)) {
        if (size_of(a) == size_of(b)) return DType::float32;  // float16 with bfloat16: neither holds the other
        return size_of(a) > size_of(b) ? a : b;
    }
    if (is_signed(a) == is_signed(b)) return size_of(a) > size_of(b) ? a : b;
    const DType with_sign = is_signed(a) ? a : b, without = is_signed(a) ? b : a;
    if (size_of(with_sign) > size_of(without)) return with_sign;
    if (without == DType::uint64)
        fail_type(op, ": no common integer type: ", a, " and ", b, "; convert one of them, no integer type holds both ranges");
    return signed_of_size(2 * size_of(without));
}

DType default_dtype() { return chosen_default; }

void set_default_dtype(DType dtype) { chosen_default = dtype; }

DType sum_type(DType dtype) {
    if (is_floating(dtype) || is_complex(dtype)) return dtype;
    return kind_of(dtype) == Kind::integer && !is_signed(dtype) ? DType::uint64 : DType::int64;
}

}  // namespace pyengine
