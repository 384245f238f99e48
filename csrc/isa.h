// The instruction-set level in use: found once, from the CPU or from PYENGINE_ISA; asking for one this machine lacks is an error.
#pragma once

#include <string>
#include <vector>

#include "kernels/isa.h"

namespace pyengine {

using kernels::Isa;

Isa isa();
std::string isa_name(Isa isa);

/// The levels compiled in that this CPU can run, best first.
std::vector<Isa> available_isas();

/// For tests and benchmarks; ValueError if `name` is not available here.
void set_isa(const std::string& name);

/// Calls the kernel of the level in use, one of those compiled in (PYENGINE_HAS_<level>, from CMakeLists.txt):
/// at_isa([&]<Isa level> { kernels::matmul<level>(args); });
template <typename Call>
decltype(auto) at_isa(Call&& call) {
    switch (isa()) {
#if defined(PYENGINE_HAS_avx512)
        case Isa::avx512: return call.template operator()<Isa::avx512>();
#endif
#if defined(PYENGINE_HAS_avx2)
        case Isa::avx2: return call.template operator()<Isa::avx2>();
#endif
#if defined(PYENGINE_HAS_neon)
        case Isa::neon: return call.template operator()<Isa::neon>();
#endif
#if defined(PYENGINE_HAS_baseline)
        case Isa::baseline: return call.template operator()<Isa::baseline>();
#endif
        default: return call.template operator()<Isa::reference>();
    }
}

}  // namespace pyengine
