#include "kernels/argreduce.h"

#include "kernels/accumulator.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

template <typename T>
std::int64_t first_extreme(const ArgReduceArgs& args, const T* x) {
    using A = Comparable<T>;
    std::int64_t best = 0;
    for (std::int64_t r = 1; r < args.size; ++r) {
        const A value = convert<A>(x[r * args.stride]), held = convert<A>(x[best * args.stride]);
        const bool held_is_nan = held != held, value_is_nan = value != value;
        if (!held_is_nan && (value_is_nan || (args.largest ? value > held : value < held))) best = r;
    }
    return best;
}

}  // namespace

template <>
std::size_t argreduce_workspace<Isa::reference>(const ArgReduceArgs&) {
    return 0;
}

template <>
void argreduce<Isa::reference>(const ArgReduceArgs& args) {
    const Axes out_axes{args.kept.rank, args.kept.sizes, args.out_strides};
    const std::int64_t outputs = count_of(args.kept);
    with_type(args.type, [&]<typename T> {
        for (std::int64_t k = 0; k < outputs; ++k)
            args.out[offset_of(out_axes, k)] = first_extreme(args, static_cast<const T*>(args.x) + offset_of(args.kept, k));
    });
}

}  // namespace pyengine::kernels
