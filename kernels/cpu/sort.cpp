// Radix sort, least significant byte first, of keys that compare as the elements do; short rows by insertion. D. E. Knuth, The Art of
// Computer Programming, vol. 3, sections 5.2.5 and 5.2.1.
#include "kernels/sort.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"
#include "kernels/sort_key.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

constexpr std::int64_t short_row = 48;
constexpr int digits = 256;

template <typename Key>
struct Item {
    Key key, index;
};

template <typename Key>
void insertion_sort(Item<Key>* items, std::int64_t n) {
    for (std::int64_t i = 1; i < n; ++i) {
        const Item<Key> item = items[i];
        std::int64_t j = i;
        for (; j > 0 && item.key < items[j - 1].key; --j) items[j] = items[j - 1];
        items[j] = item;
    }
}

/// Sorts, using `other` of the same size; returns which of the two holds the result.
template <typename Key>
Item<Key>* radix_sort(Item<Key>* items, Item<Key>* other, std::int64_t n) {
    std::int64_t counts[sizeof(Key)][digits] = {};
    for (std::int64_t i = 0; i < n; ++i)
        for (std::size_t byte = 0; byte < sizeof(Key); ++byte) ++counts[byte][items[i].key >> (8 * byte) & 0xff];
    for (std::size_t byte = 0; byte < sizeof(Key); ++byte) {
        const auto digit = [byte](Key key) { return key >> (8 * byte) & 0xff; };
        if (counts[byte][digit(items[0].key)] == n) continue;  // all alike
        std::int64_t place[digits], sum = 0;
        for (int d = 0; d < digits; ++d) {
            place[d] = sum;
            sum += counts[byte][d];
        }
        for (std::int64_t i = 0; i < n; ++i) other[place[digit(items[i].key)]++] = items[i];
        Item<Key>* sorted = other;
        other = items;
        items = sorted;
    }
    return items;
}

template <typename Key, typename T>
void sort_row(const T* x, std::int64_t n, bool descending, std::int64_t* out, void* scratch) {
    auto* items = static_cast<Item<Key>*>(scratch);
    for (std::int64_t i = 0; i < n; ++i) items[i] = {sort_key(x[i], descending), static_cast<Key>(i)};
    if (n <= short_row)
        insertion_sort(items, n);
    else
        items = radix_sort(items, items + n, n);
    for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<std::int64_t>(items[i].index);
}

bool needs_wide_items(const ArgsortArgs& args) {
    return args.size > 0xffffffff || with_type(args.type, []<typename T> { return sizeof(T) == 8; });
}

std::size_t row_bytes(const ArgsortArgs& args) {
    const std::size_t item = needs_wide_items(args) ? sizeof(Item<std::uint64_t>) : sizeof(Item<std::uint32_t>);
    return (2 * static_cast<std::size_t>(args.size) * item + 63) / 64 * 64;
}

}  // namespace

template <>
std::size_t argsort_workspace<level>(const ArgsortArgs& args) {
    return static_cast<std::size_t>(args.lanes) * row_bytes(args);
}

template <>
void argsort<level>(const ArgsortArgs& args) {
    if (args.size == 0) return;
    const bool wide = needs_wide_items(args);
    with_type(args.type, [&]<typename T> {
        const T* x = static_cast<const T*>(args.x);
        parallel_with_scratch(args.rows, args.lanes, args.workspace, row_bytes(args), [&](std::int64_t row, std::byte* scratch) {
            const std::int64_t at = row * args.size;
            if constexpr (sizeof(T) < 8) {
                if (!wide) return sort_row<std::uint32_t>(x + at, args.size, args.descending, args.out + at, scratch);
            }
            sort_row<std::uint64_t>(x + at, args.size, args.descending, args.out + at, scratch);
        });
    });
}

template <>
void searchsorted<level>(const SearchsortedArgs& args) {
    with_type(args.type, [&]<typename T> {
        const T *sorted = static_cast<const T*>(args.sorted), *values = static_cast<const T*>(args.values);
        parallel_blocks(args.count, 1024, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) {
                const auto key = sort_key(values[i], false);
                std::int64_t first = 0, left = args.size;  // the answer lies in [first, first + left]
                while (left > 0) {
                    const std::int64_t half = left / 2;
                    const auto middle = sort_key(sorted[first + half], false);
                    const bool beyond = args.right ? middle <= key : middle < key;
                    first = beyond ? first + half + 1 : first;
                    left = beyond ? left - half - 1 : half;
                }
                args.out[i] = first;
            }
        });
    });
}

}  // namespace pyengine::kernels
