#include "kernels/sort.h"

#include <algorithm>
#include <numeric>

#include "kernels/accumulator.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

/// Whether a stands before b, with NaN at the end.
template <typename T>
bool before(T a, T b, bool descending) {
    using A = Comparable<T>;
    const A x = convert<A>(a), y = convert<A>(b);
    if (x != x || y != y) return x == x;
    return descending ? x > y : x < y;
}

}  // namespace

template <>
std::size_t argsort_workspace<Isa::reference>(const ArgsortArgs&) {
    return 0;
}

template <>
void argsort<Isa::reference>(const ArgsortArgs& args) {
    with_type(args.type, [&]<typename T> {
        for (std::int64_t r = 0; r < args.rows; ++r) {
            const T* x = static_cast<const T*>(args.x) + r * args.size;
            std::int64_t* out = args.out + r * args.size;
            std::iota(out, out + args.size, std::int64_t{0});
            std::stable_sort(out, out + args.size, [&](std::int64_t i, std::int64_t j) { return before(x[i], x[j], args.descending); });
        }
    });
}

template <>
void searchsorted<Isa::reference>(const SearchsortedArgs& args) {
    with_type(args.type, [&]<typename T> {
        const T *sorted = static_cast<const T*>(args.sorted), *values = static_cast<const T*>(args.values);
        for (std::int64_t i = 0; i < args.count; ++i)
            args.out[i] = std::count_if(sorted, sorted + args.size,
                                        [&](T x) { return args.right ? !before(values[i], x, false) : before(x, values[i], false); });
    });
}

}  // namespace pyengine::kernels
