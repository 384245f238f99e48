// Rows of any float type as vectors of the type they are computed in: 16-bit floats in float, the others in themselves.
//
//     each_vector<T>(n, [&](std::int64_t i, auto part) { store_wide(y + i, vexp(load_wide(x + i, part)), part); });
//
// visits a row of n elements; `part` is All for full vectors and First for the rest, so that one body serves both.
#pragma once

#include "kernels/accumulator.h"
#include "kernels/cpu/simd.h"

namespace pyengine::kernels {
namespace {

template <typename T>
using Wide = Accumulator<T>;

struct All {};
struct First {
    std::int64_t count;
};

template <typename T, typename Body>
inline void each_vector(std::int64_t n, Body body) {
    constexpr std::int64_t step = lanes<Wide<T>>;
    std::int64_t i = 0;
    for (; i + step <= n; i += step) body(i, All{});
    if (i < n) body(i, First{n - i});
}

template <typename T>
inline Vec<Wide<T>> load_wide(const T* p, All, Wide<T> = 0) {
    if constexpr (is_half<T>)
        return load_float(p);
    else
        return load(p);
}

template <typename T>
inline Vec<Wide<T>> load_wide(const T* p, First part, Wide<T> fill = 0) {
    if constexpr (is_half<T>) {
        float row[lanes<float>];
        store(row, broadcast(fill));
        for (std::int64_t i = 0; i < part.count; ++i) row[i] = to_float(p[i]);
        return load(row);
    } else {
        return load_partial(p, part.count, fill);
    }
}

template <typename T>
inline void store_wide(T* p, Vec<Wide<T>> v, All) {
    if constexpr (is_half<T>)
        store_float(p, v);
    else
        store(p, v);
}

template <typename T>
inline void store_wide(T* p, Vec<Wide<T>> v, First part) {
    if constexpr (is_half<T>) {
        T row[lanes<float>];
        store_float(row, v);
        for (std::int64_t i = 0; i < part.count; ++i) p[i] = row[i];
    } else {
        store_partial(p, v, part.count);
    }
}

/// Sum over i of term(i, part), a vector; in double over blocks, so that the error grows with the block, not with n.
template <typename T, typename Term>
inline double sum_vectors(std::int64_t n, Term term) {
    constexpr std::int64_t block = 64 * lanes<Wide<T>>;
    double total = 0;
    for (std::int64_t begin = 0; begin < n; begin += block) {
        Vec<Wide<T>> sum{};
        each_vector<T>(min_of(block, n - begin), [&](std::int64_t i, auto part) { sum += term(begin + i, part); });
        total += sum_lanes<Wide<T>>(sum);
    }
    return total;
}

/// Sum over j of term(j), a vector: in blocks, so that the error grows with n / 64 + 64.
template <typename W, typename Term>
inline Vec<W> sum_down(std::int64_t n, Term term) {
    Vec<W> total{};
    for (std::int64_t begin = 0; begin < n; begin += 64) {
        Vec<W> sum{};
        for (std::int64_t j = begin; j < min_of<std::int64_t>(begin + 64, n); ++j) sum += term(j);
        total += sum;
    }
    return total;
}

}  // namespace
}  // namespace pyengine::kernels
