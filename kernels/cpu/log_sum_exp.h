// max x and sum exp(x - max x) of a row, and of as many columns as a vector has lanes: what softmax and cross-entropy both stand on.
#pragma once

#include "kernels/cpu/simd_math.h"
#include "kernels/cpu/simd_wide.h"

namespace pyengine::kernels {
namespace {

template <typename W>
constexpr W minus_infinity = -static_cast<W>(__builtin_inf());

template <typename T>
inline Wide<T> row_max(const T* x, std::int64_t n) {
    using W = Wide<T>;
    Vec<W> max = broadcast(minus_infinity<W>);
    each_vector<T>(n, [&](std::int64_t i, auto part) { max = vmax<W>(max, load_wide(x + i, part, minus_infinity<W>)); });
    return max_lanes<W>(max);
}

template <typename W>
inline W scalar_exp(W x) {
    return vexp<W>(broadcast(x))[0];
}

template <typename W>
inline W scalar_log(W x) {
    return vlog<W>(broadcast(x))[0];
}

/// Columns: element j of the column in lane l lies at x[j * stride + l].
template <typename T, typename Part>
inline Vec<Wide<T>> column_max(const T* x, std::int64_t n, std::int64_t stride, Part part) {
    using W = Wide<T>;
    Vec<W> max = broadcast(minus_infinity<W>);
    for (std::int64_t j = 0; j < n; ++j) max = vmax<W>(max, load_wide(x + j * stride, part));
    return max;
}

}  // namespace
}  // namespace pyengine::kernels
