#include "kernels/index.h"

#include "csrc/axis_group.h"
#include "csrc/check.h"
#include "csrc/check_position.h"
#include "csrc/loop.h"
#include "csrc/ops.h"

namespace pyengine::ops {
namespace {

// In the order of the enumeration.
constexpr const char* index_update_table[] = {"index_assign", "index_add", "index_min", "index_max"};
constexpr const char* scatter_table[] = {"scatter", "scatter_add", "scatter_min", "scatter_max"};

Array as_index(const char* op, const Array& index) {
    if (kind_of(index.dtype()) != Kind::integer) fail_type(op, ": indices are not integers: ", index.dtype(), "; convert first");
    return index.dtype() == DType::int64 ? index : astype(index, DType::int64);
}

/// Where the elements that index arrays select lie, relative to x's first: checked, and written to a workspace.
class Offsets {
public:
    /// The arrays have one shape; array k indexes axis axes[k]. own_strides says what a step along the arrays' own axes adds, in x's
    /// elements.
    Offsets(const char* op, const Array& x, const std::vector<Array>& indices, const Dims& axes, const Dims& own_strides)
        : count_(indices.front().size()), workspace_(static_cast<std::size_t>(count_ + 1) * sizeof(std::int64_t), x.device()) {
        for (const Array& index : indices) common_device(op, {&x, &index});
        std::vector<const std::int64_t*> data, strides;
        Dims axis_sizes(axes.size()), axis_strides(axes.size());
        for (std::size_t k = 0; k < axes.size(); ++k) {
            const auto axis = static_cast<std::size_t>(axes[k]);
            data.push_back(indices[k].data<std::int64_t>());
            strides.push_back(indices[k].strides().data());
            axis_sizes[k] = x.shape()[axis];
            axis_strides[k] = x.strides()[axis];
        }
        const Array& first = indices.front();
        const kernels::IndexOffsetsArgs args{first.rank(),        first.shape().data(), own_strides.data(),
                                             std::ssize(indices), data.data(),          strides.data(),
                                             axis_sizes.data(),   axis_strides.data(),  static_cast<std::int64_t*>(workspace_.data())};
        on_device(x.device(), [&]<Isa level> { kernels::index_offsets<level>(args); });
        check_position(this->data() + count_, x.device(), fail_at, op, x, indices, axes);
    }

    std::int64_t count() const { return count_; }
    const std::int64_t* data() const { return static_cast<const std::int64_t*>(workspace_.data()); }

private:
    static void fail_at(std::int64_t position, const char* const& op, const Array& x, const std::vector<Array>& indices, const Dims& axes) {
        for (std::size_t k = 0; k < indices.size(); ++k) {
            const std::int64_t index = element(contiguous(indices[k]), position);
            const std::int64_t size = x.shape()[static_cast<std::size_t>(axes[k])];
            if (index < -size || index >= size)
                fail<IndexError>(op, ": index out of range: ", index, " on axis ", axes[k], " of size ", size, "; must be in [", -size,
                                 ", ", size, ")");
        }
        fail<IndexError>(op, ": index out of range: at position ", position,
                         " of the indices, which have changed since; a CUDA graph used it");
    }

