// Reading by integers, slices, an ellipsis and new axes: views all of them, as `_Selection` of pyengine/ops/index.py makes them; and what
// is made of such views.
#include <limits>

#include "csrc/bindings/fast.h"
#include "csrc/ops.h"

namespace py = pybind11;

namespace pyengine::bindings {
namespace {

/// A view that grows axis by axis.
class Selection {
public:
    explicit Selection(const Array& x) : x_(x), offset_(x.offset()) {}

    void keep(std::int64_t axes) {
        for (; axes > 0; --axes) append(size(), stride());
    }

    void add_axis() {
        shape_.push_back(1);
        strides_.push_back(0);
    }

    bool pick(std::int64_t index) {
        if (index < -size() || index >= size()) return false;
        offset_ += (index < 0 ? index + size() : index) * stride();
        ++axis_;
        return true;
    }

    void slice(std::int64_t start, std::int64_t step, std::int64_t length) {
        if (length > 0) offset_ += start * stride();
        append(length, length > 1 ? stride() * step : stride());  // a step not taken may be huge
    }

    bool slice(PySliceObject* item) {
        for (PyObject* bound : {item->start, item->stop, item->step})
            if (bound != Py_None && !PyLong_CheckExact(bound)) return false;
        Py_ssize_t start, stop, step;
        if (PySlice_Unpack(reinterpret_cast<PyObject*>(item), &start, &stop, &step) < 0) {
            PyErr_Clear();
            return false;
        }
        const std::int64_t length = PySlice_AdjustIndices(size(), &start, &stop, step);
        slice(start, step, length);
        return true;
    }

    std::int64_t size() const { return x_.shape()[static_cast<std::size_t>(axis_)]; }
    std::int64_t axes_left() const { return x_.rank() - axis_; }
    Array view() const { return x_.view(shape_, strides_, offset_); }

private:
    std::int64_t stride() const { return x_.strides()[static_cast<std::size_t>(axis_)]; }

    void append(std::int64_t length, std::int64_t stride) {
        shape_.push_back(length);
        strides_.push_back(stride);
        ++axis_;
    }

