#include <algorithm>

#include "csrc/bindings/casters.h"
#include "csrc/bindings/fast.h"
#include "csrc/ops.h"

namespace py = pybind11;

namespace pyengine::bindings {
namespace {

bool is_given(PyObject* value) { return value && value != Py_None; }

/// A tuple or list of integers: not one alone.
std::optional<Dims> sequence(PyObject* value) { return value && !PyLong_Check(value) ? integers(value) : std::nullopt; }

PyObject* view(const Array& x) { return make_tensor(x); }

/// A view, or a copy where the strides forbid one.
PyObject* reshaped(const Array& x, const Dims& shape) {
    return computed(x.is_contiguous() ? 0 : x.size(), [&] { return ops::reshape(x, shape); });
}

/// f(x, axis) with that default
template <auto compute>
PyObject* with_axes(int, const Given& given) {
    static constexpr Signature<2> signature{{"", "axis"}, 1, 2};
    PyObject* found[2];
    if (!fit(signature, given, found)) return nullptr;
    const Array* x = unrecorded(found[0]);
    return x ? compute(*x, found[1]) : nullptr;
}

PyObject* reshape(int, const Given& given) {
    static constexpr Signature<3> signature{{"", "shape", "copy"}, 1, 2};
    PyObject* found[3];
    if (!fit(signature, given, found) || is_given(found[2])) return nullptr;
    const Array* x = unrecorded(found[0]);
    const auto shape = integers(found[1]);
    return x && shape ? reshaped(*x, *shape) : nullptr;
}

std::optional<Dims> expanded(const Array& x, const Dims& axes) {
    const std::int64_t rank = x.rank() + static_cast<std::int64_t>(axes.size());
    const auto added = marked(axes, rank);
    if (!added) return std::nullopt;
    Dims shape(added->size(), 1);
    std::size_t old = 0;
    for (std::size_t i = 0; i < shape.size(); ++i)
        if (!(*added)[i]) shape[i] = x.shape()[old++];
    return shape;
}

PyObject* expand_dims(const Array& x, PyObject* axis) {
    const auto axes = axis ? integers(axis) : Dims{0};
    const auto shape = axes ? expanded(x, *axes) : std::nullopt;
    return shape ? reshaped(x, *shape) : nullptr;
}

PyObject* squeeze(const Array& x, PyObject* axis) {
    const auto axes = is_given(axis) ? integers(axis) : Dims{};
    const auto named = axes ? marked(*axes, x.rank()) : std::nullopt;
    if (!named) return nullptr;
    Dims shape;
    for (std::size_t i = 0; i < x.shape().size(); ++i) {
        const std::int64_t size = x.shape()[i];
        if ((*named)[i] && size != 1) return nullptr;
        if (!(is_given(axis) ? (*named)[i] : size == 1)) shape.push_back(size);
    }
    return reshaped(x, shape);
}

PyObject* permute_dims(int, const Given& given) {
    static constexpr Signature<2> signature{{"", "axes"}, 1, 2};
    PyObject* found[2];
    if (!fit(signature, given, found)) return nullptr;
    const Array* x = unrecorded(found[0]);
    const auto axes = sequence(found[1]);
    return x && axes ? view(ops::permute_dims(*x, *axes)) : nullptr;
}

PyObject* matrix_transpose(int, const Given& given) {
    if (given.count != 1 || given.names) return nullptr;
    const Array* x = unrecorded(given.values[0]);
    if (!x || x->rank() < 2) return nullptr;
    Dims axes = *bindings::axes(nullptr, x->rank());
    std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
    return view(ops::permute_dims(*x, axes));
}

PyObject* moveaxis(int, const Given& given) {
    if (given.count != 3 || given.names) return nullptr;
    const Array* x = unrecorded(given.values[0]);
    const auto sources = integers(given.values[1]), destinations = integers(given.values[2]);
    if (!x || !sources || !destinations || sources->size() != destinations->size()) return nullptr;
    const auto leaving = marked(*sources, x->rank()), taken = marked(*destinations, x->rank());
    if (!leaving || !taken) return nullptr;
    Dims order(leaving->size());
    for (std::size_t i = 0; i < sources->size(); ++i)
        order[static_cast<std::size_t>(normalize_axis("moveaxis", (*destinations)[i], x->rank()))] = (*sources)[i];
    std::size_t next = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
        if ((*taken)[i]) continue;
        while ((*leaving)[next]) ++next;
        order[i] = static_cast<std::int64_t>(next++);
    }
    return view(ops::permute_dims(*x, order));
}

PyObject* broadcast(int, const Given& given) {
    static constexpr Signature<2> signature{{"", "shape"}, 1, 2};
    PyObject* found[2];
    if (!fit(signature, given, found)) return nullptr;
    const Array* x = unrecorded(found[0]);
    const auto shape = sequence(found[1]);
    return x && shape ? view(broadcast_to(*x, *shape)) : nullptr;
}

PyObject* broadcast_arrays(int, const Given& given) {
    if (given.names) return nullptr;
    Dims shape;
    for (Py_ssize_t i = 0; i < given.count; ++i) {
        const Array* x = unrecorded(given.values[i]);
        if (!x) return nullptr;
        shape = broadcast_shapes("broadcast_arrays", shape, x->shape());
    }
    py::tuple views(given.count);
    for (Py_ssize_t i = 0; i < given.count; ++i) {
        PyObject* one = view(broadcast_to(*unrecorded(given.values[i]), shape));
        if (!one) return nullptr;
        PyTuple_SET_ITEM(views.ptr(), i, one);
    }
    return views.release().ptr();
}

/// What a tuple or list of Tensors holds.
std::optional<std::vector<Array>> arrays_of(PyObject* value) {
    if (!value || !(PyTuple_CheckExact(value) || PyList_CheckExact(value))) return std::nullopt;
    std::vector<Array> arrays;
    arrays.reserve(static_cast<std::size_t>(PySequence_Fast_GET_SIZE(value)));
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value); ++i) {
        const Array* x = unrecorded(PySequence_Fast_GET_ITEM(value, i));
        if (!x) return std::nullopt;
        arrays.push_back(*x);
    }
    return arrays;
}

