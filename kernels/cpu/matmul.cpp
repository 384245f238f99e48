// matmul: chooses among the ways to multiply by shape, strides and batch.
//
//   floats, few rows or columns     matmul_dot.h, where both operands are adjacent along k: vectors along k
//   floats, one row or column       matmul_row.h otherwise: reads the matrix once, in order
//   floats                          gemm.h: register tiles, packed panels, threads over tiles
//   integers                        plain loops over adjacent columns
//   many small products             one task for a group of them, each serial inside
#include "kernels/matmul.h"

#include "kernels/cpu/gemm.h"
#include "kernels/cpu/matmul_dot.h"
#include "kernels/cpu/matmul_row.h"
#include "kernels/cpu/transpose.h"

namespace pyengine::kernels {
namespace {

// Products of at least this many operations are worth the threads one by one.
constexpr double large_flops = 1.6e7;

double flops_of(const MatmulArgs& args) {
    return 2.0 * static_cast<double>(args.m) * static_cast<double>(args.n) * static_cast<double>(args.k);
}

/// The batch in groups of products, a task each; one group where each product uses the threads by itself.
struct Groups {
    std::int64_t count, size;

    explicit Groups(const MatmulArgs& args) : count(1), size(args.batch) {
        if (flops_of(args) >= large_flops) return;
        const auto worth = static_cast<std::int64_t>(min_of(task_flops / max_of(flops_of(args), 1.0), 1e9));
        size = max_of(max_of<std::int64_t>(worth, 1), ceil_div(args.batch, static_cast<std::int64_t>(max_tasks)));
        count = ceil_div(args.batch, size);
    }
};

/// Runs the product on every item of the batch: `product` knows shape and strides, and is copied into every task.
template <typename E, typename Product>
void run_batch(const MatmulArgs& args, const Product& product, const void* a, const std::int64_t* a_offsets, const void* b,
               const std::int64_t* b_offsets) {
    using T = typename Product::T;
    const Groups groups(args);
    const std::int64_t scratch = padded_cols<T>(product.workspace());
    parallel_for(groups.count, [&](std::int64_t group) {
        Product own = product;
        T* workspace = static_cast<T*>(args.workspace) + group * scratch;
        for (std::int64_t i = group * groups.size; i < min_of(args.batch, (group + 1) * groups.size); ++i)
            own.run(static_cast<const E*>(a) + a_offsets[i], static_cast<const E*>(b) + b_offsets[i],
                    static_cast<E*>(args.c) + i * args.m * args.n, workspace);
    });
}

/// Calls use(product, swapped) with the way this shape is multiplied; `swapped` where it wants the operands exchanged: a column is a row of
/// the transposed product, and C lies the same in memory.
template <typename E, typename Use>
auto choose(const MatmulArgs& args, Use use) {
    const Operand<E> a{nullptr, args.a_strides[0], args.a_strides[1]}, b{nullptr, args.b_strides[0], args.b_strides[1]};
    if (DotProduct<E>::suits(args.m, args.n, args.k, a, b)) return use(DotProduct<E>(args.m, args.n, args.k, a, b), false);
    if (args.m == 1 && b.col == 1) return use(RowProduct<E>(args.n, args.k, a.col, b), false);
    if (args.n == 1 && a.row == 1) return use(RowProduct<E>(args.m, args.k, b.row, {nullptr, a.col, a.row}), true);
    return use(Gemm<E>(args.m, args.n, args.k, a, b), false);
}

template <typename E>
void multiply_floats(const MatmulArgs& args) {
    choose<E>(args, [&](const auto& product, bool swapped) {
        if (swapped)
            run_batch<E>(args, product, args.b, args.b_offsets, args.a, args.a_offsets);
        else
            run_batch<E>(args, product, args.a, args.a_offsets, args.b, args.b_offsets);
    });
}

template <typename E>
std::size_t float_workspace(const MatmulArgs& args) {
    return choose<E>(args, [&](const auto& product, bool) {
        using T = decltype(widened(E{}));
        return static_cast<std::size_t>(Groups(args).count * padded_cols<T>(product.workspace())) * sizeof(T);
    });
}

/// E is unsigned: signed integers wrap the same way, bit by bit.
template <typename E>
void multiply_integers(const MatmulArgs& args) {
    constexpr std::int64_t block = 64;
    const std::int64_t rows_a_task = max_of<std::int64_t>(1, (1 << 16) / (args.n * args.k));
    parallel_blocks(args.batch * args.m, rows_a_task, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            const E* a = static_cast<const E*>(args.a) + args.a_offsets[row / args.m] + row % args.m * args.a_strides[0];
            const E* b = static_cast<const E*>(args.b) + args.b_offsets[row / args.m];
            E* c = static_cast<E*>(args.c) + row * args.n;
            for (std::int64_t j0 = 0; j0 < args.n; j0 += block) {
                const std::int64_t cols = min_of(block, args.n - j0), step = args.b_strides[1];
                E sums[block] = {};
                for (std::int64_t p = 0; p < args.k; ++p) {
                    const E x = a[p * args.a_strides[1]];
                    const E* b_row = b + p * args.b_strides[0] + j0 * step;
                    // The product of two uint16 is an int, which may overflow: multiply as unsigned.
                    for (std::int64_t j = 0; j < cols; ++j) sums[j] = static_cast<E>(sums[j] + std::uint64_t{1} * x * b_row[j * step]);
                }
                for (std::int64_t j = 0; j < cols; ++j) c[j0 + j] = sums[j];
            }
        }
    });
}