    std::int64_t count_;
    Workspace workspace_;
};

/// x's axes begin to end, without those left out, merged.
AxisGroup group(const Array& x, std::size_t begin, std::size_t end, const Dims& left_out = {}) {
    AxisGroup axes;
    std::vector<std::size_t> kept;
    for (std::size_t i = begin; i < end; ++i)
        if (std::find(left_out.begin(), left_out.end(), static_cast<std::int64_t>(i)) == left_out.end()) kept.push_back(i);
    std::int64_t out_stride = 1;
    for (std::size_t i : kept) out_stride *= x.shape()[i];
    for (std::size_t i : kept) {
        if (x.shape()[i] > 0) out_stride /= x.shape()[i];
        axes.add(x.shape()[i], x.strides()[i], out_stride);
    }
    axes.merge();
    return axes;
}

Array gathered(const Array& x, Dims shape, const Offsets& offsets, const AxisGroup& outer, const AxisGroup& inner) {
    const Array out(std::move(shape), x.dtype(), x.device());
    const kernels::GatherArgs args{size_of(x.dtype()), x.raw(), outer.axes(), inner.axes(), offsets.count(), offsets.data(), out.raw()};
    if (out.size() > 0) on_device(x.device(), [&]<Isa level> { kernels::gather<level>(args); });
    return out;
}

/// The values, in the array's dtype, contiguous, and in memory of their own.
Array prepared(const char* op, const Array& values, const Dims& shape, const Array& x) {
    common_device(op, {&x, &values});
    if (kind_of(values.dtype()) > kind_of(x.dtype()))
        fail_type(op, ": values do not fit: ", values.dtype(), " into ", x.dtype(), "; their kind must not be higher");
    const Array full = broadcast_to(values, shape);
    const Array ready = astype(full, x.dtype());
    return may_overlap(x, ready) ? copy(ready, ready.dtype()) : ready;
}

void scattered(const char* op, ScatterOp how, const Array& x, const Offsets& offsets, const AxisGroup& outer, const AxisGroup& inner,
               const Array& values) {
    if (how != ScatterOp::assign && x.dtype() == DType::boolean) fail_type(op, ": not defined for booleans; convert first");
    kernels::ScatterArgs args{how, x.dtype(), x.raw(), outer.axes(), inner.axes(), offsets.count(), offsets.data(), values.raw(), nullptr};
    if (values.size() > 0)
        on_device(x.device(), [&]<Isa level> {
            const Workspace workspace(kernels::scatter_workspace<level>(args), x.device());
            args.workspace = workspace.data();
            kernels::scatter<level>(args);
        });
    x.storage()->bump_version();
}

/// Runs `change` on x and the values; of complex numbers on one part after the other; where 16-bit floats are combined, on x in float32,
/// which is then rounded once.
template <typename Change>
void update(const char* op, ScatterOp how, const Array& x, const Array& values, Change change) {
    if (is_complex(x.dtype())) {
        if (how == ScatterOp::min || how == ScatterOp::max) fail_type(op, ": dtype not supported: ", x.dtype(), "; must be real");
        const Array ready = astype(values, x.dtype());
        change(real_part(x), real_part(ready));
        return change(imag_part(x), imag_part(ready));
    }
    if (how == ScatterOp::assign || size_of(x.dtype()) != 2 || !is_floating(x.dtype())) return change(x, values);
    const Array wide = copy(x, DType::float32);
    change(wide, values);
    assign(x, wide);
}

struct Indexed {
    std::vector<Array> indices;
    Dims axes, shape;  // shape: of the index arrays together, then of the other axes
};

Indexed indexed(const char* op, const Array& x, const std::vector<Array>& given, const Dims& axes) {
    if (given.empty() || given.size() != axes.size())
        fail_value(op, ": wrong number of axes: ", axes, " for ", given.size(), " index arrays; one axis for each, and at least one");
    Indexed result;
    Dims common;
    for (const Array& index : given) common = broadcast_shapes(op, common, index.shape());
    for (const Array& index : given) result.indices.push_back(broadcast_to(as_index(op, index), common));
    for (std::int64_t axis : axes) {
        const std::int64_t at = normalize_axis(op, axis, x.rank());
        if (std::find(result.axes.begin(), result.axes.end(), at) != result.axes.end())
            fail_value(op, ": axis indexed twice: ", axes, "; every axis at most once");
        result.axes.push_back(at);
    }
    result.shape = common;
    for (std::int64_t i = 0; i < x.rank(); ++i)
        if (std::find(result.axes.begin(), result.axes.end(), i) == result.axes.end())
            result.shape.push_back(x.shape()[static_cast<std::size_t>(i)]);
    return result;
}

Dims take_shape(const Array& x, const Array& indices, std::size_t axis) {
    Dims shape;
    for (std::size_t i = 0; i < axis; ++i) shape.push_back(x.shape()[i]);
    for (std::int64_t size : indices.shape()) shape.push_back(size);
    for (std::size_t i = axis + 1; i < x.shape().size(); ++i) shape.push_back(x.shape()[i]);
    return shape;
}

/// For take_along_axis: a step along any other axis of the indices is one along the same axis of x.
Dims own_strides(const char* op, const Array& x, const Array& indices, std::size_t axis) {
    bool fits = indices.rank() == x.rank();
    for (std::size_t i = 0; fits && i < x.shape().size(); ++i) fits = i == axis || indices.shape()[i] == x.shape()[i];
    if (!fits)
        fail_value(op, ": shapes differ off axis ", axis, ": x ", x.shape(), ", indices ", indices.shape(),
                   "; all other sizes must be equal");
    Dims strides = x.strides();
    strides[axis] = 0;
    return strides;
}

}  // namespace

Array index_get(const Array& x, const std::vector<Array>& indices, const Dims& axes) {
    const Indexed at = indexed("index_get", x, indices, axes);
    const Offsets offsets("index_get", x, at.indices, at.axes, Dims(at.indices.front().shape().size()));
    return gathered(x, at.shape, offsets, {}, group(x, 0, x.shape().size(), at.axes));
}

void index_put(const Array& x, const std::vector<Array>& indices, const Dims& axes, const Array& values, bool accumulate) {
    check_writable("index_put", x);
    const ScatterOp how = accumulate ? ScatterOp::add : ScatterOp::assign;
    const Indexed at = indexed("index_put", x, indices, axes);
    update("index_put", how, x, values, [&](const Array& target, const Array& source) {
        const Offsets offsets("index_put", target, at.indices, at.axes, Dims(at.indices.front().shape().size()));
        const Array ready = prepared("index_put", source, at.shape, target);
        scattered("index_put", how, target, offsets, {}, group(target, 0, target.shape().size(), at.axes), ready);
    });
}

Array find_outside(const Array& x, std::int64_t n, std::int64_t exempt) {
    const Array position({}, DType::int64, x.device());
    const kernels::FindOutsideArgs args{x.data<std::int64_t>(), x.size(), n, exempt, position.data<std::int64_t>()};
    on_device(x.device(), [&]<Isa level> { kernels::find_outside<level>(args); });
    return position;
}

Array take(const Array& x, const Array& indices, std::int64_t axis) {
    const auto along = static_cast<std::size_t>(normalize_axis("take", axis, x.rank()));
    const Array index = as_index("take", indices);
    const Offsets offsets("take", x, {index}, {static_cast<std::int64_t>(along)}, Dims(index.shape().size()));
    return gathered(x, take_shape(x, index, along), offsets, group(x, 0, along), group(x, along + 1, x.shape().size()));
}

void index_update(ScatterOp how, const Array& x, const Array& indices, std::int64_t axis, const Array& values) {
    const char* op = index_update_table[static_cast<int>(how)];
    check_writable(op, x);
    const auto along = static_cast<std::size_t>(normalize_axis(op, axis, x.rank()));
    const Array index = as_index(op, indices);
    update(op, how, x, values, [&](const Array& target, const Array& source) {
        const Offsets offsets(op, target, {index}, {static_cast<std::int64_t>(along)}, Dims(index.shape().size()));
        const Array ready = prepared(op, source, take_shape(target, index, along), target);
        scattered(op, how, target, offsets, group(target, 0, along), group(target, along + 1, target.shape().size()), ready);
    });
}

Array take_along_axis(const Array& x, const Array& indices, std::int64_t axis) {
    const auto along = static_cast<std::size_t>(normalize_axis("take_along_axis", axis, x.rank()));
    const Array index = as_index("take_along_axis", indices);
    const Offsets offsets("take_along_axis", x, {index}, {static_cast<std::int64_t>(along)},
                          own_strides("take_along_axis", x, index, along));
    return gathered(x, index.shape(), offsets, {}, {});
}

void scatter(ScatterOp how, const Array& x, const Array& indices, std::int64_t axis, const Array& values) {
    const char* op = scatter_table[static_cast<int>(how)];
    check_writable(op, x);
    const auto along = static_cast<std::size_t>(normalize_axis(op, axis, x.rank()));
    const Array index = as_index(op, indices);
    update(op, how, x, values, [&](const Array& target, const Array& source) {
        const Offsets offsets(op, target, {index}, {static_cast<std::int64_t>(along)}, own_strides(op, target, index, along));
        scattered(op, how, target, offsets, {}, {}, prepared(op, source, index.shape(), target));
    });
}

std::span<const char* const> index_update_names() { return index_update_table; }
std::span<const char* const> scatter_names() { return scatter_table; }

std::vector<Array> nonzero(const Array& x) {
    if (x.rank() == 0) fail_value("nonzero: rank 0: shape (); an array without axes has no positions");
    const Array truth = x.dtype() == DType::boolean ? x : astype(x, DType::boolean);
    Dims all_axes;
    for (std::int64_t i = 0; i < x.rank(); ++i) all_axes.push_back(i);
    const std::int64_t hits = *to_device(reduce(ReduceOp::sum, truth, all_axes, false), {}).data<std::int64_t>();
    std::vector<Array> coordinates;
    std::vector<std::int64_t*> data;
    for (std::int64_t i = 0; i < x.rank(); ++i) {
        coordinates.emplace_back(Dims{hits}, DType::int64, x.device());
        data.push_back(coordinates.back().data<std::int64_t>());
    }
    kernels::NonzeroArgs args{truth.data<bool>(), {x.rank(), truth.shape().data(), truth.strides().data()}, data.data(), nullptr};
    if (hits > 0)
        on_device(x.device(), [&]<Isa level> {
            const Workspace workspace(kernels::nonzero_workspace<level>(args), x.device());
            args.workspace = workspace.data();
            kernels::nonzero<level>(args);
        });
    return coordinates;
}

}  // namespace pyengine::ops
