#include <limits>

#include "kernels/accumulator.h"
#include "kernels/argreduce.h"
#include "kernels/cuda/reduction.h"
#include "kernels/sort_key.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

/// Elements as keys that sort as they do, NaN beyond every number: the smallest pair of key and place wins.
template <typename T>
struct FirstExtreme {
    struct alignas(16) Value {
        std::uint64_t key;
        std::int64_t at;
    };
    bool largest;

    __device__ Value neutral() const { return {~std::uint64_t{0}, std::numeric_limits<std::int64_t>::max()}; }
    __device__ Value load(T x, std::int64_t at) const {
        if constexpr (is_real<T>)
            if (is_nan(x)) return {0, at};
        const std::uint64_t key = sort_key(x, largest);
        return {is_real<T> ? key + 1 : key, at};
    }
    __device__ Value combine(Value a, Value b) const { return a.key < b.key || (a.key == b.key && a.at < b.at) ? a : b; }
    __device__ std::int64_t finish(Value value, std::int64_t) const { return value.at; }

private:
    __device__ static bool is_nan(T x) {
        const auto value = convert<Comparable<T>>(x);
        return value != value;
    }
};

Reduction work_of(const ArgReduceArgs& args) { return {args.kept, {1, &args.size, &args.stride}, args.out_strides}; }

}  // namespace

template <>
std::size_t argreduce_workspace<level>(const ArgReduceArgs& args) {
    return static_cast<std::size_t>(work_of(args).partials()) * 2 * sizeof(std::int64_t);
}

template <>
void argreduce<level>(const ArgReduceArgs& args) {
    with_type(args.type,
              [&]<typename T> { run<T, std::int64_t>(work_of(args), args.x, args.workspace, args.out, FirstExtreme<T>{args.largest}); });
}

}  // namespace pyengine::kernels