    const Array& x_;
    Dims shape_, strides_;
    std::int64_t offset_, axis_ = 0;
};

/// How many axes of x an item of a key uses: 1 for an integer or a slice, 0 for None, nothing for others.
std::optional<std::int64_t> axes_used(PyObject* item) {
    if (PyLong_CheckExact(item) || PySlice_Check(item)) return 1;
    if (item == Py_None) return 0;
    return std::nullopt;
}

bool add_item(Selection& selection, PyObject* item) {
    if (item == Py_None) {
        selection.add_axis();
        return true;
    }
    if (PySlice_Check(item)) return selection.slice(reinterpret_cast<PySliceObject*>(item));
    const auto index = integer(item);
    return index && selection.pick(*index);
}

/// x[key]
PyObject* getitem(int, const Given& given) {
    if (given.count != 2 || given.names) return nullptr;
    const Array* x = unrecorded(given.values[0]);
    PyObject* key = given.values[1];
    const bool several = PyTuple_CheckExact(key);
    PyObject* const* items = several ? PySequence_Fast_ITEMS(key) : &key;
    const Py_ssize_t count = several ? PyTuple_GET_SIZE(key) : 1;
    if (!x) return nullptr;
    std::int64_t used = 0;
    Py_ssize_t ellipsis = -1;
    for (Py_ssize_t i = 0; i < count; ++i) {
        const auto axes = items[i] == Py_Ellipsis && ellipsis < 0 ? 0 : axes_used(items[i]);
        if (!axes) return nullptr;
        if (items[i] == Py_Ellipsis) ellipsis = i;
        used += *axes;
    }
    if (used > x->rank()) return nullptr;
    Selection selection(*x);
    for (Py_ssize_t i = 0; i < count; ++i) {
        if (i == ellipsis)
            selection.keep(x->rank() - used);
        else if (!add_item(selection, items[i]))
            return nullptr;
    }
    selection.keep(selection.axes_left());
    return make_tensor(selection.view());
}

/// f(x, *, axis=None)
PyObject* flip(int, const Given& given) {
    static constexpr Signature<2> signature{{"", "axis"}, 1, 1};
    PyObject* found[2];
    if (!fit(signature, given, found)) return nullptr;
    const Array* x = unrecorded(found[0]);
    const auto named = x ? axes(found[1], x->rank()) : std::nullopt;
    const auto reversed = named ? marked(*named, x->rank()) : std::nullopt;
    if (!reversed) return nullptr;
    Selection selection(*x);
    for (std::int64_t mark : *reversed) mark ? selection.slice(selection.size() - 1, -1, selection.size()) : selection.keep(1);
    return make_tensor(selection.view());
}

Selection before(const Array& x, std::int64_t axis) {
    Selection selection(x);
    selection.keep(axis);
    return selection;
}

/// x[:, ..., start : start + length], along an axis
Array piece(const Array& x, std::int64_t axis, std::int64_t start, std::int64_t length) {
    Selection selection = before(x, axis);
    selection.slice(start, 1, length);
    selection.keep(selection.axes_left());
    return selection.view();
}

/// f(x, *, axis=0)
PyObject* unstack(int, const Given& given) {
    static constexpr Signature<2> signature{{"", "axis"}, 1, 1};
    PyObject* found[2];
    if (!fit(signature, given, found)) return nullptr;
    const Array* x = unrecorded(found[0]);
    const auto named = found[1] ? integer(found[1]) : 0;
    if (!x || !named) return nullptr;
    const std::int64_t axis = normalize_axis("unstack", *named, x->rank()), size = x->shape()[static_cast<std::size_t>(axis)];
    py::tuple views(size);
    for (std::int64_t i = 0; i < size; ++i) {
        Selection selection = before(*x, axis);
        selection.pick(i);
        selection.keep(selection.axes_left());
        PyObject* one = make_tensor(selection.view());
        if (!one) return nullptr;
        PyTuple_SET_ITEM(views.ptr(), i, one);
    }
    return views.release().ptr();
}

/// y, in memory of its own where it shares that of x.
Array copied(const Array& y, const Array& x) { return y.storage() == x.storage() ? copy(y, y.dtype()) : y; }

Array rolled(const Array& x, std::int64_t shift, std::int64_t axis) {
    const std::int64_t size = x.shape()[static_cast<std::size_t>(axis)];
    const std::int64_t by = size == 0 ? 0 : (shift % size + size) % size;
    return by == 0 ? x : ops::concat({piece(x, axis, size - by, by), piece(x, axis, 0, size - by)}, axis);
}

/// f(x, shift, *, axis=None)
PyObject* roll(int, const Given& given) {
    static constexpr Signature<3> signature{{"", "shift", "axis"}, 1, 2};
    PyObject* found[3];
    if (!fit(signature, given, found)) return nullptr;
    const Array* x = unrecorded(found[0]);
    const auto shifts = integers(found[1]);
    if (!x || !shifts) return nullptr;
    if (!found[2] || found[2] == Py_None) {
        if (shifts->size() != 1 || !PyLong_Check(found[1])) return nullptr;
        return computed(x->size(), [&] {
            const Array flat = ops::reshape(*x, {-1});
            return ops::reshape(copied(rolled(flat, shifts->back(), 0), flat), x->shape());
        });
    }
    const auto along = integers(found[2]);
    const bool one_shift = PyLong_Check(found[1]);
    if (!along || (!one_shift && shifts->size() != along->size()) || x->size() > most_elements) return nullptr;
    Array y = *x;
    for (std::size_t i = 0; i < along->size(); ++i)
        y = rolled(y, (*shifts)[one_shift ? 0 : i], normalize_axis("roll", (*along)[i], x->rank()));
    return make_tensor(copied(y, *x));
}

/// Not negative, and so small that its product with a size of memory there is does not overflow.
bool is_count(std::int64_t n) { return n >= 0 && n <= std::numeric_limits<std::int32_t>::max(); }

/// f(x, repeats, *, axis=None), with one count for all
PyObject* repeat(int, const Given& given) {
    static constexpr Signature<3> signature{{"", "", "axis"}, 2, 2};
    PyObject* found[3];
    if (!fit(signature, given, found)) return nullptr;
    const Array* x = unrecorded(found[0]);
    const auto repeats = integer(found[1]);
    const bool flat = !found[2] || found[2] == Py_None;
    const auto named = flat ? 0 : integer(found[2]);
    if (!x || !repeats || !is_count(*repeats) || !is_count(x->size()) || !named) return nullptr;
    return computed(x->size() * *repeats, [&] {
        const Array source = flat ? ops::reshape(*x, {x->size()}) : *x;
        const auto axis = static_cast<std::size_t>(normalize_axis("repeat", *named, source.rank()));
        Dims wide, wide_strides, shape = source.shape();
        for (std::size_t i = 0; i < shape.size(); ++i) {
            wide.push_back(shape[i]);
            wide_strides.push_back(source.strides()[i]);
            if (i != axis) continue;
            wide.push_back(*repeats);
            wide_strides.push_back(0);
            shape[i] *= *repeats;
        }
        return copied(ops::reshape(source.view(wide, wide_strides, source.offset()), shape), *x);
    });
}

/// f(x, repetitions)
PyObject* tile(int, const Given& given) {
    if (given.count != 2 || given.names) return nullptr;
    const Array* x = unrecorded(given.values[0]);
    const auto repetitions = PyLong_Check(given.values[1]) ? std::nullopt : integers(given.values[1]);
    if (!x || !repetitions) return nullptr;
    const std::size_t rank = std::max(x->shape().size(), repetitions->size());
    Dims shape, wide, wide_strides;
    for (std::size_t i = 0; i < rank; ++i) {
        const std::size_t left = rank - i;  // axes from this one to the last
        const bool in_x = left <= x->shape().size();
        const std::int64_t count = left <= repetitions->size() ? (*repetitions)[repetitions->size() - left] : 1;
        const std::int64_t size = in_x ? x->shape()[x->shape().size() - left] : 1;
        if (!is_count(count)) return nullptr;
        for (std::int64_t length : {count, size}) wide.push_back(length);
        for (std::int64_t stride : {std::int64_t{0}, in_x ? x->strides()[x->shape().size() - left] : 0}) wide_strides.push_back(stride);
        shape.push_back(count * size);
    }
    const Array stretched = x->view(wide, wide_strides, x->offset());
    return computed(stretched.size(), [&] { return copied(ops::reshape(stretched, shape), *x); });
}

}  // namespace

void add_fast_indexing() {
    add_fast_op("getitem", {getitem, 0});
    add_fast_op("flip", {flip, 0});
    add_fast_op("unstack", {unstack, 0});
    add_fast_op("roll", {roll, 0});
    add_fast_op("repeat", {repeat, 0});
    add_fast_op("tile", {tile, 0});
}

}  // namespace pyengine::bindings
