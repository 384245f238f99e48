#include "csrc/isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <cstdlib>

#include "csrc/check.h"

namespace pyengine {
namespace {

std::string names(const std::vector<Isa>& levels) {
    std::string joined;
    for (Isa level : levels) joined += (joined.empty() ? "" : ", ") + isa_name(level);
    return joined;
}

Isa by_name(const std::string& name) {
    for (Isa level : available_isas())
        if (isa_name(level) == name) return level;
    fail_value("isa: level not available: '", name, "'; this machine and build have ", names(available_isas()));
}

#if defined(__x86_64__)
[[maybe_unused]] bool cpu_has_avx2() {
    __builtin_cpu_init();
    unsigned a, b, c, d;
    const bool f16c = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);  // clang 14 does not know this one by name
    return f16c && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

Isa& chosen() {
    static Isa level = [] {
        const char* wanted = std::getenv("PYENGINE_ISA");
        return wanted && *wanted ? by_name(wanted) : available_isas().front();
    }();
    return level;
}

}  // namespace

Isa isa() { return chosen(); }

void set_isa(const std::string& name) { chosen() = by_name(name); }

std::string isa_name(Isa level) {
    switch (level) {
        case Isa::reference: return "reference";
        case Isa::baseline: return "baseline";
        case Isa::avx2: return "avx2";
        case Isa::avx512: return "avx512";
        case Isa::neon: return "neon";
        case Isa::cuda: return "cuda";
        case Isa::simulator: return "simulator";
    }
    return "unknown";
}

std::vector<Isa> available_isas() {
    std::vector<Isa> levels;
#if defined(PYENGINE_HAS_avx512)
    if (cpu_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        levels.push_back(Isa::avx512);
#endif
#if defined(PYENGINE_HAS_avx2)
    if (cpu_has_avx2()) levels.push_back(Isa::avx2);
#endif
#if defined(PYENGINE_HAS_neon)
    levels.push_back(Isa::neon);
#endif
#if defined(PYENGINE_HAS_baseline)
    levels.push_back(Isa::baseline);
#endif
    levels.push_back(Isa::reference);
    return levels;
}

}  // namespace pyengine
