// Unsigned integers that compare as the values do: the order that sorting works with.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/accumulator.h"

namespace pyengine::kernels {

template <typename T>
using SortKey = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;

/// NaN gives the largest key of all, also descending; -0 and 0 give the same.
template <typename T>
static constexpr SortKey<T> sort_key(T x, bool descending) {
    using Key = SortKey<T>;
    constexpr Key ones = ~Key{0}, sign = Key{1} << (8 * sizeof(Key) - 1);
    if constexpr (is_half<T>) {
        return sort_key<float>(to_float(x), descending);
    } else {
        Key key = 0;
        if constexpr (is_real<T>) {
            if (x != x) return ones;
            const Key bits = std::bit_cast<Key>(x == T{0} ? T{0} : x);
            key = bits & sign ? ~bits : bits | sign;
        } else if constexpr (std::is_signed_v<T>) {
            key = static_cast<Key>(static_cast<std::make_signed_t<Key>>(x)) ^ sign;
        } else {
            key = static_cast<Key>(x);
        }
        return descending ? ~key : key;
    }
}

}  // namespace pyengine::kernels
