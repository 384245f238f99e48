#include "kernels/cuda/sort_pairs.h"
#include "kernels/sort.h"
#include "kernels/sort_key.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

template <typename T>
SortProblem<SortKey<T>> problem_of(const ArgsortArgs& args) {
    SortProblem<SortKey<T>> problem{};
    problem.rows = args.rows;
    problem.size = args.size;
    problem.keys = static_cast<SortKey<T>*>(args.workspace);
    problem.places = args.out;
    return problem;
}

/// Keys come first in the workspace; what sorting needs follows at a multiple of 64 bytes.
template <typename T>
std::size_t key_bytes(const ArgsortArgs& args) {
    return (static_cast<std::size_t>(args.rows * args.size) * sizeof(SortKey<T>) + 63) / 64 * 64;
}

template <typename T>
__global__ void make_keys(const T* x, std::int64_t count, bool descending, SortKey<T>* keys) {
    each_index(count, [&](std::int64_t i) { keys[i] = sort_key(x[i], descending); });
}

/// A thread for each value: binary search.
template <typename T>
__global__ void search(const T* sorted, std::int64_t size, const T* values, std::int64_t count, bool right, std::int64_t* out) {
    each_index(count, [&](std::int64_t i) {
        const SortKey<T> key = sort_key(values[i], false);
        std::int64_t low = 0, high = size;
        while (low < high) {
            const std::int64_t middle = low + (high - low) / 2;
            const SortKey<T> found = sort_key(sorted[middle], false);
            if (found < key || (right && found == key))
                low = middle + 1;
            else
                high = middle;
        }
        out[i] = low;
    });
}

}  // namespace

template <>
std::size_t argsort_workspace<level>(const ArgsortArgs& args) {
    return with_type(args.type, [&]<typename T> { return key_bytes<T>(args) + problem_of<T>(args).scratch_bytes(); });
}

template <>
void argsort<level>(const ArgsortArgs& args) {
    const std::int64_t count = args.rows * args.size;
    if (count == 0) return;
    with_type(args.type, [&]<typename T> {
        SortProblem<SortKey<T>> problem = problem_of<T>(args);
        problem.set_scratch(static_cast<std::byte*>(args.workspace) + key_bytes<T>(args));
        launch(make_keys<T>, shape_for(count), static_cast<const T*>(args.x), count, args.descending, problem.keys);
        sort_pairs(problem);
    });
}

template <>
void searchsorted<level>(const SearchsortedArgs& args) {
    if (args.count == 0) return;
    with_type(args.type, [&]<typename T> {
        launch(search<T>, shape_for(args.count), static_cast<const T*>(args.sorted), args.size, static_cast<const T*>(args.values),
               args.count, args.right, args.out);
    });
}

}  // namespace pyengine::kernels
