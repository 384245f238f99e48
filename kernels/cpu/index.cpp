#include "kernels/index.h"

#include "kernels/accumulator.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

constexpr std::int64_t task_elements = 32768;

std::int64_t last_size(const Axes& axes) { return axes.rank > 0 ? axes.sizes[axes.rank - 1] : 1; }
std::int64_t last_stride(const Axes& axes) { return axes.rank > 0 ? axes.strides[axes.rank - 1] : 1; }

std::int64_t rows_for_a_task(std::int64_t row_elements) {
    return max_of<std::int64_t>(1, task_elements / max_of<std::int64_t>(1, row_elements));
}

/// An element of 16 bytes, where only its place matters.
struct Pair {
    std::uint64_t first, second;
};

// Offsets ---------------------------------------------------------------------------------------------------------------------------------

/// offsets += wrapped index * axis_stride along one row of positions; whether every index was in range.
bool add_indices(std::int64_t* offsets, std::int64_t n, const std::int64_t* index, std::int64_t stride, std::int64_t size,
                 std::int64_t axis_stride) {
    bool valid = true;
    for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t given = index[i * stride];
        const std::int64_t wrapped = given < 0 ? given + size : given;
        valid &= (wrapped >= 0) & (wrapped < size);
        offsets[i] += wrapped * axis_stride;
    }
    return valid;
}

/// The first bad position of a row that has one.
std::int64_t first_invalid(const IndexOffsetsArgs& args, std::int64_t row, std::int64_t n) {
    for (std::int64_t p = row * n;; ++p)
        for (std::int64_t k = 0; k < args.arrays; ++k) {
            const std::int64_t index = args.indices[k][offset_of({args.rank, args.sizes, args.index_strides[k]}, p)];
            if (index < -args.axis_sizes[k] || index >= args.axis_sizes[k]) return p;
        }
}

bool fill_row(const IndexOffsetsArgs& args, std::int64_t row, std::int64_t n) {
    const Axes own{args.rank, args.sizes, args.own_strides};
    const std::int64_t start = offset_of(outer_axes(own), row), step = args.rank > 0 ? last_stride(own) : 0;
    std::int64_t* offsets = args.offsets + row * n;
    for (std::int64_t i = 0; i < n; ++i) offsets[i] = start + i * step;
    bool valid = true;
    for (std::int64_t k = 0; k < args.arrays; ++k) {
        const Axes axes{args.rank, args.sizes, args.index_strides[k]};
        const std::int64_t* index = args.indices[k] + offset_of(outer_axes(axes), row);
        valid &= add_indices(offsets, n, index, args.rank > 0 ? last_stride(axes) : 0, args.axis_sizes[k], args.axis_strides[k]);
    }
    return valid;
}

// Rows ------------------------------------------------------------------------------------------------------------------------------------

/// body(array offset, row offset, n, array stride) for every innermost row of `inner`, with row offsets counted contiguously.
template <typename Body>
void for_rows(const Axes& inner, Body body) {
    const std::int64_t n = last_size(inner), stride = last_stride(inner), rows = n == 0 ? 0 : count_of(inner) / n;
    for (std::int64_t row = 0; row < rows; ++row) body(offset_of(outer_axes(inner), row), row * n, n, stride);
}

template <typename T>
void copy_row(const T* from, std::int64_t stride, std::int64_t n, T* to) {
    if (stride == 1 && n > 8) {
        std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
        return;
    }
    for (std::int64_t i = 0; i < n; ++i) to[i] = from[i * stride];
}

template <typename T>
void gather_elements(const GatherArgs& args) {
    const T* x = static_cast<const T*>(args.x);
    T* out = static_cast<T*>(args.out);
    const std::int64_t inner = count_of(args.inner);
    if (inner == 0) return;
    parallel_blocks(count_of(args.outer) * args.count, rows_for_a_task(inner), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t at = begin; at < end; ++at) {
            const T* from = x + offset_of(args.outer, at / args.count) + args.offsets[at % args.count];
            for_rows(args.inner, [&](std::int64_t x_offset, std::int64_t row, std::int64_t n, std::int64_t stride) {
                copy_row(from + x_offset, stride, n, out + at * inner + row);
            });
        }
    });
}

// Writing ---------------------------------------------------------------------------------------------------------------------------------

struct Assign {
    template <typename T>
    static T combine(T, T value) {
        return value;
    }
};
struct Add {
    template <typename T>
    static T combine(T held, T value) {
        return wrapping_add(held, value);
    }
};
struct Smaller {
    template <typename T>
    static T combine(T held, T value) {
        return held < value || held != held ? held : value;
    }
};
struct Larger {
    template <typename T>
    static T combine(T held, T value) {
        return held > value || held != held ? held : value;
    }
};

