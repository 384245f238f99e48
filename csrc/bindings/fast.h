// Fast calls: an op whose arguments are all regular goes straight to the engine. Any other call goes to the op's Python function, which
// stays the one description of what the op does; it is what explains mistakes, too.
#pragma once

#include <pybind11/pybind11.h>

#include <optional>
#include <string_view>

#include "csrc/array.h"
#include "csrc/bindings/tensor.h"

namespace pyengine::bindings {

/// The arguments as Python's vectorcall hands them over; `names` are those of the last ones, or null.
struct Given {
    PyObject* const* values;
    Py_ssize_t count;  // of positional ones
    PyObject* names;
};

/// The result of a regular call; null, with no Python error set, for any other. It may throw for any other, too.
using RegularCall = PyObject* (*)(int op, const Given& given);

struct FastOp {
    RegularCall call;
    int op;
};

void add_fast_op(std::string_view name, FastOp op);
void add_fast_elementwise();
void add_fast_reductions();
void add_fast_shapes();
void add_fast_indexing();

// What a regular argument is: exactly of the type expected. Null stands for an argument that was not given. ---------------------------------

/// The array of a Tensor on the CPU whose use the tape need not record, or null.
const Array* unrecorded(PyObject* value);

/// A Python scalar beside an array of that dtype (NEP 50), as `coerce` in pyengine/tensor.py has it.
std::optional<Array> weak_scalar(PyObject* value, DType beside);

std::optional<std::int64_t> integer(PyObject* value);
std::optional<bool> flag(PyObject* value, bool otherwise);
/// One integer, or a tuple or list of them.
std::optional<Dims> integers(PyObject* value);
/// The same; all axes for None.
std::optional<Dims> axes(PyObject* value, std::int64_t rank);
/// For each of `rank` axes 1 or 0: whether it is among `axes`. Nothing where one is out of range or there twice.
std::optional<Dims> marked(const Dims& axes, std::int64_t rank);

/// Names of parameters: the first `positional_only` have none for callers, and those from `positional` on can be given by name alone.
template <std::size_t n>
struct Signature {
    const char* names[n];
    Py_ssize_t positional_only, positional;
};

bool fit(const char* const* names, Py_ssize_t n, Py_ssize_t positional_only, Py_ssize_t positional, const Given& given, PyObject** found);

/// The arguments in the order of the signature; false where they do not fit it.
template <std::size_t n>
bool fit(const Signature<n>& signature, const Given& given, PyObject* (&found)[n]) {
    return fit(signature.names, n, signature.positional_only, signature.positional, given, found);
}

/// Fast calls keep the GIL: to hand it over and get it back takes as long as a small op, and what keeps it must not keep it long.
constexpr std::int64_t most_elements = 65536;

/// What `compute` returns as a Tensor; null where it would have too many elements to go through.
template <typename Compute>
PyObject* computed(std::int64_t elements, Compute compute) {
    return elements > most_elements ? nullptr : make_tensor(compute());
}

}  // namespace pyengine::bindings
