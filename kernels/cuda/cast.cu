#include <limits>

#include "kernels/cast.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/round_odd.h"

namespace pyengine::kernels {
namespace {

/// Truncated and clamped; NaN gives 0.
template <typename Int, typename Real>
__device__ Int to_integer(Real x) {
    constexpr auto least = std::numeric_limits<Int>::min(), most = std::numeric_limits<Int>::max();
    constexpr Real end = static_cast<Real>(most / 2 + 1);  // half of it: exact for every type
    if (x != x) return 0;
    if (x / 2 >= end) return most;
    if (x <= static_cast<Real>(least)) return least;
    return static_cast<Int>(x);
}

template <typename T>
using Widest = std::conditional_t<is_real<T>, double, IntegerSum<T>>;

template <typename To, typename From>
struct Cast {
    __device__ To operator()(From x) const {
        if constexpr (std::is_same_v<To, From>)
            return x;
        else if constexpr (is_half<From>)
            return Cast<To, float>()(to_float(x));
        else if constexpr (std::is_same_v<To, bool>)
            return x != 0;
        else if constexpr (is_half<To> && std::is_same_v<From, float>)
            return convert<To>(x);
        else if constexpr (is_half<To>)
            return convert<To>(round_odd(static_cast<Widest<From>>(x)));
        else if constexpr (is_real<From> && !is_real<To>)
            return to_integer<To>(x);
        else
            return static_cast<To>(x);
    }
};

}  // namespace

template <>
void cast<level>(const ElementwiseArgs& args) {
    with_type(args.out.type,
              [&]<typename To> { with_type(args.in[0].type, [&]<typename From> { map<To, From>(args, Cast<To, From>()); }); });
}

}  // namespace pyengine::kernels
