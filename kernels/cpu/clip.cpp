#include "kernels/clip.h"

#include "kernels/cpu/types.h"

namespace pyengine::kernels {
namespace {

template <typename T>
void clamp(std::int64_t n, void* out, const void* const* in) {
    const T* x = static_cast<const T*>(in[0]);
    const T* low = static_cast<const T*>(in[1]);
    const T* high = static_cast<const T*>(in[2]);
    T* y = static_cast<T*>(out);
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
        const T raised = x[i] > low[i] || x[i] != x[i] ? x[i] : low[i];
        y[i] = raised < high[i] || raised != raised ? raised : high[i];
    }
}

}  // namespace

template <>
void clip<level>(const ElementwiseArgs& args) {
    elementwise<3>(for_all(args.out.type, []<typename T>() -> Run { return clamp<T>; }), args);
}

}  // namespace pyengine::kernels
