#include "kernels/simulator/mma.h"

#include <bit>
#include <cstring>

#include "kernels/half.h"
#include "kernels/simulator/access.h"
#include "kernels/simulator/sync.h"

namespace pyengine::simulator {
namespace {

constexpr std::uint32_t whole_warp = 0xffffffffu;

/// All 32 lanes meet; `work` gets what each brought.
template <typename Lane, typename Work>
void with_whole_warp(const char* what, Lane& own, const void* code, Work work) {
    Thread& self = *current_thread();
    bool whole = false;
    struct Brought {
        Lane* lane;
        bool* whole;
    } brought{&own, &whole};
    warp_meeting(what, whole_warp, &brought, false, code, [&work](void* const(&payloads)[32]) {
        Lane* lanes[32];
        for (int i = 0; i < 32; ++i) {
            if (!payloads[i]) return;
            lanes[i] = static_cast<Brought*>(payloads[i])->lane;
        }
        work(lanes);
        for (void* payload : payloads) *static_cast<Brought*>(payload)->whole = true;
    });
    if (whole) return;
    self.block->cluster->fail(self, "divergent warp", text(what, " at ", source_line(code), " needs all 32 lanes; some have ended"));
}

struct Product {
    float* d;
    const std::uint32_t *a, *b;
};

struct Tile {
    double a[16][16], b[16][8];
};

/// What the lanes' registers hold.
Tile gather(Factor type, int k, Product* const (&lanes)[32]) {
    Tile tile{};
    const int per_word = type == Factor::tf32 ? 1 : 2, group = 4 * per_word;  // columns of the 4 lanes of a row
    for (int lane = 0; lane < 32; ++lane)
        for (int at = 0; at < k / group; ++at)
            for (int i = 0; i < per_word; ++i) {
                const int column = at * group + lane % 4 * per_word + i;
                tile.a[lane / 4][column] = factor(type, lanes[lane]->a + 2 * at, i);
                tile.a[lane / 4 + 8][column] = factor(type, lanes[lane]->a + 2 * at + 1, i);
                tile.b[column][lane / 4] = factor(type, lanes[lane]->b + at, i);
            }
    return tile;
}

struct Row {
    std::byte* address;
    std::uint32_t* words;
};

/// Element of a matrix as lane and half of its word there.
struct Element {
    int lane, half;
};

Element element_of(int row, int column, bool transposed) {
    if (transposed) return {column * 4 + row / 2, row % 2};
    return {row * 4 + column / 2, column % 2};
}

void check_row(const void* row, int count, AccessKind kind, const void* code) {
    Thread& self = *current_thread();
    if (static_cast<int>(self.lane()) >= 8 * count) return;
    if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0) fail_misaligned(self, row, 16, code);
    if (!owner_of_shared(self, row))
        self.block->cluster->fail(self, "out of bounds", text("a row of a matrix at ", source_line(code), " lies outside shared memory"));
    check_access(self, row, 16, kind, code);
}

template <typename Move>
void move_matrices(const char* what, Row own, int count, bool transposed, const void* code, Move move) {
    with_whole_warp(what, own, code, [=](Row* const(&lanes)[32]) {
        for (int matrix = 0; matrix < count; ++matrix)
            for (int row = 0; row < 8; ++row)
                for (int column = 0; column < 8; ++column) {
                    const auto [lane, half] = element_of(row, column, transposed);
                    auto* word = reinterpret_cast<std::byte*>(lanes[lane]->words + matrix);
                    move(word + 2 * half, lanes[8 * matrix + row]->address + 2 * column);
                }
    });
}

}  // namespace

double factor(Factor type, const std::uint32_t* words, int i) {
    if (type == Factor::tf32) return std::bit_cast<float>(words[i] & 0xffffe000u);
    const auto bits = static_cast<std::uint16_t>(words[i / 2] >> 16 * (i % 2));
    return type == Factor::bfloat16 ? to_float(pyengine::bfloat16{bits}) : to_float(pyengine::float16{bits});
}

void mma(Factor type, int k, float* d, const std::uint32_t* a, const std::uint32_t* b) {
    Product own{d, a, b};
    with_whole_warp("mma", own, __builtin_return_address(0), [=](Product* const(&lanes)[32]) {
        const Tile tile = gather(type, k, lanes);
        for (int lane = 0; lane < 32; ++lane)
            for (int i = 0; i < 4; ++i) {
                const int row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
                double sum = lanes[lane]->d[i];
                for (int j = 0; j < k; ++j) sum += tile.a[row][j] * tile.b[j][column];
                lanes[lane]->d[i] = static_cast<float>(sum);
            }
    });
}

void load_matrices(std::uint32_t* words, const void* row, int count, bool transposed) {
    const void* code = __builtin_return_address(0);
    check_row(row, count, AccessKind::read, code);
    const Row own{static_cast<std::byte*>(const_cast<void*>(row)), words};
    move_matrices("ldmatrix", own, count, transposed, code, [](std::byte* word, std::byte* memory) { std::memcpy(word, memory, 2); });
}

void store_matrices(void* row, const std::uint32_t* words, int count, bool transposed) {
    const void* code = __builtin_return_address(0);
    check_row(row, count, AccessKind::write, code);
    const Row own{static_cast<std::byte*>(row), const_cast<std::uint32_t*>(words)};
    move_matrices("stmatrix", own, count, transposed, code, [](std::byte* word, std::byte* memory) { std::memcpy(memory, word, 2); });
}

}  // namespace pyengine::simulator
