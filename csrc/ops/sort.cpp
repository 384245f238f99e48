#include "kernels/sort.h"

#include "csrc/check.h"
#include "csrc/ops.h"
#include "kernels/cpu/parallel.h"

namespace pyengine::ops {

Array argsort(const Array& x, std::int64_t axis, bool descending) {
    check_real("argsort", x.dtype());
    const std::int64_t along = normalize_axis("argsort", axis, x.rank());
    Dims order;  // the axis to sort along comes last, so that rows are contiguous
    for (std::int64_t i = 0; i < x.rank(); ++i)
        if (i != along) order.push_back(i);
    order.push_back(along);
    const Array rows = contiguous(permute_dims(x, order));
    const Array sorted(rows.shape(), DType::int64, x.device());
    const std::int64_t size = x.shape()[static_cast<std::size_t>(along)];
    kernels::ArgsortArgs args{
        x.dtype(), size == 0 ? 0 : x.size() / size, size, descending, rows.raw(), sorted.data<std::int64_t>(), kernels::thread_count(),
        nullptr};
    on_device(x.device(), [&]<Isa level> {
        const Workspace workspace(kernels::argsort_workspace<level>(args), x.device());
        args.workspace = workspace.data();
        kernels::argsort<level>(args);
    });
    Dims back(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) back[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
    return permute_dims(sorted, back);
}

Array searchsorted(const Array& sorted, const Array& values, bool right) {
    if (sorted.rank() != 1) fail_value("searchsorted: not a vector: ", sorted.shape(), "; the sorted array must have one axis");
    const DType dtype = promote("searchsorted", sorted.dtype(), values.dtype());
    check_real("searchsorted", dtype);
    const Device device = common_device("searchsorted", {&sorted, &values});
    const Array haystack = astype(sorted, dtype), needles = astype(values, dtype);
    const Array out(values.shape(), DType::int64, device);
    const kernels::SearchsortedArgs args{dtype,          right,         sorted.size(),           values.size(),
                                         haystack.raw(), needles.raw(), out.data<std::int64_t>()};
    on_device(device, [&]<Isa level> { kernels::searchsorted<level>(args); });
    return out;
}

}  // namespace pyengine::ops
