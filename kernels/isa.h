// The instruction-set levels a kernel is compiled for. Every kernel is declared once as a function template over Isa and defined once per
// level, by explicit specialisation: kernels/reference/<op>.cpp defines Isa::reference, kernels/cpu/<op>.cpp those of CPUs,
// kernels/cuda/<op>.cu the last two; one object file each.
#pragma once

namespace pyengine::kernels {

enum class Isa {
    reference,  // plain loops, the oracle
    baseline,   // what every CPU of the architecture has: SSE2 on x86-64
    avx2,       // AVX2, FMA, F16C
    avx512,     // AVX-512 F, BW, DQ, VL
    neon,       // AArch64 Advanced SIMD
    cuda,       // kernels/cuda, on a GPU
    simulator,  // kernels/cuda, on a CPU: see kernels/simulator
};

}  // namespace pyengine::kernels