std::int64_t elements(const std::vector<Array>& arrays) {
    std::int64_t sum = 0;
    for (const Array& x : arrays) sum += x.size();
    return sum;
}

/// f(arrays, *, axis=0)
template <bool stacked>
PyObject* joined(int, const Given& given) {
    static constexpr Signature<2> signature{{"", "axis"}, 1, 1};
    PyObject* found[2];
    if (!fit(signature, given, found)) return nullptr;
    auto arrays = arrays_of(found[0]);
    const auto axis = found[1] ? integer(found[1]) : 0;
    if (!arrays || !axis) return nullptr;
    if (stacked && !arrays->empty()) {
        const Dims shape = arrays->front().shape();
        const auto longer = expanded(arrays->front(), {*axis});
        if (!longer) return nullptr;
        for (Array& x : *arrays) {
            if (!(x.shape() == shape)) return nullptr;
            x = ops::reshape(x, *longer);
        }
    }
    return computed(elements(*arrays), [&] { return ops::concat(*arrays, *axis); });
}

PyObject* convert(int, const Given& given) {
    static constexpr Signature<4> signature{{"", "", "copy", "device"}, 2, 2};
    PyObject* found[4];
    py::detail::make_caster<DType> dtype;
    if (!fit(signature, given, found) || is_given(found[3]) || !found[1] || !dtype.load(found[1], false)) return nullptr;
    const Array* x = unrecorded(found[0]);
    const auto copied = flag(found[2], true);
    const DType target = py::detail::cast_op<DType>(dtype);
    if (!x || !copied) return nullptr;
    if (x->dtype() == target && !*copied) return Py_NewRef(found[0]);
    return computed(x->size(), [&] { return copy(*x, target); });
}

}  // namespace

void add_fast_shapes() {
    add_fast_op("reshape", {reshape, 0});
    add_fast_op("expand_dims", {with_axes<expand_dims>, 0});
    add_fast_op("squeeze", {with_axes<squeeze>, 0});
    add_fast_op("permute_dims", {permute_dims, 0});
    add_fast_op("matrix_transpose", {matrix_transpose, 0});
    add_fast_op("moveaxis", {moveaxis, 0});
    add_fast_op("broadcast_to", {broadcast, 0});
    add_fast_op("broadcast_arrays", {broadcast_arrays, 0});
    add_fast_op("concat", {joined<false>, 0});
    add_fast_op("stack", {joined<true>, 0});
    add_fast_op("astype", {convert, 0});
}

}  // namespace pyengine::bindings
