// The loop that all elementwise kernels share, in the order of the output's memory: neighbouring threads compute neighbouring elements, and
// each thread several that are a block apart, whose loads are then all under way at once. Every element is read and written once.
// It has run in the simulator only so far.
#pragma once

#include <limits>
#include <utility>

#include "kernels/accumulator.h"
#include "kernels/cuda/cuda.h"
#include "kernels/elementwise.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

/// ElementwiseArgs without its pointers to the CPU's memory: what a kernel can be handed. Operand 0 is the output.
template <int operands>
struct Walk {
    int rank;
    std::int64_t count;
    std::int64_t shape[ElementwiseArgs::max_rank];
    std::int64_t strides[operands][ElementwiseArgs::max_rank];
    void* data[operands];

    explicit Walk(const ElementwiseArgs& args) : rank(static_cast<int>(args.rank)), count(1) {
        data[0] = args.out.data;
        for (int k = 1; k < operands; ++k) data[k] = args.in[k - 1].data;
        for (int axis = 0; axis < rank; ++axis) {
            shape[axis] = args.shape[axis];
            count *= shape[axis];
            strides[0][axis] = args.out.strides[axis];
            for (int k = 1; k < operands; ++k) strides[k][axis] = args.in[k - 1].strides[axis];
        }
    }

    /// Where element i of each operand lies, in elements. Divisions of 32 bits take a fraction of the time of those of 64.
    __device__ void locate(std::int64_t i, std::int64_t (&at)[operands]) const {
        if (count <= std::numeric_limits<std::uint32_t>::max())
            locate_as(static_cast<std::uint32_t>(i), at);
        else
            locate_as(static_cast<std::uint64_t>(i), at);
    }

private:
    template <typename Index>
    __device__ void locate_as(Index i, std::int64_t (&at)[operands]) const {
        for (int k = 0; k < operands; ++k) at[k] = 0;
        for (int axis = rank - 1; axis > 0; --axis) {
            const Index size = static_cast<Index>(shape[axis]), along = i % size;
            i /= size;
            for (int k = 0; k < operands; ++k) at[k] += static_cast<std::int64_t>(along) * strides[k][axis];
        }
        for (int k = 0; k < operands; ++k) at[k] += static_cast<std::int64_t>(i) * strides[k][0];
    }
};

/// About 16 bytes of each operand, which with the threads that an SM holds cover the latency of the memory. More code than that is no faster.
template <typename... T>
constexpr int elements_per_thread = ((sizeof(T) >= 8) || ...) ? 2 : 4;

template <typename Out, typename... In, int operands, typename F, std::size_t... k>
__device__ Out value_at(const Walk<operands>& walk, const std::int64_t (&at)[operands], F f, std::index_sequence<k...>) {
    return f(static_cast<const In*>(walk.data[1 + k])[at[1 + k]]...);
}

template <typename F, typename Out, typename... In>
__global__ void map_kernel(Walk<1 + sizeof...(In)> walk, F f) {
    constexpr int elements = elements_per_thread<Out, In...>;
    const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x * elements;
    std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * blockDim.x * elements + threadIdx.x;
    for (; first < walk.count; first += step) {
        std::int64_t at[1 + sizeof...(In)];
        Out* place[elements];
        Out value[elements];
#pragma unroll
        for (int n = 0; n < elements; ++n) {
            const std::int64_t i = first + n * static_cast<std::int64_t>(blockDim.x);
            walk.locate(i < walk.count ? i : first, at);  // past the end its own first element again: no branch around the loads
            place[n] = static_cast<Out*>(walk.data[0]) + at[0];
            value[n] = value_at<Out, In...>(walk, at, f, std::index_sequence_for<In...>());
        }
#pragma unroll
        for (int n = 0; n < elements; ++n)
            if (first + n * static_cast<std::int64_t>(blockDim.x) < walk.count) *place[n] = value[n];
    }
}

/// out = f(in[0], ...), the elements being of the types Out and In.
template <typename Out, typename... In, typename F>
void map(const ElementwiseArgs& args, F f) {
    const Walk<1 + sizeof...(In)> walk(args);
    constexpr int elements = elements_per_thread<Out, In...>;
    const std::int64_t threads = (walk.count + elements - 1) / elements;
    if (walk.count > 0) launch(map_kernel<F, Out, In...>, shape_for(threads, threads < 256 ? (threads + 31) / 32 * 32 : 256), walk, f);
}

/// F on numbers as they compute: 16-bit floats in float, booleans as bytes.
template <typename Out, typename F>
struct Computed {
    F f{};
    template <typename... T>
    __device__ Out operator()(T... x) const {
        return convert<Out>(f(convert<Comparable<T>>(x)...));
    }
};

constexpr bool is_floating(ElementType type) { return type >= ElementType::float16 && type <= ElementType::float64; }

/// An integer type, or unsigned bytes for bool.
template <typename Call>
void with_integer_type(ElementType type, Call call) {
    switch (type) {
        case ElementType::int8: return call.template operator()<std::int8_t>();
        case ElementType::int16: return call.template operator()<std::int16_t>();
        case ElementType::int32: return call.template operator()<std::int32_t>();
        case ElementType::int64: return call.template operator()<std::int64_t>();
        case ElementType::uint16: return call.template operator()<std::uint16_t>();
        case ElementType::uint32: return call.template operator()<std::uint32_t>();
        case ElementType::uint64: return call.template operator()<std::uint64_t>();
        default: return call.template operator()<std::uint8_t>();
    }
}

template <typename Call>
void with_number_type(ElementType type, Call call) {
    if (is_floating(type)) return with_float_type(type, call);
    with_integer_type(type, call);
}

/// For what is the same for both signs, as arithmetic modulo 2^bits is: integers by their size, unsigned.
template <typename Call>
void with_wrapping_type(ElementType type, Call call) {
    if (is_floating(type)) return with_float_type(type, call);
    with_size(type, call);
}

/// From an operation that is known at run time to one of [first, last] that the compiler knows.
template <auto first, auto last, typename Call>
void with_operation(decltype(first) op, Call call) {
    if (op == first)
        call.template operator()<first>();
    else if constexpr (first != last)
        with_operation<static_cast<decltype(first)>(static_cast<int>(first) + 1), last>(op, call);
}

}  // namespace
}  // namespace pyengine::kernels