template <typename Op, typename T>
void update_row(T* x, std::int64_t stride, std::int64_t n, const T* values) {
    if (stride == 1)
        for (std::int64_t i = 0; i < n; ++i) x[i] = Op::combine(x[i], values[i]);
    else
        for (std::int64_t i = 0; i < n; ++i) x[i * stride] = Op::combine(x[i * stride], values[i]);
}

/// Which of `owners` tasks writes to an offset.
std::int64_t owner_of(std::int64_t offset, std::int64_t owners) {
    const std::uint64_t mixed = static_cast<std::uint64_t>(offset) * 0x9E3779B97F4A7C15u >> 32;
    return static_cast<std::int64_t>(mixed * static_cast<std::uint64_t>(owners) >> 32);
}

/// Every task goes through all indices in order and writes the places it owns, so the number of owners changes no bit of the result.
template <typename Op, typename T>
void update_elements(const ScatterArgs& args) {
    const std::int64_t outer = count_of(args.outer), inner = count_of(args.inner);
    const std::int64_t owners = outer >= 16 || outer * args.count * inner < 2 * task_elements ? 1 : thread_count();
    if (inner == 0) return;
    parallel_for(outer * owners, [&](std::int64_t task) {
        const std::int64_t o = task / owners, owner = task % owners;
        T* x = static_cast<T*>(args.x) + offset_of(args.outer, o);
        const T* values = static_cast<const T*>(args.values) + o * args.count * inner;
        for (std::int64_t j = 0; j < args.count; ++j) {
            if (owners > 1 && owner_of(args.offsets[j], owners) != owner) continue;
            T* place = x + args.offsets[j];
            for_rows(args.inner, [&](std::int64_t x_offset, std::int64_t row, std::int64_t n, std::int64_t stride) {
                update_row<Op>(place + x_offset, stride, n, values + j * inner + row);
            });
        }
    });
}

}  // namespace

template <>
void index_offsets<level>(const IndexOffsetsArgs& args) {
    const Axes own{args.rank, args.sizes, args.own_strides};
    const std::int64_t n = last_size(own), positions = count_of(own);
    args.offsets[positions] = -1;
    if (positions == 0) return;
    std::int64_t bad_row = positions;  // the first one; rows are checked in any order
    parallel_blocks(positions / n, rows_for_a_task(n), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            if (fill_row(args, row, n)) continue;
            std::int64_t held = __atomic_load_n(&bad_row, __ATOMIC_RELAXED);
            while (row < held && !__atomic_compare_exchange_n(&bad_row, &held, row, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) continue;
        }
    });
    if (bad_row < positions) args.offsets[positions] = first_invalid(args, bad_row, n);
}

template <>
void find_outside<level>(const FindOutsideArgs& args) {
    std::int64_t first = 0;
    while (first < args.count && ((args.x[first] >= 0 && args.x[first] < args.n) || args.x[first] == args.exempt)) ++first;
    *args.position = first < args.count ? first : -1;
}

template <>
void gather<level>(const GatherArgs& args) {
    switch (args.element_size) {
        case 1: return gather_elements<std::uint8_t>(args);
        case 2: return gather_elements<std::uint16_t>(args);
        case 4: return gather_elements<std::uint32_t>(args);
        case 8: return gather_elements<std::uint64_t>(args);
        default: return gather_elements<Pair>(args);
    }
}

template <>
std::size_t scatter_workspace<level>(const ScatterArgs&) {
    return 0;
}

template <>
void scatter<level>(const ScatterArgs& args) {
    with_type(args.type, [&]<typename T> {
        if (args.op == ScatterOp::assign) return update_elements<Assign, T>(args);
        if constexpr (!is_half<T> && !std::is_same_v<T, bool>) {
            if (args.op == ScatterOp::add) return update_elements<Add, T>(args);
            if (args.op == ScatterOp::min) return update_elements<Smaller, T>(args);
            update_elements<Larger, T>(args);
        }
    });
}

template <>
std::size_t nonzero_workspace<level>(const NonzeroArgs&) {
    return 0;
}

template <>
void nonzero<level>(const NonzeroArgs& args) {
    const std::int64_t rank = args.axes.rank, n = last_size(args.axes), stride = last_stride(args.axes);
    const std::int64_t rows = n == 0 ? 0 : count_of(args.axes) / n;
    std::int64_t hit = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
        const bool* x = args.x + offset_of(outer_axes(args.axes), row);
        const std::int64_t first = hit;
        for (std::int64_t i = 0; i < n; ++i)
            if (x[i * stride]) args.coordinates[rank - 1][hit++] = i;
        std::int64_t rest = row;
        for (std::int64_t d = rank - 2; d >= 0; rest /= args.axes.sizes[d], --d)
            for (std::int64_t h = first; h < hit; ++h) args.coordinates[d][h] = rest % args.axes.sizes[d];
    }
}

}  // namespace pyengine::kernels
