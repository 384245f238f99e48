#include "kernels/simulator/wgmma.h"

#include <algorithm>

#include "kernels/simulator/access.h"
#include "kernels/simulator/wgmma_operand.h"

namespace pyengine::simulator {

constexpr unsigned group_threads = 128;

/// What the threads of a warp group issue together.
struct GroupProduct {
    Wgmma shape;
    const void* code;
    float* d[group_threads] = {};
    const std::uint32_t* a[group_threads] = {};
    unsigned issued = 0, waited = 0;  // threads
    Knowledge known{};                // to the first lanes of all warps that have issued it
    bool heard = false;
    Agent agent{};
    bool done = false;
};

struct WarpGroup {
    std::uint16_t agent;
    std::vector<std::shared_ptr<GroupProduct>> products;  // all of the launch; those done are null
    std::vector<Thread*> waiting;
};

/// Of one thread: its products, and the registers that they use.
struct Accumulators {
    struct Range {
        const std::byte *begin, *end;
        std::size_t last;     // product that uses it
        int n;                // its shape, as an accumulator; 0: as a factor
        bool touched = true;  // since the last fence
        bool in_use = false;
    };
    std::shared_ptr<WarpGroup> group;
    std::size_t issued = 0, finished = 0;
    std::deque<std::size_t> committed;  // for each group how many products there were at its end
    bool fenced = false;                // since the last wait
    std::vector<Range> ranges;
};

namespace {

[[noreturn]] void refuse(Thread& self, const char* fault, const void* code, const std::string& why) {
    self.block->cluster->fail(self, fault, text("wgmma at ", source_line(code), " ", why));
}

Accumulators& state_of(Thread& self, const void* code) {
    if (self.accumulators) return *self.accumulators;
    Block& block = *self.block;
    const unsigned number = self.rank / group_threads;
    if ((number + 1) * group_threads > block.threads.size())
        refuse(self, "divergent warp group", code, text("needs whole warp groups of 128 threads; the block has ", block.threads.size()));
    if (block.warp_groups.size() <= number) block.warp_groups.resize(number + 1);
    auto& group = block.warp_groups[number];
    if (!group) group = std::make_shared<WarpGroup>(WarpGroup{block.cluster->agents.add(), {}, {}});
    self.accumulators = std::make_shared<Accumulators>();
    self.accumulators->group = group;
    return *self.accumulators;
}

/// The registers of product number `product`; they must have been fenced, or be those of the same accumulators in flight.
void use(Thread& self, Accumulators& state, const void* data, std::size_t bytes, std::size_t product, int n, const void* code) {
    const auto* begin = static_cast<const std::byte*>(data);
    auto found = std::find_if(state.ranges.begin(), state.ranges.end(),
                              [&](const auto& range) { return range.begin == begin && range.end == begin + bytes; });
    if (found == state.ranges.end()) found = state.ranges.insert(found, {begin, begin + bytes, product, n, !state.fenced});
    const bool continues = found->in_use && found->n == n && n > 0;
    if (!continues && (found->touched || !state.fenced))
        refuse(self, "missing fence", code, "uses registers that the thread may have touched before; wgmma_fence must come between");
    found->in_use = true;
    found->last = product;
    found->n = n;
}

bool same(const Wgmma& a, const Wgmma& b) {
    return a.n == b.n && a.type == b.type && (a.a_registers == nullptr) == (b.a_registers == nullptr) && a.a == b.a && a.b == b.b &&
           a.a_along_m == b.a_along_m && a.b_along_n == b.b_along_n && a.adds == b.adds;
}

void check_operand(Thread& self, const Actor& actor, const WgmmaOperand& operand, int extent, const char* name, const void* code) {
    if (const std::string fault = operand.fault(); !fault.empty())
        refuse(self, "wrong descriptor", code, text("has a descriptor of ", name, " that ", fault));
    const std::size_t room = self.block->cluster->launch.shape.shared_bytes;
    for (const std::size_t offset : operand.pieces(extent)) {
        if (offset + 16 > room)
            refuse(self, "wrong descriptor", code,
                   text("has a descriptor of ", name, " that leads to byte ", offset, " of ", room, " bytes of shared memory"));
        check_access(actor, self.block->shared + offset, 16, AccessKind::read, code);
        if (const auto layout = self.block->layouts.at(offset); layout && *layout != operand.swizzle)
            refuse(self, "wrong descriptor", code,
                   text("has a descriptor of ", name, " with a swizzle of ", kernels::swizzle_span(operand.swizzle), " bytes, for byte ",
                        offset, " of shared memory, which a TMA load laid out with a swizzle of ", kernels::swizzle_span(*layout)));
    }
}

/// All have issued it: what it reads, it reads from now on.
void begin(Thread& self, WarpGroup& group, GroupProduct& product) {
    product.agent = self.block->cluster->agents.next(group.agent, {"wgmma", &self, product.code});
    const Actor actor{self, product.agent.id, product.agent.clock, product.known, Actor::no_thread, "wgmma", true};
    const Wgmma& shape = product.shape;
    if (!shape.a_registers) check_operand(self, actor, {shape.a, shape.a_along_m}, 64, "A", product.code);
    check_operand(self, actor, {shape.b, shape.b_along_n}, shape.n, "B", product.code);
}

/// A from registers: element (i, k) at i * ks + k.
std::vector<double> elements_of_registers(const GroupProduct& product) {
    const bool tf32 = product.shape.type == Factor::tf32;
    const int ks = tf32 ? 8 : 16, per_word = tf32 ? 1 : 2;
    std::vector<double> matrix(64 * static_cast<std::size_t>(ks));
    for (int thread = 0; thread < 128; ++thread)
        for (int word = 0; word < 4; ++word)
            for (int i = 0; i < per_word; ++i) {
                const int row = 16 * (thread / 32) + thread % 32 / 4 + 8 * (word % 2);
                const int k = word / 2 * 4 * per_word + thread % 4 * per_word + i;
                matrix[static_cast<std::size_t>(row * ks + k)] = factor(product.shape.type, product.a[thread] + word, i);
            }
    return matrix;
}

void multiply(const GroupProduct& product, const std::byte* shared) {
    const Wgmma& shape = product.shape;
    const int ks = shape.type == Factor::tf32 ? 8 : 16;
    const auto a =
        shape.a_registers ? elements_of_registers(product) : WgmmaOperand(shape.a, shape.a_along_m).elements(64, shape.type, shared);
    const auto b = WgmmaOperand(shape.b, shape.b_along_n).elements(shape.n, shape.type, shared);
    for (int thread = 0; thread < 128; ++thread)
        for (int i = 0; i < shape.n / 2; ++i) {
            const int row = 16 * (thread / 32) + thread % 32 / 4 + 8 * (i / 2 % 2), column = 8 * (i / 4) + 2 * (thread % 4) + i % 2;
            double sum = shape.adds ? product.d[thread][i] : 0;
            for (int k = 0; k < ks; ++k) sum += a[static_cast<std::size_t>(row * ks + k)] * b[static_cast<std::size_t>(column * ks + k)];
            product.d[thread][i] = static_cast<float>(sum);
        }
}

void wait_for(Thread& self, GroupProduct& product, WarpGroup& group, const void* code) {
    while (product.issued < group_threads) {
        group.waiting.push_back(&self);
        self.block->cluster->sleep(self, [&] { return text("a wgmma that ", product.issued, " of 128 threads have issued"); }, code);
    }
    if (!product.done) multiply(product, self.block->shared);
    product.done = true;
    self.knowledge.learn(product.agent.id, product.agent.clock);
}

}  // namespace

void wgmma(const Wgmma& shape) {
    Thread& self = *current_thread();
    const void* code = __builtin_return_address(0);
    Accumulators& state = state_of(self, code);
    WarpGroup& group = *state.group;
    const std::size_t number = state.issued++;
    use(self, state, shape.d, static_cast<std::size_t>(shape.n) / 2 * sizeof(float), number, shape.n, code);
    if (shape.a_registers) use(self, state, shape.a_registers, 4 * sizeof(std::uint32_t), number, 0, code);
    if (group.products.size() == number) group.products.push_back(std::make_shared<GroupProduct>(GroupProduct{shape, code}));
    GroupProduct& product = *group.products[number];
    if (!same(product.shape, shape))
        refuse(self, "divergent warp group", code,
               text("is not what other threads of the warp group issued at ", source_line(product.code), ", or has other operands"));
    product.d[self.rank % group_threads] = shape.d;
    product.a[self.rank % group_threads] = shape.a_registers;
    if (self.lane() == 0) {
        Knowledge known = self.knowledge;
        known.learn(self.cluster_rank, self.clock++);
        if (product.heard) known.restrict_to(product.known);
        product.known = known;
        product.heard = true;
    }
    if (++product.issued < group_threads) return;
    begin(self, group, product);
    for (Thread* thread : group.waiting) self.block->cluster->wake(*thread);
    group.waiting.clear();
}

void wgmma_fence() {
    Accumulators& state = state_of(*current_thread(), __builtin_return_address(0));
    state.fenced = true;
    for (auto& range : state.ranges) range.touched = false;
}

void wgmma_commit() {
    Accumulators& state = state_of(*current_thread(), __builtin_return_address(0));
    state.committed.push_back(state.issued);
}

void wgmma_wait(int groups) {
    Thread& self = *current_thread();
    const void* code = __builtin_return_address(0);
    Accumulators& state = state_of(self, code);
    for (; state.committed.size() > static_cast<std::size_t>(groups); state.committed.pop_front())
        for (; state.finished < state.committed.front(); ++state.finished) {
            const auto product = state.group->products[state.finished];
            wait_for(self, *product, *state.group, code);
            if (++product->waited == group_threads) state.group->products[state.finished].reset();
        }
    state.fenced = false;
    for (auto& range : state.ranges) range.in_use = range.in_use && range.last >= state.finished;
}

void touch_registers(Thread& self, const void* address, std::size_t bytes, const void* code) {
    const auto* first = static_cast<const std::byte*>(address);
    for (auto& range : self.accumulators->ranges) {
        if (first + bytes <= range.begin || first >= range.end) continue;
        if (range.in_use)
            self.block->cluster->fail(
                self, "missing wait",
                text("touches registers at ", source_line(code), " that a wgmma issued at ",
                     source_line(self.accumulators->group->products[range.last]->code), " uses; commit it, and wait for it, before"));
        range.touched = true;
    }
}

std::optional<std::string> unfinished_products(const Thread& thread) {
    if (!thread.accumulators || thread.accumulators->finished == thread.accumulators->issued) return {};
    const GroupProduct& product = *thread.accumulators->group->products[thread.accumulators->finished];
    return text("simulator: missing wait: kernel ", function_name(thread.block->cluster->launch.kernel), ", ", name_of(thread),
                ": ends before its wgmma at ", source_line(product.code), " is done; commit it, and wait for it");
}

}  // namespace pyengine::simulator
