#include "kernels/scan.h"

#include "kernels/accumulator.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {

template <>
std::size_t scan_workspace<Isa::reference>(const ScanArgs&) {
    return 0;
}

template <>
void scan<Isa::reference>(const ScanArgs& args) {
    with_type(args.type, [&]<typename T> {
        using A = std::conditional_t<is_real<T>, double, Accumulator<T>>;
        const T* x = static_cast<const T*>(args.x);
        SumType<T>* out = static_cast<SumType<T>*>(args.out);
        const std::int64_t out_size = args.size + args.include_initial;
        for (std::int64_t o = 0; o < args.outer; ++o)
            for (std::int64_t i = 0; i < args.inner; ++i) {
                A total = args.op == ScanOp::sum ? A{0} : A{1};
                if (args.include_initial) out[o * out_size * args.inner + i] = convert<SumType<T>>(total);
                for (std::int64_t r = 0; r < args.size; ++r) {
                    const A value = convert<A>(x[(o * args.size + r) * args.inner + i]);
                    total = args.op == ScanOp::sum ? wrapping_add(total, value) : wrapping_multiply(total, value);
                    out[(o * out_size + r + args.include_initial) * args.inner + i] = convert<SumType<T>>(total);
                }
            }
    });
}

}  // namespace pyengine::kernels
