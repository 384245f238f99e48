#include "csrc/check.h"
#include "csrc/ops.h"

namespace pyengine::ops {
namespace {

Dims resolve_shape(const Array& x, const Dims& wanted) {
    Dims shape = wanted;
    std::int64_t known = 1;
    std::int64_t* inferred = nullptr;
    bool valid = true;
    for (std::int64_t& size : shape) {
        if (size == -1) {
            valid &= !inferred;
            inferred = &size;
        } else {
            valid &= size >= 0 && !__builtin_mul_overflow(known, size, &known);
        }
    }
    if (!valid) fail_value("reshape: not a shape: ", wanted, "; sizes must be at least 0, and at most one -1, which is inferred");
    if (inferred && known > 0 && x.size() % known == 0) {
        *inferred = x.size() / known;
        inferred = nullptr;
        known = x.size();
    }
    if (inferred || known != x.size())
        fail_value("reshape: element counts differ: ", x.shape(), " to ", wanted, "; the products of the sizes must be equal");
    return shape;
}

/// Strides of x's elements under `shape`, if they have any: each run of new axes must fit into a run of old axes that are evenly spaced.
bool reshaped_strides(const Array& x, const Dims& shape, Dims& strides) {
    std::vector<std::int64_t> sizes, steps;  // x without axes of size 1
    for (std::int64_t i = 0; i < x.rank(); ++i) {
        if (x.shape()[i] == 1) continue;
        sizes.push_back(x.shape()[i]);
        steps.push_back(x.strides()[i]);
    }
    strides = Dims(shape.size(), 1);
    std::size_t old_axis = 0, new_axis = 0;
    while (old_axis < sizes.size()) {
        std::size_t old_end = old_axis + 1, new_end = new_axis + 1;
        std::int64_t old_count = sizes[old_axis], new_count = shape[new_axis];
        while (old_count != new_count) {
            if (old_count < new_count)
                old_count *= sizes[old_end++];
            else
                new_count *= shape[new_end++];
        }
        for (std::size_t i = old_axis; i + 1 < old_end; ++i)
            if (steps[i] != sizes[i + 1] * steps[i + 1]) return false;
        std::int64_t step = steps[old_end - 1];
        for (std::size_t i = new_end; i-- > new_axis; step *= shape[i]) strides[i] = step;
        old_axis = old_end;
        new_axis = new_end;
    }
    return true;
}

}  // namespace

Array reshape(const Array& x, const Dims& wanted) {
    const Dims shape = resolve_shape(x, wanted);
    if (x.is_contiguous()) return x.view(shape, contiguous_strides(shape), x.offset());
    Dims strides;
    if (reshaped_strides(x, shape, strides)) return x.view(shape, strides, x.offset());
    const Array copy = contiguous(x);
    return copy.view(shape, contiguous_strides(shape), copy.offset());
}

Array permute_dims(const Array& x, const Dims& axes) {
    const auto rank = static_cast<std::size_t>(x.rank());
    Dims shape(rank), strides(rank);
    std::vector<bool> seen(rank);
    bool valid = axes.size() == rank;
    for (std::size_t i = 0; valid && i < rank; ++i) {
        const auto axis = static_cast<std::size_t>(normalize_axis("permute_dims", axes[i], x.rank()));
        valid = !seen[axis];
        seen[axis] = true;
        shape[i] = x.shape()[axis];
        strides[i] = x.strides()[axis];
    }
    if (!valid) fail_value("permute_dims: not a permutation: axes ", axes, " for shape ", x.shape(), "; every axis must occur once");
    return x.view(shape, strides, x.offset());
}

Array slice(const Array& x, const Dims& starts, const Dims& steps, const Dims& sizes) {
    const auto rank = static_cast<std::size_t>(x.rank());
    if (starts.size() != rank || steps.size() != rank || sizes.size() != rank)
        fail_value("slice: wrong number of axes: starts ", starts, ", steps ", steps, ", sizes ", sizes, " for shape ", x.shape(),
                   "; one for each axis");
    Dims strides(rank);
    std::int64_t offset = x.offset();
    for (std::size_t i = 0; i < rank; ++i) {
        const std::int64_t last = starts[i] + (sizes[i] - 1) * steps[i];
        if (sizes[i] < 0 || (sizes[i] > 0 && (starts[i] < 0 || starts[i] >= x.shape()[i] || last < 0 || last >= x.shape()[i])))
            fail<IndexError>("slice: out of range: start ", starts[i], ", step ", steps[i], ", size ", sizes[i],
                             "; must stay on the axis of size ", x.shape()[i]);
        strides[i] = x.strides()[i] * steps[i];
        if (sizes[i] > 0) offset += starts[i] * x.strides()[i];
    }
    return x.view(sizes, strides, offset);
}

Array as_strided(const Array& x, Dims shape, Dims strides, std::int64_t offset) {
    const Array result = x.view(std::move(shape), std::move(strides), x.offset() + offset);
    if (result.size() > 0 && !lies_within(result, x))
        fail_value("as_strided: out of bounds: shape ", result.shape(), ", strides ", result.strides(), ", offset ", offset,
                   "; must stay within shape ", x.shape(), ", strides ", x.strides());
    return result;
}

Array concat(const std::vector<Array>& arrays, std::int64_t axis) {
    if (arrays.empty()) fail_value("concat: no arrays: (); give at least one");
    const Array& first = arrays.front();
    const auto along = static_cast<std::size_t>(normalize_axis("concat", axis, first.rank()));
    Dims shape = first.shape();
    DType dtype = first.dtype();
    for (std::size_t n = 1; n < arrays.size(); ++n) {
        const Array& x = arrays[n];
        bool fits = x.shape().size() == shape.size();
        for (std::size_t i = 0; fits && i < shape.size(); ++i) fits = i == along || x.shape()[i] == shape[i];
        if (!fits)
            fail_value("concat: shapes differ off axis ", along, ": arrays[0] ", first.shape(), ", arrays[", n, "] ", x.shape(),
                       "; all other sizes must be equal");
        shape[along] += x.shape()[along];
        dtype = promote("concat", dtype, x.dtype());
        common_device("concat", {&first, &x});
    }
    const Array out(shape, dtype, first.device());
    Dims starts(shape.size());
    const Dims ones(shape.size(), 1);
    for (const Array& x : arrays) {
        assign(slice(out, starts, ones, x.shape()), x);
        starts[along] += x.shape()[along];
    }
    return out;
}

}  // namespace pyengine::ops
