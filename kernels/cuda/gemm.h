// Products of matrices, many at once, and which kernel makes them. A problem P says what is multiplied:
//     P::Element;  P::Sum;  items(), m(), n(), k(): how many products, and their sizes, at most;  item(number), on the device: one of them:
//     Item::A, B;  m, n, k;  a, b: loaders (gemm_tile.h);  store(i, column(j), sum): of a column a part is computed once
//     P::any_order: sums may be cut and put together again, in a way that depends on m, n and k alone
//     tf32: floats may be rounded to tf32;  with_sources(call): call.operator()<a, b>() with how the factors come (gemm_factor.h)
//
// The kernels, by the shape of one item:
//     each    few terms: a thread for each element of the result
//     dot     few elements: a block for each, its threads along the depth, a tree of shuffles
//     tile    otherwise: gemm_tile.h, in four sizes, or gemm_mma.h for 16-bit floats and tf32
// Where dot or tile leave an H100 idle for want of blocks, the depth is cut into parts: each part's sums go to the workspace, and a second
// kernel adds them in order. Traffic of that: 8 bytes for each element of the result and part, of which each is at least 512 deep.
// The kernels have run in the simulator only.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/block_reduce.h"
#include "kernels/cuda/gemm_mma.h"
#include "kernels/cuda/gemm_tile.h"

namespace pyengine::kernels {
namespace {

constexpr std::int64_t enough_blocks = 132;  // the SMs of an H100

enum class GemmKernel { each, dot, vector, few, small, large, mma };

struct GemmPlan {
    GemmKernel kernel;
    std::int64_t parts;       // of the depth
    std::int64_t part_depth;  // of all but the last
};

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// The part of the plan that sums depend on: nothing but m, n and k goes in.
template <typename P>
GemmPlan plan_parts(GemmKernel kernel, std::int64_t m, std::int64_t n, std::int64_t k) {
    constexpr std::int64_t step = 16;
    const std::int64_t rows = kernel == GemmKernel::mma ? 128 : kernel == GemmKernel::small ? 64 : kernel == GemmKernel::few ? 8 : 1;
    const std::int64_t columns = kernel == GemmKernel::small ? 64 : kernel == GemmKernel::dot ? 1 : 128;
    const std::int64_t blocks = ceil_div(m, rows) * ceil_div(n, columns), least = kernel == GemmKernel::dot ? 4096 : 512;
    if (!P::any_order || kernel == GemmKernel::each || k < 2 * least) return {kernel, 1, k};
    const std::int64_t wanted = ceil_div(2 * enough_blocks, blocks), most = k / least;
    const std::int64_t depth = ceil_div(ceil_div(k, wanted < most ? wanted : most), step) * step;
    return {kernel, ceil_div(k, depth), depth};
}

/// The types of elements that tensor cores multiply.
template <typename E>
constexpr bool has_mma_tile = is_half<E> || std::is_same_v<E, float>;

template <typename P>
bool on_tensor_cores(const P& problem) {
    using E = typename P::Element;
    if constexpr (has_mma_tile<E>)
        return (is_half<E> || problem.tf32) && has_mma<E>();
    else
        return false;
}

template <typename P>
GemmPlan plan_gemm(const P& problem) {
    const std::int64_t m = problem.m(), n = problem.n(), k = problem.k();
    if (m == 0 || n == 0) return {GemmKernel::each, 1, k};
    const bool mma = m > 8 && on_tensor_cores(problem);  // its sums round otherwise: no choice by n where that is barred
    if (k <= 64 && (m == 1 || (m <= 16 && n <= 16 && (P::any_order || !mma)))) return plan_parts<P>(GemmKernel::each, m, n, k);
    if (P::any_order && m <= 8 && n <= 8) return plan_parts<P>(GemmKernel::dot, m, n, k);
    if (m == 1) return plan_parts<P>(GemmKernel::vector, m, n, k);
    if (m <= 8) return plan_parts<P>(GemmKernel::few, m, n, k);
    if (mma) return plan_parts<P>(GemmKernel::mma, m, n, k);
    GemmPlan plan = plan_parts<P>(GemmKernel::small, m, n, k);
    if (std::is_same_v<typename P::Element, float> && ceil_div(m, 128) * ceil_div(n, 128) * problem.items() * plan.parts >= enough_blocks)
        plan.kernel = GemmKernel::large;
    return plan;
}

template <typename P>
std::size_t gemm_workspace(const P& problem) {
    const std::int64_t parts = plan_gemm(problem).parts;
    return parts == 1 ? 0 : static_cast<std::size_t>(parts * problem.items() * problem.m() * problem.n()) * sizeof(typename P::Sum);
}

/// Where sums go: to the result, or, of several parts, to the workspace.
template <typename P>
struct Output {
    GemmPlan plan;
    typename P::Sum* partial;

