// For every four bytes of memory: which of them were written, and who touched them last.
//
// An access is told by its thread, and by that thread's clock, which counts what others may have waited for. Whether one access comes
// before another is then a comparison with what the later thread knows (knowledge.h). C. Flanagan, S. N. Freund: "FastTrack: efficient and
// precise dynamic race detection", PLDI 2009; a few accesses for each word are kept, as in K. Serebryany, T. Iskhodzhanov:
// "ThreadSanitizer", WBIA 2009.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace pyengine::simulator {

struct Access {
    std::uint32_t cluster = 0;  // of the grid, counted from 1; 0: no access
    std::uint32_t clock = 0;
    std::uint32_t code = 0;    // the low half of the address of the instruction
    std::uint16_t thread = 0;  // of the cluster
    std::uint8_t bytes = 0;    // of the word, one bit each
    bool atomic = false;
};

struct Word {
    static constexpr std::size_t kept = 4;
    std::array<Access, kept> writes, reads;
    std::uint8_t next_write = 0, next_read = 0;  // to be given up, in turn, where there are more
};

/// The words of a range of memory, made where they are touched.
class Shadow {
public:
    static constexpr std::size_t words_per_page = 64;

    struct Page {
        std::atomic_flag busy = ATOMIC_FLAG_INIT;
        std::uint64_t launch = 0;
        std::array<Word, words_per_page> words;
    };

    explicit Shadow(std::size_t bytes) : pages_((bytes + 4 * words_per_page - 1) / (4 * words_per_page)), written_((bytes + 3) / 4) {}
    ~Shadow();
    Shadow(const Shadow&) = delete;
    Shadow& operator=(const Shadow&) = delete;

    /// The page of a byte, with the accesses of earlier launches forgotten.
    Page& page(std::size_t offset, std::uint64_t launch);

    /// Which bytes of a word have been written, in any launch.
    std::uint8_t& written(std::size_t offset) { return written_[offset / 4]; }
    void mark_written(std::size_t offset, std::size_t bytes);
    /// Of bytes copied from another place, even one that overlaps.
    void copy_written(std::size_t offset, const Shadow& source, std::size_t begin, std::size_t bytes);
    void forget_written();

private:
    std::vector<std::atomic<Page*>> pages_;
    std::vector<std::uint8_t> written_;
};

/// Holds a page, which threads of several blocks may want at once.
class PageLock {
public:
    explicit PageLock(Shadow::Page& page) : page_(page) {
        while (page_.busy.test_and_set(std::memory_order_acquire)) {
        }
    }
    ~PageLock() { page_.busy.clear(std::memory_order_release); }
    PageLock(const PageLock&) = delete;
    PageLock& operator=(const PageLock&) = delete;

private:
    Shadow::Page& page_;
};

}  // namespace pyengine::simulator
