// Tensor maps, which TMA's instructions take: made on the CPU, handed to kernels as `const __grid_constant__ TensorMap` parameters.
#pragma once

#include "kernels/cuda/cuda.h"
#include "kernels/cuda/primitives/tensor_layout.h"
#ifndef PYENGINE_SIMULATED
#include <cuda.h>

#include <stdexcept>
#include <string>
#endif

namespace pyengine::kernels {

#ifdef PYENGINE_SIMULATED

using TensorMap = TensorLayout;

namespace {
[[maybe_unused]] TensorMap make_tensor_map(const TensorLayout& layout) {
    check_layout(layout);
    return layout;
}
}  // namespace

#else

using TensorMap = CUtensorMap;

namespace {

inline CUtensorMapDataType driver_type(ElementType type) {
    switch (type) {
        case ElementType::uint8: return CU_TENSOR_MAP_DATA_TYPE_UINT8;
        case ElementType::uint16: return CU_TENSOR_MAP_DATA_TYPE_UINT16;
        case ElementType::uint32: return CU_TENSOR_MAP_DATA_TYPE_UINT32;
        case ElementType::int32: return CU_TENSOR_MAP_DATA_TYPE_INT32;
        case ElementType::uint64: return CU_TENSOR_MAP_DATA_TYPE_UINT64;
        case ElementType::int64: return CU_TENSOR_MAP_DATA_TYPE_INT64;
        case ElementType::float16: return CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
        case ElementType::bfloat16: return CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
        case ElementType::float64: return CU_TENSOR_MAP_DATA_TYPE_FLOAT64;
        default: return CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
    }
}

/// A function of the driver, which the program is not linked with.
template <typename Function>
Function driver_function(const char* name) {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult result{};
    const cudaError_t status = cudaGetDriverEntryPointByVersion(name, &found, 12000, cudaEnableDefault, &result);
    if (status != cudaSuccess || result != cudaDriverEntryPointSuccess)
        throw std::runtime_error(std::string("tensor map: the driver has no ") + name + "; it must support CUDA 12.0 or later");
    return reinterpret_cast<Function>(found);
}

[[maybe_unused]] TensorMap make_tensor_map(const TensorLayout& t) {
    check_layout(t);
    static const auto tiled = driver_function<decltype(&cuTensorMapEncodeTiled)>("cuTensorMapEncodeTiled");
    static const auto im2col = driver_function<decltype(&cuTensorMapEncodeIm2col)>("cuTensorMapEncodeIm2col");
    const auto rank = static_cast<cuuint32_t>(t.rank);
    const auto swizzle = static_cast<CUtensorMapSwizzle>(t.swizzle);  // in the same order
    cuuint64_t sizes[5], strides[5] = {};
    cuuint32_t box[5], steps[5] = {1, 1, 1, 1, 1};
    for (int i = 0; i < t.rank; ++i) {
        sizes[i] = t.sizes[i];
        box[i] = t.box[i];
        if (i > 0) strides[i - 1] = t.strides[i];
        if (t.im2col && i > 0 && i < t.rank - 1) steps[i] = t.steps[i - 1];
    }
    TensorMap map;
    const CUresult status =
        t.im2col ? im2col(&map, driver_type(t.type), rank, t.data, sizes, strides, t.lower, t.upper, t.channels, t.pixels, steps,
                          CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle, CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE)
                 : tiled(&map, driver_type(t.type), rank, t.data, sizes, strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle,
                         CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (status != CUDA_SUCCESS) throw std::runtime_error("tensor map: the driver refuses it, with error " + std::to_string(status));
    return map;
}

}  // namespace

#endif

}  // namespace pyengine::kernels