    /// Of one item's part: where its first sum goes in the workspace, or null.
    __device__ typename P::Sum* of(const P& problem, std::int64_t number, std::int64_t part) const {
        return plan.parts == 1 ? nullptr : partial + (part * problem.items() + number) * problem.m() * problem.n();
    }
};

template <typename Tile, typename P>
__global__ void __launch_bounds__(Tile::threads, Tile::blocks_on_sm) gemm_tiles(P problem, Output<P> output) {
    const std::int64_t tile_rows = ceil_div(problem.m(), Tile::rows), tile_columns = ceil_div(problem.n(), Tile::columns);
    std::int64_t rest = blockIdx.x;
    const std::int64_t row = rest % tile_rows * Tile::rows;  // blocks side by side in time share columns of B, which are the most
    rest /= tile_rows;
    const std::int64_t column = rest % tile_columns * Tile::columns;
    rest /= tile_columns;
    const std::int64_t number = rest % problem.items(), part = rest / problem.items();
    const auto item = problem.item(number);
    if (row >= item.m || column >= item.n) return;

    const std::int64_t begin = part * output.plan.part_depth, end = min(item.k, begin + output.plan.part_depth);
    typename P::Sum* const partial = output.of(problem, number, part);
    typename Tile::Sums sums{};
    Tile::multiply(item, row, column, begin, end, sums);
    const auto rows = static_cast<int>(min(item.m - row, std::int64_t{Tile::rows}));
    const auto columns = static_cast<int>(min(item.n - column, std::int64_t{Tile::columns}));
    sums.each([&](int j) { return item.column(column + j); },
              [&](int i, int j, const auto& at, typename P::Sum sum) {
                  if (i >= rows || j >= columns) return;
                  if (partial)
                      partial[(row + i) * problem.n() + column + j] = sum;
                  else
                      item.store(row + i, at, sum);
              });
}

template <typename P>
__global__ void gemm_each(P problem) {
    const std::int64_t m = problem.m(), n = problem.n();
    each_index(problem.items() * m * n, [&](std::int64_t index) {
        const std::int64_t j = index % n, i = index / n % m;
        const auto item = problem.item(index / n / m);
        if (i >= item.m || j >= item.n) return;
        typename P::Sum sum{};
        const auto row = item.a.line(i);
        const auto column = item.b.line(j);
        for (std::int64_t p = 0; p < item.k; ++p)
            sum = multiply_add(convert<typename P::Sum>(item.a.load(row, item.a.depth(p))),
                               convert<typename P::Sum>(item.b.load(column, item.b.depth(p))), sum);
        item.store(i, item.column(j), sum);
    });
}

template <typename P>
__global__ void gemm_dot(P problem, Output<P> output) {
    using Sum = typename P::Sum;
    const std::int64_t m = problem.m(), n = problem.n(), block = blockIdx.x;
    const std::int64_t j = block % n, i = block / n % m, number = block / n / m % problem.items(), part = block / n / m / problem.items();
    const auto item = problem.item(number);
    const auto row = item.a.line(i);
    const auto column = item.b.line(j);
    const std::int64_t begin = part * output.plan.part_depth, end = min(item.k, begin + output.plan.part_depth);
    Sum sum{};
    for (std::int64_t p = begin + threadIdx.x; p < end; p += 256)
        sum = multiply_add(convert<Sum>(item.a.load(row, item.a.depth(p))), convert<Sum>(item.b.load(column, item.b.depth(p))), sum);
    sum = block_reduce<1>(sum, Add());
    if (threadIdx.x != 0) return;
    if (auto* partial = output.of(problem, number, part))
        partial[i * n + j] = sum;
    else
        item.store(i, item.column(j), sum);
}

template <typename P>
__global__ void add_parts(P problem, Output<P> output) {
    const std::int64_t m = problem.m(), n = problem.n(), count = problem.items() * m * n;
    each_index(count, [&](std::int64_t index) {
        typename P::Sum sum = output.partial[index];
        for (std::int64_t part = 1; part < output.plan.parts; ++part) sum += output.partial[part * count + index];
        const auto item = problem.item(index / n / m);
        item.store(index / n % m, item.column(index % n), sum);
    });
}

/// More blocks than a grid may have, the launch refuses.
inline unsigned grid_of(std::int64_t blocks) { return static_cast<unsigned>(std::min<std::int64_t>(blocks, UINT32_MAX)); }

template <typename Tile, typename P>
void launch_tiles(const P& problem, const Output<P>& output) {
    const std::int64_t tiles = ceil_div(problem.m(), Tile::rows) * ceil_div(problem.n(), Tile::columns);
    launch(gemm_tiles<Tile, P>, {{grid_of(tiles * problem.items() * output.plan.parts)}, {Tile::threads}, Tile::shared_bytes}, problem,
           output);
}

/// Makes all products of the problem; `workspace` holds gemm_workspace(problem) bytes.
template <typename P>
void gemm(const P& problem, void* workspace) {
    using Sum = typename P::Sum;
    constexpr int depth = 64 / sizeof(Sum);
    const std::int64_t elements = problem.items() * problem.m() * problem.n();
    if (elements == 0) return;
    const Output<P> output{plan_gemm(problem), static_cast<Sum*>(workspace)};
    switch (output.plan.kernel) {
        case GemmKernel::each: launch(gemm_each<P>, shape_for(elements), problem); break;
        case GemmKernel::dot:
            if constexpr (P::any_order) launch(gemm_dot<P>, {{grid_of(elements * output.plan.parts)}, {256}}, problem, output);
            break;
        case GemmKernel::vector: launch_tiles<Tile<Sum, 1, 128, depth, 1, 1>>(problem, output); break;
        case GemmKernel::few: launch_tiles<Tile<Sum, 8, 128, depth, 8, 1>>(problem, output); break;
        case GemmKernel::small: launch_tiles<Tile<Sum, 64, 64, depth, 4, 4>>(problem, output); break;
        case GemmKernel::large:
            if constexpr (std::is_same_v<typename P::Element, float>) launch_tiles<Tile<float, 128, 128, 8, 8, 8>>(problem, output);
            break;
        case GemmKernel::mma:
            if constexpr (has_mma_tile<typename P::Element>)
                problem.with_sources([&]<Way a, Way b> { launch_tiles<MmaTile<typename P::Element, a, b>>(problem, output); });
            break;
    }
    if constexpr (P::any_order)
        if (output.plan.parts > 1) launch(add_parts<P>, shape_for(elements), problem, output);
}

}  // namespace
}  // namespace pyengine::kernels