template <typename E>
void add_to_row(E* c, const E* bias, std::int64_t n) {
    std::int64_t j = 0;
    if constexpr (!std::is_integral_v<E>) {
        using T = decltype(widened(E{}));
        for (; j + lanes<T> <= n; j += lanes<T>) store_narrow(c + j, load_float(c + j) + load_float(bias + j));
        for (; j < n; ++j) narrow(c[j], widened(c[j]) + widened(bias[j]));
    } else {
        for (; j < n; ++j) c[j] = static_cast<E>(c[j] + bias[j]);
    }
}

template <typename E>
void add_bias(const MatmulArgs& args) {
    if (!args.bias) return;
    parallel_blocks(args.batch * args.m, max_of<std::int64_t>(1, (1 << 16) / args.n), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row)
            add_to_row(static_cast<E*>(args.c) + row * args.n, static_cast<const E*>(args.bias), args.n);
    });
}

}  // namespace

template <>
std::size_t matmul_workspace<level>(const MatmulArgs& args) {
    if (args.batch == 0 || args.m == 0 || args.n == 0 || args.k == 0) return 0;
    switch (args.type) {
        case ElementType::float16: return float_workspace<float16>(args);
        case ElementType::bfloat16: return float_workspace<bfloat16>(args);
        case ElementType::float32: return float_workspace<float>(args);
        case ElementType::float64: return float_workspace<double>(args);
        default: return 0;
    }
}

template <>
void matmul<level>(const MatmulArgs& args) {
    const std::int64_t elements = args.batch * args.m * args.n;
    if (elements == 0) return;
    const auto run = [&]<typename E>(void (*multiply)(const MatmulArgs&)) {
        if (args.k == 0)
            std::memset(args.c, 0, static_cast<std::size_t>(elements) * sizeof(E));
        else
            multiply(args);
        add_bias<E>(args);
    };
    const auto integers = [&]<typename E> { run.template operator()<E>(multiply_integers<E>); };
    const auto floats = [&]<typename E> { run.template operator()<E>(multiply_floats<E>); };
    switch (args.type) {
        default: return;  // the caller lets numbers through alone
        case ElementType::int8:
        case ElementType::uint8: return integers.template operator()<std::uint8_t>();
        case ElementType::int16:
        case ElementType::uint16: return integers.template operator()<std::uint16_t>();
        case ElementType::int32:
        case ElementType::uint32: return integers.template operator()<std::uint32_t>();
        case ElementType::int64:
        case ElementType::uint64: return integers.template operator()<std::uint64_t>();
        case ElementType::float16: return floats.template operator()<float16>();
        case ElementType::bfloat16: return floats.template operator()<bfloat16>();
        case ElementType::float32: return floats.template operator()<float>();
        case ElementType::float64: return floats.template operator()<double>();
    }
}

}  // namespace pyengine::kernels
