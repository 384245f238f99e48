// scan: out[o, r, i] = x[o, 0, i] op ... op x[o, r, i]: running sums and products.
//
//   x (outer, size, inner), contiguous; out (outer, size, inner), or (outer, size + 1, inner) with the neutral element first; contiguous,
//   not aliased by x. Fast where inner is large, or there are many outer ones: one scan by itself runs on one thread.
//   any element type; out has the type of sums (kernels/accumulator.h); integers wrap
//   Floats accumulate in float64: a running sum of n float32 is within an ulp as long as n 2^-29 sum |x| is. In order on CPUs; on GPUs in
//   an order that depends on the shape alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/element_type.h"
#include "kernels/isa.h"

namespace pyengine::kernels {

enum class ScanOp { sum, prod };

struct ScanArgs {
    ScanOp op;
    ElementType type;
    std::int64_t outer, size, inner;
    bool include_initial;
    const void* x;
    void* out;
    void* workspace;  // scan_workspace(args) bytes, 64-byte aligned
};

template <Isa isa>
std::size_t scan_workspace(const ScanArgs& args);

template <Isa isa>
void scan(const ScanArgs& args);

}  // namespace pyengine::kernels
