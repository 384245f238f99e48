#include "kernels/index.h"

#include <cstring>

#include "kernels/accumulator.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {

template <>
void index_offsets<Isa::reference>(const IndexOffsetsArgs& args) {
    const Axes own{args.rank, args.sizes, args.own_strides};
    const std::int64_t positions = count_of(own);
    std::int64_t& bad = args.offsets[positions];
    bad = -1;
    for (std::int64_t p = 0; p < positions; ++p) {
        args.offsets[p] = offset_of(own, p);
        for (std::int64_t k = 0; k < args.arrays; ++k) {
            const std::int64_t index = args.indices[k][offset_of({args.rank, args.sizes, args.index_strides[k]}, p)];
            const std::int64_t size = args.axis_sizes[k];
            if (bad < 0 && (index < -size || index >= size)) bad = p;
            args.offsets[p] += (index < 0 ? index + size : index) * args.axis_strides[k];
        }
    }
}

template <>
void find_outside<Isa::reference>(const FindOutsideArgs& args) {
    *args.position = -1;
    for (std::int64_t i = args.count - 1; i >= 0; --i)
        if ((args.x[i] < 0 || args.x[i] >= args.n) && args.x[i] != args.exempt) *args.position = i;
}

template <>
void gather<Isa::reference>(const GatherArgs& args) {
    const std::int64_t outer = count_of(args.outer), inner = count_of(args.inner);
    auto* out = static_cast<char*>(args.out);
    for (std::int64_t o = 0; o < outer; ++o)
        for (std::int64_t j = 0; j < args.count; ++j)
            for (std::int64_t i = 0; i < inner; ++i, out += args.element_size) {
                const std::int64_t from = offset_of(args.outer, o) + args.offsets[j] + offset_of(args.inner, i);
                std::memcpy(out, static_cast<const char*>(args.x) + from * args.element_size, static_cast<std::size_t>(args.element_size));
            }
}

namespace {

template <typename T>
T combined(ScatterOp op, T held, T value) {
    if constexpr (!is_half<T> && !std::is_same_v<T, bool>) {
        if (op == ScatterOp::add) return wrapping_add(held, value);
        if (op == ScatterOp::min) return held < value || held != held ? held : value;
        if (op == ScatterOp::max) return held > value || held != held ? held : value;
    }
    return value;
}

}  // namespace

template <>
std::size_t scatter_workspace<Isa::reference>(const ScatterArgs&) {
    return 0;
}

template <>
void scatter<Isa::reference>(const ScatterArgs& args) {
    const std::int64_t outer = count_of(args.outer), inner = count_of(args.inner);
    with_type(args.type, [&]<typename T> {
        const T* value = static_cast<const T*>(args.values);
        for (std::int64_t o = 0; o < outer; ++o)
            for (std::int64_t j = 0; j < args.count; ++j)
                for (std::int64_t i = 0; i < inner; ++i, ++value) {
                    T& place = static_cast<T*>(args.x)[offset_of(args.outer, o) + args.offsets[j] + offset_of(args.inner, i)];
                    place = combined(args.op, place, *value);
                }
    });
}

template <>
std::size_t nonzero_workspace<Isa::reference>(const NonzeroArgs&) {
    return 0;
}

template <>
void nonzero<Isa::reference>(const NonzeroArgs& args) {
    const std::int64_t count = count_of(args.axes);
    std::int64_t hit = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        if (!args.x[offset_of(args.axes, i)]) continue;
        std::int64_t rest = i;
        for (std::int64_t d = args.axes.rank - 1; d >= 0; --d) {
            args.coordinates[d][hit] = rest % args.axes.sizes[d];
            rest /= args.axes.sizes[d];
        }
        ++hit;
    }
}

}  // namespace pyengine::kernels
