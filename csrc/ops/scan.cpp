#include "kernels/scan.h"

#include "csrc/check.h"
#include "csrc/ops.h"

namespace pyengine::ops {
namespace {

Array scanned(const char* op, kernels::ScanOp how, const Array& given, std::int64_t axis, bool include_initial) {
    check_real(op, given.dtype());
    const auto along = static_cast<std::size_t>(normalize_axis(op, axis, given.rank()));
    const Array x = contiguous(given);
    Dims shape = x.shape();
    shape[along] += include_initial;
    const Array out(shape, sum_type(x.dtype()), x.device());
    kernels::ScanArgs args{how, x.dtype(), 1, x.shape()[along], 1, include_initial, x.raw(), out.raw(), nullptr};
    for (std::size_t i = 0; i < x.shape().size(); ++i) {
        if (i < along) args.outer *= x.shape()[i];
        if (i > along) args.inner *= x.shape()[i];
    }
    on_device(x.device(), [&]<Isa level> {
        const Workspace workspace(kernels::scan_workspace<level>(args), x.device());
        args.workspace = workspace.data();
        kernels::scan<level>(args);
    });
    return out;
}

}  // namespace

Array cumulative_sum(const Array& x, std::int64_t axis, bool include_initial) {
    return scanned("cumulative_sum", kernels::ScanOp::sum, x, axis, include_initial);
}

Array cumulative_prod(const Array& x, std::int64_t axis, bool include_initial) {
    return scanned("cumulative_prod", kernels::ScanOp::prod, x, axis, include_initial);
}

}  // namespace pyengine::ops
