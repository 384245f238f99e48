// The loop that all elementwise kernels share: thread i computes elements i, i + threads, ... of the output, in the order of its memory.
#pragma once

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

    /// Where element i of each operand lies, in elements.
    __device__ void locate(std::int64_t i, std::int64_t (&at)[operands]) const {
        for (int k = 0; k < operands; ++k) at[k] = 0;
        for (int axis = rank - 1; axis > 0; --axis) {
            const std::int64_t along = i % shape[axis];
            i /= shape[axis];
            for (int k = 0; k < operands; ++k) at[k] += along * strides[k][axis];
        }
        for (int k = 0; k < operands; ++k) at[k] += i * strides[k][0];
    }
};

template <typename Out, typename A, typename F>
__global__ void map1(Walk<2> walk, F f) {
    each_index(walk.count, [&](std::int64_t i) {
        std::int64_t at[2];
        walk.locate(i, at);
        static_cast<Out*>(walk.data[0])[at[0]] = f(static_cast<const A*>(walk.data[1])[at[1]]);
    });
}

template <typename Out, typename A, typename B, typename F>
__global__ void map2(Walk<3> walk, F f) {
    each_index(walk.count, [&](std::int64_t i) {
        std::int64_t at[3];
        walk.locate(i, at);
        static_cast<Out*>(walk.data[0])[at[0]] = f(static_cast<const A*>(walk.data[1])[at[1]], static_cast<const B*>(walk.data[2])[at[2]]);
    });
}

template <typename Out, typename A, typename B, typename C, typename F>
__global__ void map3(Walk<4> walk, F f) {
    each_index(walk.count, [&](std::int64_t i) {
        std::int64_t at[4];
        walk.locate(i, at);
        static_cast<Out*>(walk.data[0])[at[0]] = f(static_cast<const A*>(walk.data[1])[at[1]], static_cast<const B*>(walk.data[2])[at[2]],
                                                   static_cast<const C*>(walk.data[3])[at[3]]);
    });
}

/// out = f(in[0]). F is a function object without state.
template <typename Out, typename A, typename F>
void map(const ElementwiseArgs& args, F f) {
    const Walk<2> walk(args);
    if (walk.count > 0) launch(map1<Out, A, F>, shape_for(walk.count), walk, f);
}

template <typename Out, typename A, typename B, typename F>
void map(const ElementwiseArgs& args, F f) {
    const Walk<3> walk(args);
    if (walk.count > 0) launch(map2<Out, A, B, F>, shape_for(walk.count), walk, f);
}

template <typename Out, typename A, typename B, typename C, typename F>
void map(const ElementwiseArgs& args, F f) {
    const Walk<4> walk(args);
    if (walk.count > 0) launch(map3<Out, A, B, C, F>, shape_for(walk.count), walk, f);
}

}  // namespace
}  // namespace pyengine::kernels
