// The one error formatter: `op: what is wrong: the actual values; the rule`.
//
//     if (a.shape().back() != k) fail_value("matmul: inner dimensions differ: a ", a.shape(), ", b ", b.shape(),
//                                           "; a.shape[-1] must equal b.shape[-2]");
//
// Shapes print as Python tuples, element types by name. ValueError for shapes and values, TypeError for dtypes, IndexError for indices.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

#include "csrc/dims.h"
#include "csrc/dtype.h"

namespace pyengine {

struct ValueError : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct TypeError : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct IndexError : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct BufferError : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct OutOfMemoryError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline std::ostream& operator<<(std::ostream& out, const Dims& dims) {
    out << '(';
    for (std::size_t i = 0; i < dims.size(); ++i) out << (i ? ", " : "") << dims[i];
    return out << (dims.size() == 1 ? ",)" : ")");
}

inline std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name_of(dtype); }

template <typename Error, typename... Parts>
[[noreturn]] void fail(const Parts&... parts) {
    std::ostringstream message;
    message << std::boolalpha;
    (message << ... << parts);
    throw Error(message.str());
}

template <typename... Parts>
[[noreturn]] void fail_value(const Parts&... parts) {
    fail<ValueError>(parts...);
}

template <typename... Parts>
[[noreturn]] void fail_type(const Parts&... parts) {
    fail<TypeError>(parts...);
}

inline void check_real(const char* op, DType dtype) {
    if (is_complex(dtype)) fail_type(op, ": dtype not supported: ", dtype, "; must be real");
}

}  // namespace pyengine
