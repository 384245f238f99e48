// Stores and adds of the TMA unit, and their groups.
#include <cstring>

#include "kernels/half.h"
#include "kernels/simulator/access.h"
#include "kernels/simulator/tma.h"

namespace pyengine::simulator {

struct Store {
    Box box;
    ElementType type;
    bool adds;
    const std::byte* shared;  // of the block
    std::size_t offset;
    const void* code;
    std::vector<std::byte> content;  // once read
};

struct StoreGroup {
    std::vector<Store> stores;
    Agent reader, writer;
    bool read = false;
};

struct BulkGroups {
    std::uint16_t reader, writer;  // the agents: what they read and what they write ends at different waits
    std::deque<StoreGroup> committed;
    StoreGroup open;
};

namespace {

void open_group(Thread& self, BulkGroups& groups) {
    Agents& agents = self.block->cluster->agents;
    groups.open = {
        {}, agents.next(groups.reader, {"bulk store", &self, nullptr}), agents.next(groups.writer, {"bulk store", &self, nullptr})};
}

BulkGroups& groups_of(Thread& self) {
    if (self.bulk_copies) return *self.bulk_copies;
    Agents& agents = self.block->cluster->agents;
    self.bulk_copies = std::make_shared<BulkGroups>();
    self.bulk_copies->reader = agents.add();
    self.bulk_copies->writer = agents.add();
    open_group(self, *self.bulk_copies);
    return *self.bulk_copies;
}

[[noreturn]] void refuse(Thread& self, const void* code, const std::string& why) {
    self.block->cluster->fail(self, "wrong copy", text("its bulk store at ", source_line(code), " ", why));
}

void start(Store store, const void* from, std::size_t alignment) {
    Thread& self = *current_thread();
    const auto* byte = static_cast<const std::byte*>(from);
    if (!self.block->shared || owner_of_shared(self, from) != self.block || byte < self.block->shared)
        refuse(self, store.code, "is from memory that is not the block's dynamic shared memory");
    store.shared = self.block->shared;
    store.offset = static_cast<std::size_t>(byte - store.shared);
    if (store.offset % alignment != 0) fail_misaligned(self, from, alignment, store.code);
    BulkGroups& groups = groups_of(self);
    const auto actor = [&](const Agent& agent) {
        return Actor{self, agent.id, agent.clock, self.knowledge, self.cluster_rank, "bulk store", true};
    };
    check_access(actor(groups.open.reader), from, store.box.bytes, AccessKind::read, store.code);
    for (const BoxRow& row : store.box.rows)
        check_access(actor(groups.open.writer), row.data, row.bytes, store.adds ? AccessKind::atomic : AccessKind::write, store.code);
    groups.open.stores.push_back(std::move(store));
}

template <typename T, typename Add>
void add_each(std::byte* to, const std::byte* from, std::size_t bytes, Add add) {
    for (std::size_t at = 0; at + sizeof(T) <= bytes; at += sizeof(T)) {
        T old, more;
        std::memcpy(&more, from + at, sizeof(T));
        auto* address = reinterpret_cast<T*>(to + at);
        __atomic_load(address, &old, __ATOMIC_SEQ_CST);
        for (T sum = add(old, more); !__atomic_compare_exchange(address, &old, &sum, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);)
            sum = add(old, more);
    }
}

void add_row(const Store& store, const BoxRow& row) {
    const std::byte* from = store.content.data() + row.offset;
    if (store.type == ElementType::float32)
        add_each<float>(row.data, from, row.bytes, [](float a, float b) { return a + b; });
    else if (store.type == ElementType::float16)
        add_each<float16>(row.data, from, row.bytes, [](float16 a, float16 b) { return to_float16(to_float(a) + to_float(b)); });
    else
        add_each<bfloat16>(row.data, from, row.bytes, [](bfloat16 a, bfloat16 b) { return to_bfloat16(to_float(a) + to_float(b)); });
}

void read(StoreGroup& group) {
    for (Store& store : group.stores) store.content = read_box(store.box, store.shared, store.offset);
    group.read = true;
}

void write(const StoreGroup& group) {
    for (const Store& store : group.stores)
        for (const BoxRow& row : store.box.rows)
            store.adds ? add_row(store, row) : static_cast<void>(std::memcpy(row.data, store.content.data() + row.offset, row.bytes));
}

}  // namespace

void tma_store(const kernels::TensorLayout& map, const void* from, const Coordinates& at, bool adds) {
    const void* code = __builtin_return_address(0);
    if (map.rank != at.rank || map.im2col)
        refuse(*current_thread(), code,
               text("takes ", at.rank, " coordinates of a tiled map; the map has ", map.rank, ", or is of im2col"));
    if (adds && map.type != ElementType::float32 && map.type != ElementType::float16 && map.type != ElementType::bfloat16)
        refuse(*current_thread(), code, "adds numbers of a type that the simulator does not add");
    start({box_of(map, at), map.type, adds, nullptr, 0, code, {}}, from, 128);
}

void bulk_store(void* to, const void* from, std::uint32_t bytes, bool adds) {
    Thread& self = *current_thread();
    const void* code = __builtin_return_address(0);
    if (bytes % 16 != 0) refuse(self, code, text("has ", bytes, " bytes; must be a multiple of 16"));
    if (reinterpret_cast<std::uintptr_t>(to) % 16 != 0) fail_misaligned(self, to, 16, code);
    start({{{{0, static_cast<std::byte*>(to), bytes}}, bytes}, ElementType::float32, adds, nullptr, 0, code, {}}, from, 16);
}

void bulk_commit() {
    Thread& self = *current_thread();
    BulkGroups& groups = groups_of(self);
    groups.committed.push_back(std::move(groups.open));
    open_group(self, groups);
}

void bulk_wait(int count, bool reads_only) {
    Thread& self = *current_thread();
    BulkGroups& groups = groups_of(self);
    const auto keep = static_cast<std::size_t>(count);
    for (std::size_t i = 0; i + keep < groups.committed.size(); ++i) {
        StoreGroup& group = groups.committed[i];
        if (!group.read) read(group);
        self.knowledge.learn(group.reader.id, group.reader.clock);
    }
    while (!reads_only && groups.committed.size() > keep) {
        const StoreGroup& group = groups.committed.front();
        write(group);
        self.knowledge.learn(group.writer.id, group.writer.clock);
        groups.committed.pop_front();
    }
}

std::optional<std::string> finish_stores(Thread& thread) {
    if (!thread.bulk_copies) return {};
    BulkGroups& groups = *thread.bulk_copies;
    groups.committed.push_back(std::move(groups.open));
    for (const StoreGroup& group : groups.committed) {
        if (!group.read && !group.stores.empty())
            return text("simulator: missing wait: kernel ", function_name(thread.block->cluster->launch.kernel), ", ", name_of(thread),
                        ": ends before its bulk store at ", source_line(group.stores.front().code),
                        " has read shared memory; bulk_wait_read or bulk_wait must come first");
        write(group);
    }
    return {};
}

}  // namespace pyengine::simulator
