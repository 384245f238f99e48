// The loop of every elementwise kernel. An operation is one function over contiguous runs of the type it computes in; what is strided,
// broadcast or a 16-bit float passes through buffers in the L1 cache on its way in and out. So each operation is compiled once for each
// type it computes in, whatever the layouts.
#pragma once

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"
#include "kernels/elementwise.h"

namespace pyengine::kernels {
namespace {

/// out[i] = op(in[0][i], in[1][i], ...) for i in [0, n). out may be one of the inputs.
using Run = void (*)(std::int64_t n, void* out, const void* const* in);

inline bool is_half(ElementType type) { return type == ElementType::float16 || type == ElementType::bfloat16; }

inline std::int64_t bytes_of(ElementType type) {
    switch (type) {
        case ElementType::boolean:
        case ElementType::int8:
        case ElementType::uint8: return 1;
        case ElementType::int16:
        case ElementType::uint16:
        case ElementType::float16:
        case ElementType::bfloat16: return 2;
        case ElementType::int32:
        case ElementType::uint32:
        case ElementType::float32: return 4;
        case ElementType::complex128: return 16;
        default: return 8;
    }
}

// Staging ----------------------------------------------------------------------------------------------------------------------------

constexpr std::int64_t chunk = 512;        // elements in a buffer: four of them fit the L1 cache, of up to 8 bytes
constexpr std::int64_t grain = 16 * 1024;  // elements in a task: some 10 microseconds

/// An element of 16 bytes, where only its place matters.
struct Pair {
    std::uint64_t first, second;
};

struct alignas(64) Buffer {
    unsigned char bytes[chunk * 16];
};

/// One operand at the current element, and how it is staged.
struct Cursor {
    unsigned char* at;
    std::int64_t stride;  // elements, along the last axis
    ElementType type;
    bool direct;  // the run works on the memory itself
};

template <typename T>
inline void gather(const void* from, std::int64_t stride, std::int64_t n, void* to) {
    const T* source = static_cast<const T*>(from);
    T* target = static_cast<T*>(to);
    if (stride == 0)
        for (std::int64_t i = 0; i < n; ++i) target[i] = source[0];
    else
        for (std::int64_t i = 0; i < n; ++i) target[i] = source[i * stride];
}

template <typename T>
inline void scatter(const void* from, std::int64_t stride, std::int64_t n, void* to) {
    const T* source = static_cast<const T*>(from);
    T* target = static_cast<T*>(to);
    for (std::int64_t i = 0; i < n; ++i) target[i * stride] = source[i];
}

template <typename Half>
inline void widen(const void* from, std::int64_t stride, std::int64_t n, void* to) {
    const Half* source = static_cast<const Half*>(from);
    float* target = static_cast<float*>(to);
    std::int64_t i = 0;
    if (stride == 1)
        for (; i + lanes<float> <= n; i += lanes<float>) store(target + i, load_float(source + i));
    for (; i < n; ++i) target[i] = to_float(source[i * stride]);
}

template <typename Half>
inline Half from_float(float x) {
    if constexpr (__is_same(Half, float16))
        return to_float16(x);
    else
        return to_bfloat16(x);
}

template <typename Half>
inline void narrow(const void* from, std::int64_t stride, std::int64_t n, void* to) {
    const float* source = static_cast<const float*>(from);
    Half* target = static_cast<Half*>(to);
    std::int64_t i = 0;
    if (stride == 1)
        for (; i + lanes<float> <= n; i += lanes<float>) store_float(target + i, load(source + i));
    for (; i < n; ++i) target[i * stride] = from_float<Half>(source[i]);
}

inline void stage_in(const Cursor& c, std::int64_t n, void* buffer) {
    if (c.type == ElementType::float16) return widen<float16>(c.at, c.stride, n, buffer);
    if (c.type == ElementType::bfloat16) return widen<bfloat16>(c.at, c.stride, n, buffer);
    switch (bytes_of(c.type)) {
        case 1: return gather<std::uint8_t>(c.at, c.stride, n, buffer);
        case 2: return gather<std::uint16_t>(c.at, c.stride, n, buffer);
        case 4: return gather<std::uint32_t>(c.at, c.stride, n, buffer);
        case 16: return gather<Pair>(c.at, c.stride, n, buffer);
        default: return gather<std::uint64_t>(c.at, c.stride, n, buffer);
    }
}

inline void stage_out(const Cursor& c, std::int64_t n, const void* buffer) {
    if (c.type == ElementType::float16) return narrow<float16>(buffer, c.stride, n, c.at);
    if (c.type == ElementType::bfloat16) return narrow<bfloat16>(buffer, c.stride, n, c.at);
    switch (bytes_of(c.type)) {
        case 1: return scatter<std::uint8_t>(buffer, c.stride, n, c.at);
        case 2: return scatter<std::uint16_t>(buffer, c.stride, n, c.at);
        case 4: return scatter<std::uint32_t>(buffer, c.stride, n, c.at);
        case 16: return scatter<Pair>(buffer, c.stride, n, c.at);
        default: return scatter<std::uint64_t>(buffer, c.stride, n, c.at);
    }
}

inline void advance(Cursor& c, std::int64_t elements) { c.at += elements * bytes_of(c.type); }

// The loop ---------------------------------------------------------------------------------------------------------------------------

/// n elements along the last axis; cursors[0] is the output.
template <int inputs>
void run_row(Run run, std::int64_t n, const Cursor (&cursors)[inputs + 1]) {
    Cursor c[inputs + 1];
    bool all_direct = true;
    for (int k = 0; k <= inputs; ++k) {
        c[k] = cursors[k];
        all_direct &= c[k].direct;
    }
    const void* in[inputs];
    if (all_direct) {
        for (int k = 0; k < inputs; ++k) in[k] = c[k + 1].at;
        return run(n, c[0].at, in);
    }
    Buffer buffers[inputs + 1];
    for (int k = 1; k <= inputs; ++k)
        if (c[k].stride == 0) stage_in(c[k], min_of(n, chunk), buffers[k].bytes);
    for (std::int64_t begin = 0; begin < n; begin += chunk) {
        const std::int64_t count = min_of(chunk, n - begin);
        for (int k = 1; k <= inputs; ++k) {
            if (!c[k].direct && c[k].stride != 0) stage_in(c[k], count, buffers[k].bytes);
            in[k - 1] = c[k].direct ? c[k].at : buffers[k].bytes;
        }
        run(count, c[0].direct ? c[0].at : buffers[0].bytes, in);
        if (!c[0].direct) stage_out(c[0], count, buffers[0].bytes);
        for (Cursor& cursor : c) advance(cursor, count * cursor.stride);
    }
}

template <int inputs>
inline const Operand& operand(const ElementwiseArgs& args, int k) {
    return k == 0 ? args.out : args.in[k - 1];
}

/// The elements [begin, end) of the C-ordered sequence of them all.
template <int inputs>
void run_block(Run run, const ElementwiseArgs& args, std::int64_t begin, std::int64_t end) {
    const std::int64_t last = args.rank - 1, length = args.shape[last];
    std::int64_t index[ElementwiseArgs::max_rank];
    std::int64_t rest = begin;
    for (std::int64_t axis = last; axis >= 0; --axis) {
        index[axis] = rest % args.shape[axis];
        rest /= args.shape[axis];
    }
    Cursor cursors[inputs + 1];
    for (int k = 0; k <= inputs; ++k) {
        const Operand& o = operand<inputs>(args, k);
        const std::int64_t stride = length == 1 ? 1 : o.strides[last];
        cursors[k] = {static_cast<unsigned char*>(o.data), stride, o.type, stride == 1 && !is_half(o.type)};
        for (std::int64_t axis = 0; axis <= last; ++axis) advance(cursors[k], index[axis] * o.strides[axis]);
    }
    while (begin < end) {
        const std::int64_t n = min_of(length - index[last], end - begin);
        run_row<inputs>(run, n, cursors);
        begin += n;
        if (begin == end) return;
        // To the first element of the next row: back along the last axis, and one on along the innermost axis that has another.
        std::int64_t axis = last - 1;
        while (index[axis] + 1 == args.shape[axis]) --axis;
        for (int k = 0; k <= inputs; ++k) {
            const Operand& o = operand<inputs>(args, k);
            std::int64_t step = o.strides[axis] - index[last] * o.strides[last];
            for (std::int64_t inner = axis + 1; inner < last; ++inner) step -= index[inner] * o.strides[inner];
            advance(cursors[k], step);
        }
        ++index[axis];
        for (std::int64_t inner = axis + 1; inner <= last; ++inner) index[inner] = 0;
    }
}

/// Applies `run` to every element.
template <int inputs>
void elementwise(Run run, const ElementwiseArgs& args) {
    std::int64_t total = 1;
    for (std::int64_t axis = 0; axis < args.rank; ++axis) total *= args.shape[axis];
    if (total <= grain) {
        if (total > 0) run_block<inputs>(run, args, 0, total);
        return;
    }
    parallel_blocks(total, grain, [&](std::int64_t begin, std::int64_t end) { run_block<inputs>(run, args, begin, end); });
}

/// The same loop with 16-bit floats as integers, for operations that only move elements.
inline ElementwiseArgs as_bits(ElementwiseArgs args) {
    if (is_half(args.out.type)) args.out.type = ElementType::uint16;
    for (Operand& o : args.in)
        if (is_half(o.type)) o.type = ElementType::uint16;
    return args;
}

// Runs of an operation ---------------------------------------------------------------------------------------------------------------

// `ivdep`: the output is either an input itself or apart from it, so no iteration reads what an earlier one wrote.

template <typename Op, typename In, typename Out>
void run_unary(std::int64_t n, void* out, const void* const* in) {
    const In* x = static_cast<const In*>(in[0]);
    Out* y = static_cast<Out*>(out);
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) y[i] = Op::apply(x[i]);
}

template <typename Op, typename In, typename Out>
void run_binary(std::int64_t n, void* out, const void* const* in) {
    const In* a = static_cast<const In*>(in[0]);
    const In* b = static_cast<const In*>(in[1]);
    Out* y = static_cast<Out*>(out);
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) y[i] = Op::apply(a[i], b[i]);
}

/// Op works on vectors.
template <typename Op, typename T>
void run_unary_vector(std::int64_t n, void* out, const void* const* in) {
    const T* x = static_cast<const T*>(in[0]);
    T* y = static_cast<T*>(out);
    std::int64_t i = 0;
    for (; i + lanes<T> <= n; i += lanes<T>) store(y + i, Op::template apply<T>(load(x + i)));
    if (i < n) store_partial(y + i, Op::template apply<T>(load_partial(x + i, n - i, T{1})), n - i);
}

template <typename Op, typename T>
void run_binary_vector(std::int64_t n, void* out, const void* const* in) {
    const T* a = static_cast<const T*>(in[0]);
    const T* b = static_cast<const T*>(in[1]);
    T* y = static_cast<T*>(out);
    std::int64_t i = 0;
    for (; i + lanes<T> <= n; i += lanes<T>) store(y + i, Op::template apply<T>(load(a + i), load(b + i)));
    if (i < n) store_partial(y + i, Op::template apply<T>(load_partial(a + i, n - i, T{1}), load_partial(b + i, n - i, T{1})), n - i);
}

}  // namespace
}  // namespace pyengine::kernels
