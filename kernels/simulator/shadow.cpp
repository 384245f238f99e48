#include "kernels/simulator/shadow.h"

#include <algorithm>

namespace pyengine::simulator {

Shadow::~Shadow() {
    for (auto& page : pages_) delete page.load();
}

Shadow::Page& Shadow::page(std::size_t offset, std::uint64_t launch) {
    std::atomic<Page*>& slot = pages_[offset / (4 * words_per_page)];
    Page* page = slot.load(std::memory_order_acquire);
    if (!page) {
        auto made = std::make_unique<Page>();
        if (slot.compare_exchange_strong(page, made.get())) page = made.release();
    }
    PageLock lock(*page);
    if (page->launch != launch) {
        page->launch = launch;
        page->words.fill({});
    }
    return *page;
}

void Shadow::mark_written(std::size_t offset, std::size_t bytes) {
    for (std::size_t i = offset; i < offset + bytes;) {
        if (i % 4 == 0 && i + 4 <= offset + bytes) {
            written_[i / 4] = 15;
            i += 4;
        } else {
            written_[i / 4] |= static_cast<std::uint8_t>(1u << i % 4);
            ++i;
        }
    }
}

void Shadow::copy_written(std::size_t offset, const Shadow& source, std::size_t begin, std::size_t bytes) {
    const std::vector<std::uint8_t> words(source.written_.begin() + static_cast<std::ptrdiff_t>(begin / 4),
                                          source.written_.begin() + static_cast<std::ptrdiff_t>((begin + bytes + 3) / 4));
    for (std::size_t i = 0; i < bytes; ++i) {
        const std::size_t from = begin % 4 + i, to = offset + i;
        const unsigned bit = words[from / 4] >> from % 4 & 1u;
        written_[to / 4] = static_cast<std::uint8_t>((written_[to / 4] & ~(1u << to % 4)) | bit << to % 4);
    }
}

void Shadow::forget_written() { std::fill(written_.begin(), written_.end(), std::uint8_t{0}); }

}  // namespace pyengine::simulator
