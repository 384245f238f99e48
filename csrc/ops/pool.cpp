#include "kernels/pool.h"

#include "csrc/check_position.h"
#include "csrc/float_checks.h"
#include "csrc/ops.h"

namespace pyengine::ops {
namespace {

/// Windows must be given for each of three axes, and none may be empty or leave the plane.
void check_windows(const char* op, const Dims& in_size, const PoolWindows& windows) {
    for (std::size_t axis = 0; axis < 3; ++axis) {
        const Dims &first = windows.first[axis], &count = windows.count[axis];
        if (first.size() != count.size() || first.size() != windows.divisor[axis].size())
            fail_value(op, ": window lists differ in length: ", first.size(), ", ", count.size(), ", ", windows.divisor[axis].size(),
                       "; one entry for each output");
        std::int64_t largest_first = 0, largest_last = 0;
        for (std::size_t i = 0; i < first.size(); ++i) {
            const std::int64_t last = first[i] + (count[i] - 1) * windows.step[axis];
            if (count[i] < 1 || first[i] < 0 || last >= in_size[axis])
                fail_value(op, ": window ", i, " sees nothing or leaves the input: first ", first[i], ", count ", count[i], ", size ",
                           in_size[axis], "; every window must hold at least one element of the input");
            largest_first = std::max(largest_first, first[i]);
            largest_last = std::max(largest_last, last);
            if (first[i] + windows.step[axis] <= largest_first || last + windows.step[axis] <= largest_last)
                fail_value(op, ": window ", i, " begins or ends before one in front of it: first ", first[i], ", last ", last,
                           "; windows must be in order");
        }
    }
}

kernels::PoolArgs make_args(const char* op, const Array& from, const Dims& in_size, const PoolWindows& windows) {
    check_floating(op, "x", from);
    check_windows(op, in_size, windows);
    kernels::PoolArgs args{};
    args.type = from.dtype();
    args.planes = from.shape()[0];
    args.from = from.raw();
    for (std::size_t axis = 0; axis < 3; ++axis) {
        args.in_size[axis] = in_size[axis];
        args.out_size[axis] = static_cast<std::int64_t>(windows.first[axis].size());
        args.step[axis] = windows.step[axis];
        args.first[axis] = windows.first[axis].data();
        args.count[axis] = windows.count[axis].data();
        args.divisor[axis] = windows.divisor[axis].data();
    }
    return args;
}

Dims size_of_plane(const Array& x) { return {x.shape()[1], x.shape()[2], x.shape()[3]}; }

Dims out_shape(const Array& x, const PoolWindows& windows) {
    return {x.shape()[0], static_cast<std::int64_t>(windows.first[0].size()), static_cast<std::int64_t>(windows.first[1].size()),
            static_cast<std::int64_t>(windows.first[2].size())};
}

void check_rank(const char* op, const Array& x) {
    if (x.rank() != 4) fail_value(op, ": not planes: shape ", x.shape(), "; must be (planes, depth, height, width)");
}

}  // namespace

std::pair<Array, Array> max_pool(const Array& x, const PoolWindows& windows) {
    check_rank("max_pool", x);
    const Array from = contiguous(x);
    kernels::PoolArgs args = make_args("max_pool", from, size_of_plane(x), windows);
    Array y(out_shape(x, windows), x.dtype(), x.device()), indices(y.shape(), DType::int64, x.device());
    args.to = y.raw();
    args.indices = indices.data<std::int64_t>();
    on_device(from.device(), [&]<Isa level> {
        const Workspace workspace(kernels::pool_workspace<level>(args), from.device());
        args.workspace = workspace.data();
        kernels::max_pool<level>(args);
    });
    return {y, indices};
}

Array avg_pool(const Array& x, const PoolWindows& windows) {
    check_rank("avg_pool", x);
    const Array from = contiguous(x);
    kernels::PoolArgs args = make_args("avg_pool", from, size_of_plane(x), windows);
    Array y(out_shape(x, windows), x.dtype(), x.device());
    args.to = y.raw();
    on_device(from.device(), [&]<Isa level> {
        const Workspace workspace(kernels::pool_workspace<level>(args), from.device());
        args.workspace = workspace.data();
        kernels::avg_pool<level>(args);
    });
    return y;
}

Array avg_pool_transpose(const Array& y, const Dims& in_size, const PoolWindows& windows) {
    check_rank("avg_pool_transpose", y);
    const Array from = contiguous(y);
    kernels::PoolArgs args = make_args("avg_pool_transpose", from, in_size, windows);
    if (!(y.shape() == out_shape(y, windows)))
        fail_value("avg_pool_transpose: shape does not fit the windows: ", y.shape(), "; must be ", out_shape(y, windows));
    Array x({y.shape()[0], in_size[0], in_size[1], in_size[2]}, y.dtype(), y.device());
    args.to = x.raw();
    on_device(from.device(), [&]<Isa level> {
        const Workspace workspace(kernels::pool_transpose_workspace<level>(args), from.device());
        args.workspace = workspace.data();
        kernels::avg_pool_transpose<level>(args);
    });
    return x;
}

namespace {

void fail_at(std::int64_t position, const Array& indices, const char* const& op, const std::int64_t& size) {
    fail<IndexError>(op, ": index out of range: ", element(indices, position), " in planes of ", size,
                     " elements; must be at least 0 and less");
}

/// Indices come from max_pool, through Python: they are checked all the same.
kernels::PoolArgs indexed_args(const char* op, const Array& from, const Array& indices, const Dims& in_size) {
    check_floating(op, "x", from);
    kernels::PoolArgs args{};
    args.type = from.dtype();
    args.planes = from.shape()[0];
    args.from = from.raw();
    for (std::size_t axis = 0; axis < 3; ++axis) {
        args.in_size[axis] = in_size[axis];
        args.out_size[axis] = indices.shape()[axis + 1];
    }
    args.indices = indices.data<std::int64_t>();
    common_device(op, {&from, &indices});
    const std::int64_t size = in_size[0] * in_size[1] * in_size[2], none = -1;
    check_inside(indices, size, none, fail_at, op, size);
    return args;
}

}  // namespace

Array max_pool_gather(const Array& x, const Array& indices) {
    check_rank("max_pool_gather", x);
    const Array from = contiguous(x), at = contiguous(indices);
    kernels::PoolArgs args = indexed_args("max_pool_gather", from, at, size_of_plane(x));
    Array y(indices.shape(), x.dtype(), x.device());
    args.to = y.raw();
    on_device(from.device(), [&]<Isa level> { kernels::max_pool_gather<level>(args); });
    return y;
}

Array max_pool_scatter(const Array& y, const Array& indices, const Dims& in_size) {
    check_rank("max_pool_scatter", y);
    check_same_shape("max_pool_scatter", "y", y, "indices", indices);
    const Array from = contiguous(y), at = contiguous(indices);
    kernels::PoolArgs args = indexed_args("max_pool_scatter", from, at, in_size);
    Array x({y.shape()[0], in_size[0], in_size[1], in_size[2]}, y.dtype(), y.device());
    args.to = x.raw();
    on_device(from.device(), [&]<Isa level> {
        const Workspace workspace(kernels::pool_transpose_workspace<level>(args), from.device());
        args.workspace = workspace.data();
        kernels::max_pool_scatter<level>(args);
    });
    return x;
}

}  // namespace pyengine::ops
