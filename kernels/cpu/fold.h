// What reductions combine with: an associative operation on scalars and vectors alike, and its neutral element.
#pragma once

#include <limits>

#include "kernels/accumulator.h"
#include "kernels/cpu/simd.h"

namespace pyengine::kernels {
namespace {

/// A vector whose integers wrap: in signed ones overflow is undefined, lane by lane.
template <typename V>
inline auto wrapping(V v) {
    using T = std::remove_cvref_t<decltype(v[0])>;
    if constexpr (std::is_integral_v<T>)
        return (Vec<std::make_unsigned_t<T>>)v;
    else
        return v;
}

struct Sum {
    template <typename A>
    static constexpr A identity = A{0};
    template <typename V>
    static V combine(V a, V b) {
        if constexpr (std::is_arithmetic_v<V>)
            return wrapping_add(a, b);
        else
            return (V)(wrapping(a) + wrapping(b));
    }
};

struct Product {
    template <typename A>
    static constexpr A identity = A{1};
    template <typename V>
    static V combine(V a, V b) {
        if constexpr (std::is_arithmetic_v<V>)
            return wrapping_multiply(a, b);
        else
            return (V)(wrapping(a) * wrapping(b));
    }
};

template <typename A>
constexpr A highest = std::is_floating_point_v<A> ? std::numeric_limits<A>::infinity() : std::numeric_limits<A>::max();
template <typename A>
constexpr A lowest = std::is_floating_point_v<A> ? -std::numeric_limits<A>::infinity() : std::numeric_limits<A>::min();

struct Min {
    template <typename A>
    static constexpr A identity = highest<A>;
    template <typename V>
    static V combine(V a, V b) {  // a NaN on either side gives NaN
        return a < b || a != a ? a : b;
    }
};

struct Max {
    template <typename A>
    static constexpr A identity = lowest<A>;
    template <typename V>
    static V combine(V a, V b) {
        return a > b || a != a ? a : b;
    }
};

template <typename Op, typename A>
A fold_lanes(Vec<A> v) {
    A parts[lanes<A>];
    store(parts, v);
    for (std::int64_t half = lanes<A> / 2; half > 0; half /= 2)
        for (std::int64_t i = 0; i < half; ++i) parts[i] = Op::template combine<A>(parts[i], parts[i + half]);
    return parts[0];
}

/// An element that counts 1 if it is not 0.
template <typename T>
struct Truth {
    T value;
    explicit operator std::int64_t() const { return convert<Comparable<T>>(value) != 0; }
};

/// What elements of T are counted as: for integers their sign makes no difference.
template <typename T>
struct CountedAs {
    using type = T;
};
template <typename T>
    requires std::is_integral_v<T> && (!std::is_same_v<T, bool>)
struct CountedAs<T> {
    using type = std::make_unsigned_t<T>;
};
template <>
struct CountedAs<bool> {
    using type = std::uint8_t;
};
template <typename T>
using Counted = typename CountedAs<T>::type;

/// lanes<A> elements of T, as accumulators.
template <typename A, typename T>
Vec<A> load_wide(const T* p) {
    if constexpr (is_half<T>) {
        return load_float(p);
    } else if constexpr (std::is_same_v<T, bool>) {
        return load_wide<A>(reinterpret_cast<const std::uint8_t*>(p));
    } else if constexpr (sizeof(T) == sizeof(A)) {
        return (Vec<A>)load(p);
    } else {
        typedef T Narrow __attribute__((vector_size(lanes<A> * sizeof(T))));
        Narrow v;
        std::memcpy(&v, p, sizeof v);
        return __builtin_convertvector(v, Vec<A>);
    }
}

template <typename A, typename T>
Vec<A> load_wide(const Truth<T>* p) {
    using Bits = std::conditional_t<is_half<T>, std::uint16_t, T>;
    typedef Bits Narrow __attribute__((vector_size(lanes<A> * sizeof(T))));
    Narrow v;
    std::memcpy(&v, p, sizeof v);
    if constexpr (is_half<T>) v &= static_cast<Bits>(0x7fff);
    return -__builtin_convertvector(v != 0, Vec<A>);
}

/// The first n of them, `fill` in the other lanes.
template <typename A, typename T>
Vec<A> load_wide_partial(const T* p, std::int64_t n, A fill) {
    if constexpr (std::is_same_v<T, A>) {
        return load_partial(p, n, fill);
    } else {
        A parts[lanes<A>];
        for (std::int64_t i = 0; i < lanes<A>; ++i) parts[i] = i < n ? convert<A>(p[i]) : fill;
        return load(parts);
    }
}

template <typename A>
constexpr std::int64_t leaf_elements = 4 * 16 * lanes<A>;

/// Up to leaf_elements of them, in four accumulators.
template <typename Op, typename A, typename T>
Vec<A> fold_leaf(const T* x, std::int64_t n) {
    constexpr std::int64_t step = lanes<A>;
    const Vec<A> neutral = broadcast(Op::template identity<A>);
    Vec<A> sums[4] = {neutral, neutral, neutral, neutral};
    std::int64_t i = 0;
    for (; i + 4 * step <= n; i += 4 * step)
        for (int j = 0; j < 4; ++j) sums[j] = Op::combine(sums[j], load_wide<A>(x + i + j * step));
    for (; i + step <= n; i += step) sums[0] = Op::combine(sums[0], load_wide<A>(x + i));
    if (i < n) sums[3] = Op::combine(sums[3], load_wide_partial<A>(x + i, n - i, Op::template identity<A>));
    return Op::combine(Op::combine(sums[0], sums[1]), Op::combine(sums[2], sums[3]));
}

template <typename Op, typename A, typename T>
Vec<A> fold_packed_leaf(const T* x, std::int64_t stride, std::int64_t n) {
    T packed[leaf_elements<A>];
    for (std::int64_t i = 0; i < n; ++i) packed[i] = x[i * stride];
    return fold_leaf<Op, A>(packed, n);
}

}  // namespace
}  // namespace pyengine::kernels
