#include "kernels/multiply_add.h"

#include "kernels/cpu/types.h"

namespace pyengine::kernels {
namespace {

template <typename T>
void run_multiply_add(std::int64_t n, void* out, const void* const* in) {
    const T* a = static_cast<const T*>(in[0]);
    const T* b = static_cast<const T*>(in[1]);
    const T* c = static_cast<const T*>(in[2]);
    T* y = static_cast<T*>(out);
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) y[i] = a[i] * b[i] + c[i];
}

}  // namespace

template <>
void multiply_add<level>(const ElementwiseArgs& args) {
    elementwise<3>(for_floats(args.out.type, []<typename T>() -> Run { return run_multiply_add<T>; }), args);
}

}  // namespace pyengine::kernels
